/** When a run is due: soon after something changed, one at a time, and never while something else asks the kernel. */

/** Why a run happens; several may be served by one. */
export type Cause = 'start' | 'kernel' | 'files' | 'accounts' | 'names' | 'nameservers' | 'interval' | 'reload' | 'retry';

/** How soon. Editors write in several steps: wait until a directory has been quiet that long. */
const QUIET_MILLISECONDS: Readonly<Record<Cause, number>> = {
  start: 0,
  kernel: 0,
  reload: 0,
  files: 8,
  accounts: 20,
  names: 5,
  nameservers: 20,
  interval: 0,
  retry: 0,
};
/** What keeps changing is looked at all the same: nobody who can cause a run may keep one away. */
const LONGEST_QUIET_MILLISECONDS = 100;
/** Longer than the longest nft may take. */
const STUCK_MILLISECONDS = 60_000;

export type RunsOptions = {
  /** Serves all these causes. */
  readonly run: (causes: ReadonlySet<Cause>) => Promise<void>;
  /** Milliseconds; monotonic. */
  readonly clock: () => number;
};

export class Runs {
  readonly #options: RunsOptions;
  #causes = new Set<Cause>();
  #timer: NodeJS.Timeout | null = null;
  /** By the clock: when the next one begins, and the latest that this may be put off to. */
  #due = Number.POSITIVE_INFINITY;
  #latest = Number.POSITIVE_INFINITY;
  /** Whether the timer waits for what is going on to end. */
  #isQuiet = false;
  #running: Promise<void> | null = null;
  #runningSince: number | null = null;
  #waiters: (() => void)[] = [];
  #halted = false;
  #closed = false;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** Until somebody asks for `reload` there will be none. */
  get halted(): boolean {
    return this.#halted;
  }

  get over(): boolean {
    return this.#halted || this.#closed;
  }

  /** Something changed: run soon. */
  trigger(cause: Cause): void {
    if (cause === 'reload') this.#halted = false;
    if (this.over) return;
    this.#causes.add(cause);
    if (this.#running !== null) return;
    this.#schedule(QUIET_MILLISECONDS[cause], cause === 'files' ? LONGEST_QUIET_MILLISECONDS : QUIET_MILLISECONDS[cause]);
  }

  /** Runs as soon as can be; resolves when a run that began after the call has ended, or at once when there will be none. */
  request(cause: Cause): Promise<void> {
    if (cause === 'reload') this.#halted = false;
    if (this.over) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.trigger(cause);
    });
  }

  /** Begins a run after so many milliseconds, unless it is put off; after `most` in any case. */
  #schedule(soon: number, most = soon): void {
    const now = this.#options.clock();
    const latest = Math.min(this.#latest, now + most);
    const due = Math.min(now + soon, latest);
    // set anew all the time, even a timer of a millisecond would never be over
    if (this.#timer !== null && due === this.#due) return;
    this.#clear();
    [this.#due, this.#latest, this.#isQuiet] = [due, latest, due > now];
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // something else may have come first; what is due is served after it
      if (!this.#halted && this.#running === null) this.#begin();
    }, Math.max(0, due - now));
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    [this.#due, this.#latest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  }

  #begin(): void {
    this.#clear();
    // one question may come between two runs
    this.#occupy(this.#turn(), () => this.#schedule(0));
  }

  /** `next`: with what is due by then. */
  #occupy(running: Promise<void>, next: () => void): void {
    this.#running = running.finally(() => {
      this.#running = null;
      if (this.#causes.size > 0 && !this.over) next();
    });
  }

  async #turn(): Promise<void> {
    const causes = this.#causes;
    this.#causes = new Set();
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#runningSince = this.#options.clock();
    try {
      await this.#options.run(causes);
    } finally {
      this.#runningSince = null;
      for (const resolve of waiters) resolve();
    }
  }

  /** Keeps runs away while something else asks the kernel. */
  async alone<T>(task: () => Promise<T>): Promise<T> {
    // not `settled()`: between its end and here somebody else might begin
    while (this.#running !== null) await this.#running;
    const result = task();
    // a run that is due comes before the next question: however many are asked, what is enforced does not wait for them
    this.#occupy(result.then(() => {}, () => {}), () => {
      if (this.#timer === null || !this.#isQuiet) this.#begin();
    });
    return result;
  }

  /** False when a run has been under way for far too long: the sign of life that the watchdog waits for. */
  get turns(): boolean {
    return this.#runningSince === null || this.#options.clock() - this.#runningSince < STUCK_MILLISECONDS;
  }

  /** Resolves when no run is under way. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** No run until `reload`, but for one that is under way. */
  halt(): void {
    this.#halted = true;
    this.#causes.clear();
    this.#clear();
  }

  /** As if there had been no `halt`. */
  resume(): void {
    this.#halted = false;
  }

  /** Whoever waits for a run that will not be waits no longer. */
  dismiss(): void {
    for (const resolve of this.#waiters) resolve();
    this.#waiters = [];
  }

  /** No further runs; waits for the one under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#clear();
    await this.settled();
    this.dismiss();
  }
}
