/** Waiting for something to become so: bounded, and with a message that says what never happened. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Looks every 20 ms until `look` gives something truthy, for at most `within` milliseconds. Errors count as "not yet". */
export const until = async <Value>(what: string, look: () => Promise<Value | null | undefined | false>, within = 5000): Promise<Value> => {
  const end = performance.now() + within;
  let seen: unknown;
  do {
    try {
      const value = await look();
      if (value !== null && value !== undefined && value !== false) return value;
      seen = value;
    } catch (error) {
      seen = error;
    }
    await sleep(20);
  } while (performance.now() < end);
  throw new Error(`Not within ${within} ms: ${what} (last: ${seen instanceof Error ? seen.message : JSON.stringify(seen)})`, { cause: seen });
};

/** Looks every 50 ms for `during` milliseconds and throws as soon as `look` is not true. */
export const always = async (what: string, look: () => Promise<boolean>, during: number): Promise<void> => {
  const start = performance.now();
  while (performance.now() < start + during) {
    if (!(await look())) throw new Error(`No longer so after ${Math.round(performance.now() - start)} ms: ${what}`);
    await sleep(50);
  }
};
