/** Policies in force, from the text an administrator writes, with numbers for users and groups. */
import { type Address, parseAddress } from '../../src/net/address.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { formatProblem, type Problem } from '../../src/policy/problem.ts';
import { linkPolicy } from '../../src/policy/rule.ts';
import { compileService } from '../../src/ruleset/compile.ts';
import { confine, type Confinement } from '../../src/ruleset/confinement.ts';
import type { Element } from '../../src/ruleset/element.ts';

export type Surroundings = {
  readonly nameservers?: readonly string[];
  /** What DNS says, by name. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
};

/** Ten minutes: `expires` cannot be mistaken for it, and nothing runs out during a test. */
export const ADDRESS_TIMEOUT = 600;

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

function refuse(problems: readonly Problem[], text: string): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((problem) => formatProblem(problem, text)).join('\n'));
}

export function confinements(yaml: string, { nameservers = [], addresses = {} }: Surroundings = {}): readonly Confinement[] {
  const { policies, groups, problems } = parsePolicyFile('/etc/netwall.d/test.yaml', yaml);
  refuse(problems, yaml);
  const named = new Map(groups.map((group) => [group.name, group]));
  const book = new Map(Object.entries(addresses).map(([name, texts]) => [name, texts.map(address)]));
  return policies.map((policy) => {
    const { linked, problems } = linkPolicy(policy, named);
    refuse(problems, yaml);
    return confine(linked, { ids: policy.subjects.map(({ id }) => Number(id)), nameservers: nameservers.map(address), addresses: book });
  });
}

/** Everything the policies put into the kernel: permissions first, as in a transaction that opens nobody too early. */
export function elementsOf(policies: readonly Confinement[]): readonly Element[] {
  const rulesets = policies.flatMap((policy) => compileService(policy, { addressTimeout: ADDRESS_TIMEOUT }));
  return [...rulesets.flatMap(({ elements }) => elements), ...rulesets.flatMap(({ gate }) => gate)];
}
