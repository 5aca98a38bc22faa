/** A daemon that mostly waits should be small. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * V8 lets the old generation of a small heap grow to a multiple of what lives in it before it collects, and what is resident stays so. By this
 * much, in percent, it may grow once the daemon has settled.
 */
const GROWTH = 100;

/** Gives back what a large load left behind, and keeps small from here on. One full collection, some tens of milliseconds: for moments when nothing else is to be done. */
export function settleMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  setFlagsFromString(`--heap-growing-percent=${GROWTH}`);
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
