/** Connection tracking in this network namespace, from /proc (Documentation/networking/nf_conntrack-sysctl.rst). */
import { existsSync, readFileSync } from 'node:fs';
import { attempt, type Known } from './known.ts';

export type Conntrack = {
  /** TCP flows are taken up in the middle (nf_conntrack_tcp_loose). */
  readonly loose: boolean;
  readonly count: number;
  readonly max: number;
  /** Packets dropped for want of an entry, and entries thrown out for newer ones, since boot. */
  readonly dropped: number;
  readonly earlyDropped: number;
};

const SETTINGS = '/proc/sys/net/netfilter';
const STATISTICS = '/proc/net/stat/nf_conntrack';

const setting = (name: string) => Number(readFileSync(`${SETTINGS}/nf_conntrack_${name}`, 'utf8').trim());

/** A line of titles, then one of hexadecimal numbers for each CPU: the sum of each column. */
export function statistics(text: string): ReadonlyMap<string, number> {
  const [titles = [], ...rows] = text.trim().split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(titles.map((title, column) => [title, rows.reduce((sum, row) => sum + Number.parseInt(row[column] ?? '0', 16), 0)]));
}

/** Null: the kernel has none, or has not loaded it. */
export const readConntrack = (): Known<Conntrack | null> =>
  attempt(() => {
    if (!existsSync(`${SETTINGS}/nf_conntrack_max`)) return null;
    const counts = existsSync(STATISTICS) ? statistics(readFileSync(STATISTICS, 'utf8')) : new Map<string, number>();
    return { loose: setting('tcp_loose') !== 0, count: setting('count'), max: setting('max'), dropped: counts.get('drop') ?? 0, earlyDropped: counts.get('early_drop') ?? 0 };
  });
