/** The daemon under test: started and ended on the host, with everything it logs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Control } from './control.ts';
import type { Host } from './host.ts';
import { insideRepository, type Namespaces, repository } from './namespace.ts';
import { attempt, type Outcome } from './run.ts';

/** netwalld.yaml as data. */
export type Config = Readonly<Record<string, unknown>>;

export type DaemonOptions = { readonly config?: Config; readonly env?: Readonly<Record<string, string>>; readonly within?: number; /** A program that starts it, with arguments. */ readonly under?: readonly string[] };

/** One line of its log: an object, or `{ text }` when the line is not JSON. */
export type LogLine = Readonly<Record<string, unknown>>;

export type Daemon = {
  /** Starts it and waits until it says that it enforces. */
  readonly start: (options?: DaemonOptions) => Promise<void>;
  /** Runs it to its end with these arguments (`--check`, `--once`, a second instance, …). */
  readonly run: (args: readonly string[], options?: { readonly config?: Config; readonly configFile?: string; readonly timeout?: number }) => Promise<Outcome>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Asks it to stop; returns its exit code, or the signal that ended it. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | string>;
  /** SIGKILL: the daemon has no chance to do anything. */
  readonly kill: () => Promise<void>;
  readonly running: () => boolean;
  readonly pid: () => number;
  /** Everything logged since the world was made. */
  readonly log: () => readonly LogLine[];
};

export const configFile = '/etc/netwall/netwalld.yaml';

/** Times short enough for a test, long enough for a busy two-core machine. */
export const quickDns = { timeout: '1s', tries: 2, min_ttl: '1s', hold: '4s', max_stale: '10m' } as const;

export const createDaemon = (namespaces: Namespaces, host: Host, control: Control): Daemon => {
  const log: LogLine[] = [];
  let child: ChildProcess | null = null;

  const running = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;
  const end = async (signal: NodeJS.Signals): Promise<number | string> => {
    if (child === null) throw new Error('netwalld was not started');
    const ended = running() ? once(child, 'exit') : null;
    child.kill(signal);
    const late = sleep(10_000, 'late', { ref: false });
    if (ended !== null && (await Promise.race([ended, late])) === 'late') {
      child.kill('SIGKILL');
      throw new Error(`netwalld did not end within 10 s of ${signal}\n${tail(log)}`);
    }
    return child.exitCode ?? child.signalCode ?? 'unknown';
  };

  return {
    start: async ({ config = { dns: quickDns }, env = {}, within = 15_000, under = [] } = {}) => {
      if (running()) throw new Error('netwalld is running already');
      await writeConfig(host, configFile, config);
      child = spawnDaemon(namespaces, env, log, under);
      await waitReady(control, child, log, within);
    },
    run: async (args, { config, configFile: file = configFile, timeout = 20_000 } = {}) => {
      requireBuild();
      if (config !== undefined) await writeConfig(host, file, config);
      return attempt([...namespaces.enterHost(), `${insideRepository}/dist/netwalld`, '--config', file, ...args], { timeout });
    },
    signal: (signal) => void child?.kill(signal),
    stop: (signal = 'SIGTERM') => end(signal),
    kill: async () => void (await end('SIGKILL')),
    running,
    pid: () => child?.pid ?? 0,
    log: () => log,
  };
};

/** The last lines of a log, for a failure's message: short enough to find the failure itself. */
export const tail = (log: readonly LogLine[], lines = 10): string =>
  log
    .slice(-lines)
    .map((line) => JSON.stringify(line).slice(0, 400))
    .join('\n');

const requireBuild = (): void => {
  if (!existsSync(`${repository}/dist/netwalld`)) throw new Error('dist/netwalld is missing. Build it first: npm run build');
};

/** JSON is YAML. */
const writeConfig = (host: Host, file: string, config: Config): Promise<void> => host.write(file, `${JSON.stringify(config, null, 2)}\n`);

const spawnDaemon = (namespaces: Namespaces, env: Readonly<Record<string, string>>, log: LogLine[], prefix: readonly string[]): ChildProcess => {
  requireBuild();
  const [file = '', ...args] = namespaces.enterHost();
  const child = spawn(file, [...args, ...prefix, `${insideRepository}/dist/netwalld`, '--config', configFile], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env } });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => log.push(parseLine(line)));
  child.on('error', (error) => log.push({ text: error.message }));
  return child;
};

const parseLine = (line: string): LogLine => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : { text: line };
  } catch {
    return { text: line };
  }
};

const waitReady = async (control: Control, child: ChildProcess, log: readonly LogLine[], within: number): Promise<void> => {
  const ready = control.waitEnforced(0, within).then(() => null);
  const ended = once(child, 'exit').then(([code, signal]) => `ended with ${code ?? signal}`);
  const problem = await Promise.race([ready, ended]).catch((error: Error) => error.message);
  // The loser of the race still waits; its failure says nothing new.
  ready.catch(() => {});
  if (problem !== null) throw new Error(`netwalld is not ready: ${problem}\n${tail(log)}`);
};
