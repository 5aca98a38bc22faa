/** When the datagrams of a user begin and cease to get past a firewall, to a fraction of a millisecond. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { firstAfter, type Passing, passingOf } from './passing.ts';

/** Microseconds between two datagrams. */
const PAUSE = 200;
export const PORT = 443;

export const compilePassage = (directory: string): string => {
  const program = join(directory, 'passage');
  execFileSync('/usr/bin/gcc', ['-O2', '-Wall', '-o', program, fileURLToPath(new URL('passage.c', import.meta.url))]);
  return program;
};

/** Milliseconds of the clock that the program tells time by as well. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

export type Passage = {
  /** Sends there from now on; resolves to whether the first datagram got through. */
  readonly watch: (address: string) => Promise<boolean>;
  /** When, after `since`, datagrams first got through, or (`false`) first did not. Rejects after `within` milliseconds. */
  readonly turned: (open: boolean, since: number, within?: number) => Promise<number>;
  /** Sends no more; how many got through and how many did not since `watch`. */
  readonly rest: () => Promise<{ readonly passed: number; readonly refused: number }>;
  readonly end: () => void;
};

/** `start` runs a program, in whatever namespace is to be looked at. */
export const startPassage = (start: (program: string, args: readonly string[]) => ChildProcess, program: string, uid: number): Passage => {
  const child = start(program, [`${uid}`, `${PORT}`, `${PAUSE}`]);
  let seen: Passing[] = [];
  let listeners: (() => void)[] = [];
  let counts: { readonly passed: number; readonly refused: number } | null = null;
  let failure = '';
  const tell = (): void => {
    for (const listener of listeners.splice(0)) listener();
  };
  if (child.stdout === null || child.stdin === null) throw new Error('the program has no pipes');
  const input = child.stdin;
  input.on('error', () => {});
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (failure += text));
  child.on('exit', (code, signal) => {
    failure = `passage of ${uid} ended (${code ?? signal}) ${failure}`;
    tell();
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, passed, refused] = /^rest (\d+) (\d+)$/.exec(line) ?? [];
    if (passed === undefined) seen.push(passingOf(line));
    else counts = { passed: Number(passed), refused: Number(refused) };
    tell();
  });
  const wait = async <Value>(what: string, look: () => Value | null, within: number): Promise<Value> => {
    const end = clock() + within;
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (failure !== '') throw new Error(failure);
      const left = end - clock();
      if (left <= 0) throw new Error(`Not within ${within} ms: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        listeners.push(() => (clearTimeout(timer), resolve()));
      });
    }
  };
  return {
    watch: async (address) => {
      seen = [];
      input.write(`watch ${address}\n`);
      return (await wait('a first datagram', () => seen[0] ?? null, 5000)).open;
    },
    turned: (open, since, within = 60_000) => wait(`datagrams of ${uid} ${open ? 'get through' : 'are refused'}`, () => firstAfter(seen, open, since), within),
    rest: async () => {
      counts = null;
      input.write('rest\n');
      return wait('counts', () => counts, 5000);
    },
    end: () => input.end(),
  };
};
