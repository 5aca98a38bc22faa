/** Running a program to its end, with everything it said. */
import { execa } from 'execa';

export type RunOptions = {
  readonly input?: string;
  /** Milliseconds after which it is killed. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
};

export type Outcome = {
  /** 128 + signal when it was killed, as a shell says it; 124 after the timeout. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs `command` and returns whatever happened. */
export const attempt = async (command: readonly string[], { input, timeout = 30_000, env = {} }: RunOptions = {}): Promise<Outcome> => {
  const [file = '', ...args] = command;
  const result = await execa(file, args, { reject: false, timeout, env, killSignal: 'SIGKILL', ...(input === undefined ? { stdin: 'ignore' } : { input }) });
  return { exitCode: result.exitCode ?? (result.timedOut ? 124 : 137), stdout: result.stdout, stderr: result.stderr };
};

/** Runs `command`, which must succeed; returns its stdout. */
export const run = async (command: readonly string[], options: RunOptions = {}): Promise<string> => {
  const { exitCode, stdout, stderr } = await attempt(command, options);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}\nended with ${exitCode}: ${stderr || stdout}`);
  return stdout;
};
