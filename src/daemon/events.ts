/** What happened, in order: the last few are kept, and whoever listens hears the next ones. */
import type { EventReport } from '../control/api.ts';

const KEPT = 200;

export class Events {
  #recent: EventReport[] = [];
  readonly #listeners = new Set<(event: EventReport) => void>();

  get recent(): readonly EventReport[] {
    return this.#recent;
  }

  /** Fields of `what` stand beside the time and the type. */
  add(type: EventReport['type'], what: Readonly<Record<string, unknown>>): void {
    const event: EventReport = { time: new Date().toISOString(), type, ...what };
    this.#recent.push(event);
    if (this.#recent.length > KEPT) this.#recent = this.#recent.slice(-KEPT);
    for (const listener of this.#listeners) listener(event);
  }

  /** Returns how to stop. */
  listen(listener: (event: EventReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
