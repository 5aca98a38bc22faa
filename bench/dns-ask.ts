/** Questions to one server, from one user or from many. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accountOf, type Who } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';
import { type Latencies, readClient, readDnsperf } from './dns-output.ts';
import { ONE_CPU } from './processes.ts';

export type Contestant = {
  readonly name: string;
  readonly world: World;
  readonly address: string;
  readonly port: number;
  /** Whose questions; the next `users` uids take turns. */
  readonly who: Who;
  readonly users: number;
  /** Numbers of names that the server has not been asked for. */
  readonly fresh: (prefix: Names, count: number) => number;
};

/** What the upstream answers for names that begin with it: `f` one address that all share, `r` one of its own for each. */
export type Names = 'f' | 'r';

/** Numbers that were not given before, for each kind of names. */
export const freshNumbers = (): Contestant['fresh'] => {
  const next = { f: 1, r: 1 };
  return (prefix, count) => (next[prefix] += count) - count;
};

export const compile = (directory: string, name: string): string => {
  const program = join(directory, name);
  execFileSync('/usr/bin/gcc', ['-O2', '-o', program, fileURLToPath(new URL(`${name}.c`, import.meta.url))]);
  return program;
};

/** `cached`: the same name again and again, asked for once before. */
export type Load = { readonly names: Names; readonly cached: boolean; readonly count: number; /** Questions at a time. */ readonly window: number; /** Whoever asks has the CPU of those who answer. */ readonly beside?: boolean };

export const askByClient = async (program: string, { name, world, address, port, who, users, fresh }: Contestant, { names, cached, count, window, beside = false }: Load): Promise<Latencies> => {
  const ask = async (first: number, questions: number): Promise<Latencies> => {
    const parameters = [names, first, questions, cached ? 0 : 1, window, accountOf(who).uid, users].map(String);
    const [command, ...rest] = [...(beside ? ['/usr/bin/taskset', '-c', ONE_CPU] : []), program, address, `${port}`, ...parameters];
    const { stdout } = await world.exec(command ?? program, rest, { who: users > 1 ? 'root' : who, timeout: 120_000 });
    try {
      return readClient(stdout, questions);
    } catch (error) {
      throw new Error(`${name}, ${names}`, { cause: error });
    }
  };
  // one answer for each user: for the others it is a new address
  if (cached) await ask(0, users);
  return ask(cached ? 0 : fresh(names, count), count);
};

/** Questions per second at 50 in flight. */
export const askByDnsperf = async (directory: string, { world, address, port, who, fresh }: Contestant, { names, cached, count }: Load): Promise<number> => {
  const questions = join(directory, 'questions');
  const first = cached ? 0 : fresh(names, count);
  writeFileSync(questions, Array.from({ length: cached ? 1 : count }, (_, index) => `${names}${first + index}.wild.net A\n`).join(''));
  const { stdout } = await world.exec('/usr/bin/dnsperf', ['-s', address, '-p', `${port}`, '-q', '50', '-c', '1', '-T', '1', '-d', questions, '-n', `${cached ? count : 1}`], { who, timeout: 240_000 });
  return readDnsperf(stdout);
};
