/** Talking to an agent: many requests at once over its stdin and stdout. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Request, Response } from './agent.ts';
import { insideRepository, repository } from './namespace.ts';
import type { Argument, OperationName, Result } from './operations.ts';
import type { Account } from './plan.ts';

export type Agent = {
  readonly pid: number;
  readonly ask: <Name extends OperationName>(operation: Name, argument: Argument<Name>) => Promise<Result<Name>>;
  readonly stop: () => Promise<void>;
};

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void };

/** An agent's longest operation is bounded by its own timeout; this catches one that died or hangs. */
const answerWithin = 60_000;

/** `enter` is the command line that leads into the namespace; `covered` is true where the repository is at its inside path. */
export const startAgent = (enter: readonly string[], account: Account, covered: boolean): Agent => {
  const script = fileURLToPath(new URL('agent.ts', import.meta.url));
  const [file = '', ...args] = [...enter, process.execPath, script].map((word) => (covered ? word.replace(repository, insideRepository) : word));
  const child = spawn(file, [...args, String(account.uid), String(account.gid), account.groups.join(',')], { stdio: ['pipe', 'pipe', 'pipe'], env: {} });
  const waiting = new Map<number, Waiting>();
  const errors: string[] = [];
  let last = 0;

  const settle = (response: Response): void => {
    const request = waiting.get(response.id);
    waiting.delete(response.id);
    if ('error' in response) request?.reject(new Error(`agent ${account.uid}: ${response.error}`));
    else request?.resolve(response.result);
  };
  const abandon = (reason: string): void => {
    for (const { reject } of waiting.values()) reject(new Error(`agent ${account.uid}: ${reason}\n${errors.join('')}`));
    waiting.clear();
  };
  createInterface({ input: child.stdout }).on('line', (line) => settle(JSON.parse(line)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  child.stdin.on('error', () => {});
  child.on('error', (error) => abandon(error.message)).on('exit', (code, signal) => abandon(`ended with ${code ?? signal}`));
  const ended = once(child, 'close');

  return {
    pid: child.pid ?? 0,
    ask: <Name extends OperationName>(operation: Name, argument: Argument<Name>) =>
      new Promise<Result<Name>>((resolve, reject) => {
        if (child.exitCode !== null || child.signalCode !== null) return reject(new Error(`agent ${account.uid} has ended\n${errors.join('')}`));
        last += 1;
        const id = last;
        const timer = setTimeout(() => settle({ id, error: `${operation} was not answered within ${answerWithin} ms` }), answerWithin);
        const finish = <Value>(settled: (value: Value) => void) => (value: Value): void => (clearTimeout(timer), settled(value));
        waiting.set(id, { resolve: finish(resolve), reject: finish(reject) });
        return void child.stdin.write(`${JSON.stringify({ id, operation, argument } satisfies Request<unknown>)}\n`);
      }),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
};
