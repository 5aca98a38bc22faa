/** Keeps the addresses of listed domains current: one timer, a bounded number of questions under way. */
import type { Outcome, RecordType } from '../dns/look-up.ts';
import type { Address } from '../net/address.ts';
import { type BookEntry, type BookLimits, dueOf, expire, learn, learnAddresses, loadEntry, nextExpiry, saveEntry, type SavedBook, UNKNOWN } from '../resolve/address-book.ts';
import { DueQueue } from '../resolve/due-queue.ts';

/** Asks once, upstream or wherever; never rejects. */
export type LookUp = (domain: string, type: RecordType) => Promise<Outcome>;

export type ResolverOptions = {
  readonly lookUp: LookUp;
  readonly limits: BookLimits;
  /** A domain's addresses, or what is known about them, changed. */
  readonly onChange: (domain: string) => void;
};

/** A start-up with 10,000 domains should take seconds, and not more sockets than a process may have. */
const MAX_UNDER_WAY = 200;
const RECORD_TYPES: readonly RecordType[] = ['A', 'AAAA'];
const LONGEST_SLEEP = 60_000;
/** Waking up costs as much as asking: what falls due within this time is asked for together. */
const TOGETHER = 250;

const dueTypes = (entry: BookEntry, now: number) => RECORD_TYPES.filter((type) => entry.lookUps[type] === null || (dueOf(entry, type) ?? 0) <= now);

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #book = new Map<string, BookEntry>();
  readonly #queue = new DueQueue();
  readonly #underWay = new Set<string>();
  /** To be asked for whether they are due or not. */
  readonly #forced = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #idle: (() => void)[] = [];
  /** Who waits for one domain to have been asked for again. */
  readonly #asking = new Map<string, (() => void)[]>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** The domains to follow from now on. New ones are asked for at once, others are forgotten. */
  want(domains: Iterable<string>): void {
    const wanted = new Set(domains);
    for (const domain of this.#book.keys()) {
      if (wanted.has(domain)) continue;
      this.#book.delete(domain);
      this.#queue.delete(domain);
      this.#forced.delete(domain);
    }
    for (const domain of wanted) {
      if (this.#book.has(domain) && this.#queue.has(domain)) continue;
      if (!this.#book.has(domain)) this.#book.set(domain, UNKNOWN);
      this.#queue.set(domain, 0);
    }
    this.#turn();
  }

  entry(domain: string): BookEntry {
    return this.#book.get(domain) ?? UNKNOWN;
  }

  /** Somebody else's answer gave addresses for a domain. `ttl` in seconds. Returns whether any of them is new. */
  observe(domain: string, addresses: readonly Address[], ttl: number): boolean {
    const before = this.#book.get(domain);
    if (before === undefined) return false;
    const after = learnAddresses(before, addresses, ttl, performance.now(), this.#options.limits);
    this.#book.set(domain, after);
    if (!this.#underWay.has(domain)) this.#plan(domain);
    return after.current !== before.current;
  }

  /** Asks for one domain again; false: it is not followed. */
  async again(domain: string): Promise<boolean> {
    if (!this.#book.has(domain)) return false;
    this.#forced.add(domain);
    this.#queue.set(domain, 0);
    const asked = new Promise<void>((resolve) => this.#asking.set(domain, [...(this.#asking.get(domain) ?? []), resolve]));
    this.#turn();
    await asked;
    return true;
  }

  /** Asks for everything again, e.g. because the nameservers changed. */
  refresh(): void {
    for (const domain of this.#queue.keys()) {
      this.#forced.add(domain);
      this.#queue.set(domain, 0);
    }
    this.#turn();
  }

  /** Resolves once nothing is under way and every wanted domain has been asked for. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#settle();
    });
  }

  #settle(): void {
    for (const [domain, waiting] of this.#asking) {
      if (this.#book.has(domain) && (this.#forced.has(domain) || this.#underWay.has(domain))) continue;
      this.#asking.delete(domain);
      for (const resolve of waiting) resolve();
    }
    if (this.#idle.length === 0 || this.#underWay.size > 0 || [...this.#book.values()].some((entry) => dueOf(entry) === null)) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #turn(): void {
    if (this.#closed) return;
    const now = performance.now();
    for (;;) {
      const next = this.#queue.peek();
      if (next === null || next.due > now || this.#underWay.size >= MAX_UNDER_WAY) break;
      this.#queue.set(next.key, Number.POSITIVE_INFINITY);
      this.#expire(next.key, now);
      if (this.#underWay.has(next.key)) continue; // planned when its answers are in
      const asked = this.#forced.delete(next.key) ? RECORD_TYPES : dueTypes(this.entry(next.key), now);
      if (asked.length === 0) this.#plan(next.key);
      else void this.#ask(next.key, asked);
    }
    this.#sleep(now);
    this.#settle();
  }

  #sleep(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const next = this.#queue.peek();
    if (next === null || this.#underWay.size >= MAX_UNDER_WAY || next.due === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#turn(), Math.min(Math.ceil(Math.max(next.due, now + 1) / TOGETHER) * TOGETHER - now, LONGEST_SLEEP));
  }

  async #ask(domain: string, types: readonly RecordType[]): Promise<void> {
    this.#underWay.add(domain);
    await Promise.all(
      types.map(async (type) => {
        const outcome = await this.#options.lookUp(domain, type);
        const before = this.#book.get(domain);
        if (before === undefined || this.#closed) return;
        const after = learn(before, type, outcome, performance.now(), this.#options.limits, Math.random());
        this.#book.set(domain, after);
        const said = (entry: BookEntry) => `${entry.lookUps[type]?.outcome} ${entry.lookUps[type]?.error}`;
        if (after.current !== before.current || said(after) !== said(before)) this.#options.onChange(domain);
      }),
    );
    this.#underWay.delete(domain);
    if (this.#book.has(domain)) this.#plan(domain);
    this.#turn();
  }

  #expire(domain: string, now: number): void {
    const before = this.entry(domain);
    const after = expire(before, now, this.#options.limits);
    if (after === before) return;
    this.#book.set(domain, after);
    this.#options.onChange(domain);
  }

  /** Next time for a domain: to be asked for, or to lose an address. */
  #plan(domain: string): void {
    if (this.#underWay.has(domain)) return;
    const entry = this.entry(domain);
    const due = this.#forced.has(domain) ? 0 : (dueOf(entry) ?? 0);
    const expiry = nextExpiry(entry, this.#options.limits) ?? Number.POSITIVE_INFINITY;
    this.#queue.set(domain, Math.min(due, expiry));
  }

  /** What an earlier run knew. */
  load(saved: SavedBook): void {
    const offset = Date.now() - performance.now();
    for (const [domain, addresses] of Object.entries(saved)) {
      const entry = loadEntry(addresses, performance.now(), offset, this.#options.limits);
      if (entry.current.length > 0) this.#book.set(domain, entry);
    }
  }

  save(): SavedBook {
    const offset = Date.now() - performance.now();
    return Object.fromEntries([...this.#book].filter(([, entry]) => entry.current.length > 0).map(([domain, entry]) => [domain, saveEntry(entry, offset)]));
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
