/**
 * A map that keeps what was used of late and at most so many entries: two generations, of which the older is dropped whole. So
 * nothing is ever searched for the oldest entry, however fast entries come and go.
 */
export class RecentMap<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  readonly #most: number;
  readonly #dropped: ((values: ReadonlyMap<string, V>) => void) | null;

  /** `most`: entries kept at the most; at least half as many of the latest always are. `dropped` is told what went. */
  constructor(most: number, dropped: ((values: ReadonlyMap<string, V>) => void) | null = null) {
    this.#most = most;
    this.#dropped = dropped;
  }

  /** Counts as a use. */
  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#add(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#old.delete(key);
    this.#add(key, value);
  }

  #add(key: string, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size * 2 <= this.#most) return;
    const gone = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    if (gone.size > 0) this.#dropped?.(gone);
  }

  delete(key: string): boolean {
    return this.#young.delete(key) || this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The longer unused generation first. */
  *entries(): Generator<[string, V]> {
    yield* this.#old;
    yield* this.#young;
  }
}
