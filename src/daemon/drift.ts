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

export class DriftLog {
  #open = new Map<string, Drift>();
  #history: Drift[] = [];
  #next = 1;
  #repaired = 0;

  /** Takes up what an earlier run of the daemon remembered. */
  restore(history: readonly Drift[]): void {
    this.#history = history.slice(-HISTORY);
    this.#next = Math.max(0, ...history.map(({ id }) => Number(id) || 0)) + 1;
  }

  get open(): readonly Drift[] {
    return [...this.#open.values()];
  }

  get history(): readonly Drift[] {
    return this.#history;
  }

  /** How many were repaired since the daemon started. */
  get repaired(): number {
    return this.#repaired;
  }

  /**
   * Says what of a kind is wrong now. What is new is opened, what is no more is closed.
   * Returns whether anything opened or closed.
   */
  update(kind: DriftKind, findings: readonly Finding[], now: Date): boolean {
    const present = new Set<string>();
    let changed = false;
    for (const { service, detail } of findings) {
      const key = `${kind} ${service ?? ''} ${detail}`;
      present.add(key);
      const open = this.#open.get(key);
      if (open !== undefined) {
        open.lastSeen = now.toISOString();
        continue;
      }
      changed = true;
      const at = now.toISOString();
      this.#open.set(key, { id: `${this.#next++}`, kind, service, detail, process: null, firstSeen: at, lastSeen: at, count: 1, repaired: false, openMilliseconds: null });
    }
    for (const [key, drift] of this.#open) {
      if (drift.kind !== kind || present.has(key)) continue;
      this.#open.delete(key);
      this.#close(drift, now.getTime() - Date.parse(drift.firstSeen));
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
      return;
    }
    const at = now.toISOString();
    this.#remember({ id: `${this.#next++}`, kind, ...finding, process, firstSeen: at, lastSeen: at, count: 1, repaired: true, openMilliseconds });
  }

  #close(drift: Drift, openMilliseconds: number): void {
    this.#repaired += 1;
    this.#remember({ ...drift, repaired: true, openMilliseconds });
  }

  #remember(drift: Drift): void {
    this.#history.push(drift);
    if (this.#history.length > HISTORY) this.#history.shift();
  }
}
