/** Units whose user is not the one that the policy of the same name governs: the policy then confines nobody that matters. */
import type { UnitAccount } from '../host/units.ts';
import type { Finding } from './drift.ts';
import type { ServiceState } from './desired.ts';

/** `uidOf`: null where there is no such account. */
export async function unitFindings(services: readonly ServiceState[], units: ReadonlyMap<string, UnitAccount>, uidOf: (name: string) => Promise<number | null>): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { entry, principals } of services) {
    const unit = units.get(entry.service);
    if (unit === undefined || entry.kind !== 'user' || entry.subjects.length === 0) continue;
    const { subjects, service } = entry;
    if (subjects.some(({ id }) => `${id}` === unit.user)) continue;
    const uid = /^\d+$/.test(unit.user) ? Number(unit.user) : await uidOf(unit.user);
    if (uid !== null && principals.ids.includes(uid)) continue;
    findings.push({ service, detail: `${unit.unit} runs as ${unit.user}, whom this policy does not govern (it governs ${subjects.map(({ id }) => id).join(', ')})` });
  }
  return findings;
}
