/**
 * When everything is compared in full although nothing was noticed: at the pace that the configuration asks for, but where it takes long no more
 * than a hundredth of the time, and often enough for the addresses that the kernel forgets unless they are renewed.
 */
import type { Config } from '../config/config.ts';

/** A look takes long if it takes more than that. */
const SHORT_MILLISECONDS = 300;
const REST = 100;
/** An address of a name is renewed by a look that finds less than half of its time left (`expiringElements`): between two looks there must be less than that. */
const LOOKS_PER_LIFETIME = 4;
/** How late a look may be: as long as it takes until somebody asks again. */
const ASKED_PER_LIFETIME = 8;

type Times = Pick<Config, 'reconcileInterval' | 'dns'>;

const longestPause = ({ dns }: Times) => dns.maxStale / LOOKS_PER_LIFETIME;

/** How often to ask whether one is due; milliseconds. */
export const lookPace = (config: Times): number => Math.min(config.reconcileInterval, config.dns.maxStale / ASKED_PER_LIFETIME);

export class FullLooks {
  readonly #config: Times;
  readonly #clock: () => number;
  #began = Number.NEGATIVE_INFINITY;
  #took = 0;

  /** `clock`: milliseconds; monotonic. */
  constructor(config: Times, clock: () => number) {
    this.#config = config;
    this.#clock = clock;
  }

  get due(): boolean {
    if (this.#took <= SHORT_MILLISECONDS) return true;
    return this.#clock() - this.#began >= Math.min(this.#took * REST, longestPause(this.#config));
  }

  /** One took that many milliseconds. */
  done(took: number): void {
    this.#took = took;
    this.#began = this.#clock() - took;
  }
}
