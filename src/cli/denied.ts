/** `netwallctl denied`: what was refused, and why. */
import type { DeniedEntry, DeniedName, DeniedReport } from '../control/api.ts';
import type { DeniedByProcess } from './denied-processes.ts';
import { type Look, type Paint, table } from './output.ts';
import type { Clock } from './time.ts';

const host = (address: string) => (address.includes(':') ? `[${address}]` : address);

/** `api.github.com 140.82.112.6:443/tcp`; inbound `from 10.0.0.9 to port 22/tcp`. */
function place({ direction, address, port, protocol, names }: DeniedEntry): string {
  const shown = names.length > 2 ? `${names.slice(0, 2).join(', ')}, …` : names.join(', ');
  if (direction === 'in') return `from ${address} to ${port === null ? protocol : `port ${port}/${protocol}`}`;
  return `${shown === '' ? '' : `${shown} `}${port === null ? `${address}/${protocol}` : `${host(address)}:${port}/${protocol}`}`;
}

const WHY: Readonly<Record<DeniedEntry['reason'], string>> = {
  default: 'nothing lists it',
  deny: 'denied',
  guard: 'listed name, special-use address: private: true would let it pass',
  mode: 'the service is blocked',
  dns: 'no DNS but through netwalld',
  audit: 'nothing lists it; let through (audit)',
  'allowed by now': 'would pass by now',
  'policy gone': 'no policy any more',
};
const why = ({ reason, rule }: DeniedEntry) => (rule === null ? WHY[reason] : `${WHY[reason]} at ${rule.file}:${rule.line}`);
const who = ({ service, uid, gid }: DeniedEntry) => service ?? (uid === null ? `gid ${gid ?? ''}` : `uid ${uid}`);

const row = (entry: DeniedByProcess, clock: Clock): string[] => [
  clock(entry.lastSeen),
  who(entry),
  place(entry),
  `${entry.packets}`,
  clock(entry.firstSeen),
  entry.processes.map(({ name, pid }) => `${name}[${pid}]`).join(' ') || '–',
  why(entry),
];
const nameRow = ({ service, name, type, count, firstSeen, lastSeen }: DeniedName, clock: Clock): string[] => [clock(lastSeen), service, `${name} ${type}`, `${count}`, clock(firstSeen)];

const bold = (paint: Paint, ...titles: string[]) => titles.map((title) => paint('bold', title));

export type DeniedView = Omit<DeniedReport, 'denied'> & { readonly denied: readonly DeniedByProcess[] };

export function deniedText({ denied, refusedNames, total }: DeniedView, look: Look, clock: Clock): string {
  const { paint } = look;
  const parts: string[] = [];
  if (denied.length > 0) parts.push(table([bold(paint, 'LAST', 'SERVICE', 'DESTINATION', 'PACKETS', 'FIRST', 'PROCESS', 'WHY'), ...denied.map((entry) => row(entry, clock))], look, { drop: [4, 5], shrink: [2, 6], right: [3] }));
  if (total > denied.length) parts.push(`${total - denied.length} earlier ones are not shown`);
  if (refusedNames.length > 0) parts.push(table([bold(paint, 'LAST', 'SERVICE', 'NAME THAT IS NOT LISTED', 'QUERIES', 'FIRST'), ...refusedNames.map((name) => nameRow(name, clock))], look, { drop: [4], shrink: [2], right: [3] }));
  return parts.join('\n\n') || 'nothing denied';
}

/** What is new since the report before. */
export class DeniedFollower {
  readonly #seen = new Map<string, number>();

  #isNew(key: string, count: number): boolean {
    const before = this.#seen.get(key);
    this.#seen.set(key, count);
    return before !== count;
  }

  news({ denied, refusedNames }: DeniedReport): { readonly denied: readonly DeniedEntry[]; readonly refusedNames: readonly DeniedName[] } {
    return {
      denied: denied.filter(({ uid, gid, address, protocol, port, direction, packets }) => this.#isNew(`${uid} ${gid} ${address} ${protocol} ${port} ${direction}`, packets)),
      refusedNames: refusedNames.filter(({ service, name, type, count }) => this.#isNew(`${service} ${name} ${type}`, count)),
    };
  }
}

export const deniedLines = ({ denied, refusedNames }: Pick<DeniedReport, 'denied' | 'refusedNames'>, clock: Clock): string[] => [
  ...denied.map((entry) => [clock(entry.lastSeen), who(entry), place(entry), `${entry.packets} packets`, why(entry)].join('  ')),
  ...refusedNames.map(({ lastSeen, service, name, type, count }) => [clock(lastSeen), service, `${name} ${type}`, `${count} queries`, 'name not listed'].join('  ')),
];
