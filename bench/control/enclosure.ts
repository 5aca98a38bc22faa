/** A network namespace for one firewall alone, inside the world's host: it has the world's private /etc, and an uplink that leads nowhere. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { run, type RunOptions } from '../../test/e2e/run.ts';
import type { World } from '../../test/e2e/world.ts';
import { childrenOf } from '../processes.ts';

/** The far side of the pair has no address: what gets past the firewall arrives, and nobody answers. */
const SETUP = `
set -e
ip link set lo up
ip link add name up0 type veth peer name far0
ip addr add 203.0.112.2/24 dev up0
ip link set up0 up
ip link set far0 up
ip neigh add 203.0.112.1 lladdr 02:00:00:00:00:01 dev up0 nud permanent
ip route add default via 203.0.112.1
echo ready
read -r _`;

export type Enclosure = {
  /** Runs a program to its end, which must be a good one. */
  readonly run: (command: readonly string[], options?: RunOptions) => Promise<string>;
  /** Starts a program that stays. */
  readonly spawn: (program: string, args: readonly string[], env?: NodeJS.ProcessEnv) => ChildProcess;
  /** Ends every process inside; the namespace goes with them. */
  readonly remove: () => Promise<void>;
};

export const enclose = async (world: World): Promise<Enclosure> => {
  // the first process of a namespace for pids takes all others with it: none outlives a benchmark that is killed
  const holder = world.spawn('/usr/bin/unshare', ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', '/bin/sh', '-c', SETUP]);
  if (holder.stdout === null) throw new Error('the namespace has no pipe');
  const ended = once(holder, 'exit');
  const errors: string[] = [];
  holder.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const first: unknown = await Promise.race([once(createInterface({ input: holder.stdout }), 'line'), ended.then(() => null)]);
  const [inside] = first === null ? [] : childrenOf(holder.pid ?? 0);
  if (inside === undefined) throw new Error(`The namespace was not made: ${errors.join('')}`);
  const enter = ['/usr/bin/nsenter', `--target=${inside}`, '--net', '--pid', '--mount', '--root', '--wd=/', '--'];
  return {
    run: (command, options = {}) => run([...enter, ...command], options),
    spawn: (program, args, env = process.env) => {
      const [file = '', ...rest] = [...enter, program, ...args];
      return spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'], env });
    },
    remove: async () => {
      holder.stdin?.end();
      await ended;
    },
  };
};
