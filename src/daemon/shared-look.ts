/** A costly look at something, whose result is everybody's for a while. */

export type Seen<T> = {
  /** When the look began, by the given clock. */
  readonly at: number;
  readonly value: T;
};

/** A look is not taken again before so many times what it took have passed: it costs a tenth of a processor at most. */
const REST = 9;

export class SharedLook<T> {
  readonly #look: () => Promise<T>;
  readonly #clock: () => number;
  #last: Seen<T> | null = null;
  #rested = 0;
  #running: Promise<Seen<T>> | null = null;

  /** `clock`: milliseconds. */
  constructor(look: () => Promise<T>, clock: () => number) {
    this.#look = look;
    this.#clock = clock;
  }

  /** No older than `maxAge` milliseconds, unless that would come too dear. Who asks while a look is under way shares it. */
  get(maxAge: number): Promise<Seen<T>> {
    const now = this.#clock();
    if (this.#last !== null && (now - this.#last.at <= maxAge || now < this.#rested)) return Promise.resolve(this.#last);
    this.#running ??= this.#run(now).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(at: number): Promise<Seen<T>> {
    try {
      return (this.#last = { at, value: await this.#look() });
    } finally {
      const end = this.#clock();
      this.#rested = end + REST * (end - at);
    }
  }
}
