/** What is due when: a binary heap with a key's time changeable in O(log n). */
type Item = { readonly key: string; due: number };

export class DueQueue {
  readonly #heap: Item[] = [];
  readonly #places = new Map<string, number>();

  get size(): number {
    return this.#heap.length;
  }

  keys(): Iterable<string> {
    return [...this.#places.keys()];
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** The earliest; null: nothing is queued. */
  peek(): { readonly key: string; readonly due: number } | null {
    return this.#heap[0] ?? null;
  }

  set(key: string, due: number): void {
    const place = this.#places.get(key);
    if (place === undefined) {
      this.#heap.push({ key, due });
      this.#places.set(key, this.#heap.length - 1);
      this.#up(this.#heap.length - 1);
      return;
    }
    const item = this.#heap[place];
    if (item === undefined) return;
    item.due = due;
    this.#down(this.#up(place));
  }

  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#swap(place, this.#heap.length - 1);
    this.#heap.pop();
    this.#places.delete(key);
    if (place < this.#heap.length) this.#down(this.#up(place));
  }

  #dueAt(place: number): number {
    return this.#heap[place]?.due ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
    this.#places.set(second.key, a);
    this.#places.set(first.key, b);
  }

  #up(start: number): number {
    let place = start;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#dueAt(parent) <= this.#dueAt(place)) break;
      this.#swap(place, parent);
      place = parent;
    }
    return place;
  }

  #down(start: number): void {
    let place = start;
    for (;;) {
      const left = 2 * place + 1;
      const child = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (child >= this.#heap.length || this.#dueAt(place) <= this.#dueAt(child)) return;
      this.#swap(place, child);
      place = child;
    }
  }
}
