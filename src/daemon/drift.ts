/** What differed, or differs, from what the policies say: every drift with its id, from first seen to repaired. Bounded. */
import { z } from 'zod';

export const DRIFT_KINDS = ['kernel', 'identity', 'listener', 'name', 'file', 'shadow'] as const;

export const driftSchema = z.object({
  id: z.string(),
  kind: z.enum(DRIFT_KINDS),
  service: z.string().nullable(),
  detail: z.string(),
  process: z.object({ pid: z.number(), name: z.string() }).nullable(),
  /** ISO 8601. */
  firstSeen: z.string(),
  lastSeen: z.string(),
  count: z.number(),
  repaired: z.boolean(),
  openMilliseconds: z.number().nullable(),
});
export type Drift = z.infer<typeof driftSchema>;
export type DriftKind = Drift['kind'];

/** What is wrong now, as an observer of one kind says it. */
export type Finding = { readonly service: string | null; readonly detail: string };
/** Who did it. */
export type Culprit = NonNullable<Drift['process']>;

const HISTORY = 500;

export type DriftChange = 'opened' | 'closed' | 'repaired';

export class DriftLog {
  /** `since`: by the monotonic clock, as the other one may jump. */
  #open = new Map<string, { readonly source: string; readonly drift: Drift; readonly since: number }>();
  #history: Drift[] = [];
  #next = 1;
  #repaired = 0;
  readonly #onChange: (change: DriftChange, drift: Drift) => void;

  readonly #clock: () => number;

  constructor(onChange: (change: DriftChange, drift: Drift) => void = () => {}, clock: () => number = () => Math.round(performance.now())) {
    this.#onChange = onChange;
    this.#clock = clock;
  }

  /** Takes up what an earlier run of the daemon remembered. */
  restore(history: readonly Drift[]): void {
    this.#history = history.slice(-HISTORY);
    this.#next = Math.max(0, ...history.map(({ id }) => Number(id) || 0)) + 1;
  }

  get open(): readonly Drift[] {
    return [...this.#open.values()].map(({ drift }) => drift);
  }

  get history(): readonly Drift[] {
    return this.#history;
  }

  /** How many were repaired since the daemon started. */
  get repaired(): number {
    return this.#repaired;
  }

  /**
   * Says what of a kind is wrong now. What is new is opened, what is no more is closed; `source` tells observers of the same kind
   * apart. Returns whether anything opened or closed.
   */
  update(kind: DriftKind, findings: readonly Finding[], now: Date, source: string = kind): boolean {
    const present = new Set<string>();
    let changed = false;
    for (const { service, detail } of findings) {
      const key = `${source} ${service ?? ''} ${detail}`;
      present.add(key);
      const open = this.#open.get(key);
      if (open !== undefined) {
        open.drift.lastSeen = now.toISOString();
        continue;
      }
      changed = true;
      const at = now.toISOString();
      const drift: Drift = { id: `${this.#next++}`, kind, service, detail, process: null, firstSeen: at, lastSeen: at, count: 1, repaired: false, openMilliseconds: null };
      this.#open.set(key, { source, drift, since: this.#clock() });
      this.#onChange('opened', drift);
    }
    for (const [key, { source: observer, drift, since }] of this.#open) {
      if (observer !== source || present.has(key)) continue;
      this.#open.delete(key);
      this.#close(drift, this.#clock() - since);
      changed = true;
    }
    return changed;
  }

  /** Something that was found and put right in one go. */
  repair(kind: DriftKind, finding: Finding, openMilliseconds: number, now: Date, process: Culprit | null = null): void {
    const last = this.#history.at(-1);
    this.#repaired += 1;
    if (last?.kind === kind && last.detail === finding.detail && last.service === finding.service && last.process?.name === process?.name) {
      Object.assign(last, { count: last.count + 1, lastSeen: now.toISOString(), openMilliseconds, process });
      this.#onChange('repaired', last);
      return;
    }
    const at = now.toISOString();
    const drift: Drift = { id: `${this.#next++}`, kind, ...finding, process, firstSeen: at, lastSeen: at, count: 1, repaired: true, openMilliseconds };
    this.#remember(drift);
    this.#onChange('repaired', drift);
  }

  /** Something to be known that nobody needs to put right. */
  note(kind: DriftKind, finding: Finding, now: Date): void {
    const at = now.toISOString();
    this.#remember({ id: `${this.#next++}`, kind, ...finding, process: null, firstSeen: at, lastSeen: at, count: 1, repaired: true, openMilliseconds: 0 });
  }

  #close(drift: Drift, openMilliseconds: number): void {
    this.#repaired += 1;
    const closed: Drift = { ...drift, repaired: true, openMilliseconds };
    this.#remember(closed);
    this.#onChange('closed', closed);
  }

  #remember(drift: Drift): void {
    this.#history.push(drift);
    if (this.#history.length > HISTORY) this.#history.shift();
  }
}
