/**
 * Permissions that an operator gives for a while. They are in no policy file: they are kept in the state directory, added to the policy of their
 * service in memory, and each has its end in the kernel, so it runs out even if the daemon is gone.
 */
import * as z from 'zod';
import type { PermitReport } from '../control/api.ts';
import type { ServiceEntry } from '../policy/policy-set.ts';
import type { LinkedPolicy, Rule } from '../policy/rule.ts';
import { temporaryRules } from '../policy/temporary.ts';

/** `since`, `until`: milliseconds of the wall clock. */
const permitSchema = z.object({
  id: z.int().positive(),
  service: z.string(),
  to: z.string(),
  ports: z.array(z.string()),
  private: z.boolean(),
  reason: z.string(),
  by: z.string(),
  since: z.number(),
  until: z.number(),
  /** Milliseconds there were left when this was written: no clock makes it more again. */
  left: z.number(),
});
export const savedPermits = z.object({ next: z.int().positive(), permits: z.array(permitSchema) });
type Saved = z.infer<typeof permitSchema>;

/** What is asked for; `milliseconds`: for how long. */
type Kept = Omit<Saved, 'left'>;

export type Request = Pick<Kept, 'service' | 'to' | 'ports' | 'private' | 'reason' | 'by'> & { readonly milliseconds: number };

type Permit = { readonly saved: Kept; /** By the monotonic clock. */ readonly until: number; readonly seconds: number };

export type PermitOptions = {
  /** Monotonic and wall clock, milliseconds. */
  readonly now: () => number;
  readonly wall: () => number;
  /** Something ran out, or something else is in force: enforce. */
  readonly onChange: () => void;
  readonly onExpired: (permit: PermitReport) => void;
};

/** setTimeout takes no more. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class Permits {
  readonly #options: PermitOptions;
  #permits: readonly Permit[] = [];
  #next = 1;
  #started = false;
  /** By number: those that cannot be what they were given for. */
  readonly #faults = new Map<number, string>();
  #timer: NodeJS.Timeout | null = null;
  /** The same objects while nothing changed: by them it is told what has to be compiled anew. */
  #linked = new WeakMap<LinkedPolicy, LinkedPolicy>();

  constructor(options: PermitOptions) {
    this.#options = options;
  }

  /** What an earlier run knew; nothing is told before `start`. A clock that was set back makes nothing last longer. */
  load({ next, permits }: z.infer<typeof savedPermits>): void {
    const [now, wall] = [this.#options.now(), this.#options.wall()];
    this.#next = next;
    this.#permits = permits.flatMap(({ left: then, ...saved }) => {
      const left = Math.min(saved.until - wall, then);
      return left <= 0 ? [] : [{ saved, until: now + left, seconds: Math.ceil((saved.until - saved.since) / 1000) }];
    });
  }

  /** From now on it is told what runs out. */
  start(): void {
    this.#started = true;
    this.#arm();
  }

  save(): z.infer<typeof savedPermits> {
    const now = this.#options.now();
    return { next: this.#next, permits: this.#permits.map(({ saved, until }) => ({ ...saved, left: Math.max(0, until - now) })) };
  }

  get report(): readonly PermitReport[] {
    return this.#permits.map((permit) => this.#reportOf(permit));
  }

  #reportOf({ saved: { id, service, to, ports, private: special, reason, by, since, until }, until: end }: Permit): PermitReport {
    const remainingSeconds = Math.max(0, Math.ceil((end - this.#options.now()) / 1000));
    return { id, service, to, ports, private: special, reason, by, since: new Date(since).toISOString(), until: new Date(until).toISOString(), remainingSeconds, fault: this.#faults.get(id) ?? null };
  }

  /** Checks nothing: `rulesOf` has said that it can be read. */
  add({ milliseconds, ...request }: Request): PermitReport {
    const since = this.#options.wall();
    const permit = { saved: { ...request, id: this.#next++, since, until: since + milliseconds }, until: this.#options.now() + milliseconds, seconds: Math.ceil(milliseconds / 1000) };
    this.#change([...this.#permits, permit]);
    return this.#reportOf(permit);
  }

  /** Ends some before their time; returns those that were there. */
  revoke(wanted: (permit: Kept) => boolean): readonly PermitReport[] {
    const ended = this.#permits.filter(({ saved }) => wanted(saved)).map((permit) => this.#reportOf(permit));
    if (ended.length > 0) this.#change(this.#permits.filter(({ saved }) => !wanted(saved)));
    return ended;
  }

  #change(permits: readonly Permit[]): void {
    this.#permits = permits;
    this.#linked = new WeakMap();
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#permits.length === 0 || !this.#started) return;
    const next = Math.min(...this.#permits.map(({ until }) => until)) - this.#options.now();
    this.#timer = setTimeout(() => this.#expire(), Math.min(Math.max(0, next), LONGEST_TIMER)).unref();
  }

  /** By either clock: one stands still while the host is suspended, the other may be set back. */
  #isOver({ until, saved }: Permit): boolean {
    return until <= this.#options.now() || saved.until <= this.#options.wall();
  }

  /** Ends what has run out without the timer's noticing: it does not run while the host is suspended. */
  look(): void {
    if (this.#started && this.#permits.some((permit) => this.#isOver(permit))) this.#expire();
  }

  #expire(): void {
    const over = this.#permits.filter((permit) => this.#isOver(permit));
    this.#change(this.#permits.filter((permit) => !over.includes(permit)));
    if (over.length === 0) return;
    for (const permit of over) this.#options.onExpired(this.#reportOf(permit));
    this.#options.onChange();
  }

  /** Ends what was granted to services that are gone: another one of that name is not meant. Returns what ended. */
  retain(services: ReadonlySet<string>): readonly PermitReport[] {
    return this.#permits.every(({ saved }) => services.has(saved.service)) ? [] : this.revoke(({ service }) => !services.has(service));
  }

  /** How many are in force, by service. */
  get counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { saved } of this.#permits) counts.set(saved.service, (counts.get(saved.service) ?? 0) + 1);
    return counts;
  }

  #rules(service: string, linked: LinkedPolicy): readonly Rule[] {
    return this.#permits
      .filter((permit) => permit.saved.service === service && !this.#isOver(permit))
      .toSorted((a, b) => b.until - a.until) // where two overlap, the longer one has the ground
      .flatMap(({ saved, until, seconds }) => {
        const found = temporaryRules(saved, linked.policy.dns, `grant ${saved.id}`);
        if (found.ok) this.#faults.delete(saved.id);
        else this.#faults.set(saved.id, found.error);
        return found.ok ? found.rules.map((rule) => ({ ...rule, text: `grant ${saved.id}: ${rule.text}`, term: { seconds, until } })) : [];
      });
  }

  /** Services with what is granted to them. Those to whom nothing is granted are the same objects. */
  over(services: readonly ServiceEntry[]): readonly ServiceEntry[] {
    if (this.#permits.length === 0) return services;
    const granted = new Set(this.#permits.map(({ saved }) => saved.service));
    return services.map((entry) => {
      if (entry.linked === null || !granted.has(entry.service)) return entry;
      let linked = this.#linked.get(entry.linked);
      if (linked === undefined) this.#linked.set(entry.linked, (linked = { ...entry.linked, allow: [...entry.linked.allow, ...this.#rules(entry.service, entry.linked)] }));
      return { ...entry, linked };
    });
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
