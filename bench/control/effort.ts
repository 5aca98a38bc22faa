/** How much of everything is measured. */
import type { Effort } from '../outcome.ts';

/** `changes`: an even number, as what one opens the next one shuts. */
export type Rounds = { readonly starts: number; readonly changes: number; readonly questions: number; readonly flushes: number; readonly reloads: number };

export type Extent = {
  /** Numbers of policies. */
  readonly sizes: readonly number[];
  /** Those of them at which others are measured beside netwalld. */
  readonly beside: readonly number[];
  readonly rounds: (policies: number) => Rounds;
  /** Milliseconds between two looks at whether the daemon has come to rest. */
  readonly rest: number;
  /** Milliseconds between two changes. */
  readonly pause: number;
  /** For how many milliseconds others are given the time to notice that their rules are gone. */
  readonly notice: number;
};

const many: Rounds = { starts: 3, changes: 20, questions: 9, flushes: 5, reloads: 5 };
const few: Rounds = { starts: 3, changes: 10, questions: 3, flushes: 3, reloads: 3 };
const one: Rounds = { starts: 1, changes: 2, questions: 1, flushes: 1, reloads: 1 };

export const extentOf = (effort: Effort): Extent =>
  effort === 'short'
    ? { sizes: [1, 10], beside: [10], rounds: () => one, rest: 60, pause: 0, notice: 200 }
    : { sizes: [10, 100, 1000, 10_000], beside: [10, 100, 1000, 10_000], rounds: (policies) => (policies > 1000 ? few : many), rest: 700, pause: 700, notice: 10_000 };
