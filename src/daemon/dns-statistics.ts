/** What became of a service's DNS queries. */

export type DnsCounts = {
  /** Every query, and how they ended; `cached` are among `answered`. */
  queries: number;
  answered: number;
  cached: number;
  /** Not listed. */
  refused: number;
  /** No answer from upstream, or one that cannot be used. */
  failed: number;
  /** Turned away because too many were under way. */
  limited: number;
};

export type RefusedName = { readonly name: string; readonly type: string; count: number; readonly first: number; last: number };

/** More names than this are a tunnel rather than a list worth reading. */
const MOST_NAMES = 256;

export class DnsStatistics {
  readonly counts: DnsCounts = { queries: 0, answered: 0, cached: 0, refused: 0, failed: 0, limited: 0 };
  lastError: string | null = null;
  readonly #refused = new Map<string, RefusedName>();

  /** `now`: milliseconds since the epoch. */
  refuse(name: string, type: string, now: number): void {
    this.counts.refused += 1;
    const known = this.#refused.get(name);
    this.#refused.delete(name);
    if (known === undefined) this.#refused.set(name, { name, type, count: 1, first: now, last: now });
    else this.#refused.set(name, { ...known, count: known.count + 1, last: now });
    const [oldest] = this.#refused.size > MOST_NAMES ? this.#refused.keys() : [];
    if (oldest !== undefined) this.#refused.delete(oldest);
  }

  fail(reason: string): void {
    this.counts.failed += 1;
    this.lastError = reason.slice(0, 300);
  }

  /** Latest last. */
  get refusedNames(): readonly RefusedName[] {
    return [...this.#refused.values()];
  }
}
