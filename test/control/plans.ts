/** Plans between two texts of policies, and what is said of them. */
import { changeText } from '../../src/cli/plan-text.ts';
import type { ServicePlan } from '../../src/control/api.ts';
import { planServices, type Situation } from '../../src/control/policy-plan.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { buildPolicySet, type ServiceEntry } from '../../src/policy/policy-set.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { address } from '../ruleset/policies.ts';

export type Texts = Readonly<Record<string, string>>;

/** Files by name; throws when one is not valid. */
export function servicesOf(files: Texts): readonly ServiceEntry[] {
  const read = Object.entries(files).map(([name, text]) => ({ name, path: `/etc/netwall.d/${name}`, hash: text, text, parsed: parsePolicyFile(`/etc/netwall.d/${name}`, text), refusals: [] }));
  const { services, badFiles } = buildPolicySet(read, new Map(), () => null);
  if (badFiles.length > 0) throw new Error(badFiles.flatMap(({ problems, text }) => problems.map((problem) => formatProblem(problem, text))).join('\n'));
  return services;
}

export function situation(addresses: Readonly<Record<string, readonly string[]>> = {}, nameservers: readonly string[] = []): Situation {
  const known = new Map(Object.entries(addresses).map(([name, texts]) => [name, texts.map(address)]));
  return { idOf: (_kind, name) => (name === 'webapp' ? 1001 : null), nameservers: nameservers.map(address), addressesOf: () => known, dnsPortOf: () => null, shut: new Set() };
}

export const plan = (before: Texts, after: Texts, around = situation()): readonly ServicePlan[] => planServices(servicesOf(before), servicesOf(after), around);

/** All lines of a plan, without places. */
export const lines = (plans: readonly ServicePlan[]): string[] => plans.flatMap(({ allows, refuses }) => [...allows.map((change) => changeText(change, '+')), ...refuses.map((change) => changeText(change, '-'))]);
