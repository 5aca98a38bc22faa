/** Units whose user is not the one that the policy of the same name governs: the policy then confines nobody that matters. */
import type { UnitAccount } from '../host/units.ts';
import type { ServiceEntry } from '../policy/policy-set.ts';
import type { Finding } from './drift.ts';

/** A service, and the ids that it governs. */
export type GovernedService = { readonly entry: Pick<ServiceEntry, 'service' | 'kind' | 'subjects'>; readonly principals: { readonly ids: readonly number[] } };

export type UnitFindings = {
  readonly findings: readonly Finding[];
  /** Services whose unit names a user that their policy governs, or did before it named none. */
  readonly matched: ReadonlySet<string>;
};

/**
 * `uidOf`: null where there is no such account. `before`: what `matched` was at the last look. A unit that names no user is started as root, and many of
 * those hand the work to the governed user themselves (nginx, unbound): such a unit is only wrong if it named one before.
 */
export async function unitFindings(services: readonly GovernedService[], units: ReadonlyMap<string, UnitAccount>, uidOf: (name: string) => Promise<number | null>, before: ReadonlySet<string>): Promise<UnitFindings> {
  const findings: Finding[] = [];
  const matched = new Set<string>();
  for (const { entry: { kind, subjects, service }, principals: { ids } } of services) {
    const unit = units.get(service);
    if (unit === undefined || kind !== 'user' || subjects.length === 0 || (unit.user === null && !before.has(service))) continue;
    const user = unit.user ?? 'root';
    const uid = /^\d+$/.test(user) ? Number(user) : await uidOf(user);
    const governs = subjects.some(({ id }) => `${id}` === user) || (uid !== null && ids.includes(uid));
    if (governs || unit.user === null) matched.add(service);
    if (!governs) findings.push({ service, detail: `${unit.unit} runs as ${user}, whom this policy does not govern (it governs ${subjects.map(({ id }) => id).join(', ')})` });
  }
  return { findings, matched };
}
