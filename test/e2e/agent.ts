/**
 * A program inside a namespace that opens sockets on request: one JSON object per line in, one per line out.
 * `agent.ts UID GID [GROUP,…]`. It starts as root and becomes the user itself, so that a checkout only root can read works;
 * what counts for the wall is who created a socket, and every socket is created afterwards.
 */
import { createInterface } from 'node:readline';
import { type OperationName, operations } from './operations.ts';

/** `Argument` and `Result` are JSON; only who asks knows which operation's they are, so neither end can do more than pass them on. */
export type Request<Argument = never> = { readonly id: number; readonly operation: OperationName; readonly argument: Argument };
export type Response<Result = never> = { readonly id: number } & ({ readonly result: Result } | { readonly error: string });

const become = (uid: number, gid: number, groups: readonly number[]): void => {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
};

const answer = async (line: string): Promise<Response<unknown>> => {
  const { id, operation, argument }: Request = JSON.parse(line);
  try {
    const perform: (argument: never) => Promise<unknown> = operations[operation];
    return { id, result: (await perform(argument)) ?? null };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
};

const [uid = '0', gid = '0', groups = ''] = process.argv.slice(2);
if (uid !== '0') become(Number(uid), Number(gid), groups.split(',').filter(Boolean).map(Number));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => void answer(line).then((response) => process.stdout.write(`${JSON.stringify(response)}\n`)));
// The world is gone: open sockets must not keep this process.
lines.on('close', () => process.exit(0));
