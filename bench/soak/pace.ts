/** How often each thing happens, and that it goes on until the end. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two of each. */
export type Pace = { readonly samples: number; readonly edits: number; readonly questions: number; readonly moves: number; readonly foreign: number; readonly flushes: number };

/** `end`: by performance.now(). Resolves to how often it was done. */
export const repeated = async (pause: number, end: number, task: (turn: number) => Promise<unknown>): Promise<number> => {
  let turn = 0;
  for (; performance.now() + pause < end; turn += 1) {
    await sleep(pause);
    await task(turn);
  }
  return turn;
};
