/**
 * A world to test netwalld in: a confined host and a made-up internet, in network namespaces of their own.
 * See plan.ts for addresses and accounts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Agent, startAgent } from './agent-client.ts';
import { type Control, createControl } from './control.ts';
import { createDaemon, type Daemon } from './daemon.ts';
import { createHost, type FileOptions, type Host } from './host.ts';
import { createInternet, type Internet } from './internet.ts';
import { createNamespaces, insideRepository } from './namespace.ts';
import { accountOf, type Who } from './plan.ts';
import { attempt, type Outcome, run, type RunOptions } from './run.ts';
import { type Sockets, socketsOf } from './sockets.ts';

export type World = Control & {
  /** `nwt-<pid>-<n>`, the prefix of the namespaces' names. */
  readonly name: string;
  readonly host: Host;
  readonly internet: Internet;
  readonly daemon: Daemon;
  /** The sockets of a user on the host. One process per user does it all, so a probe costs about a millisecond. */
  readonly as: (who: Who) => Sockets;
  /** Runs a program on the host to its end, whatever that is. */
  readonly exec: (command: string, args: readonly string[], options?: RunOptions & { readonly who?: Who }) => Promise<Outcome>;
  /** Starts a program on the host that stays; it ends with the world at the latest. */
  readonly spawn: (command: string, args: readonly string[], who?: Who) => ChildProcess;
  /** The same on the internet. */
  readonly spawnOnInternet: (command: string, args: readonly string[]) => ChildProcess;
  /** Feeds nft commands (`list ruleset`, a whole table, …) to the host's kernel; returns what nft says, throws when it refuses. */
  readonly nft: (script: string) => Promise<string>;
  /** Writes (atomically) or, with null, removes a policy file; `name` is relative to /etc/netwall.d or absolute. */
  readonly policy: (name: string, yaml: string | null, options?: FileOptions) => Promise<void>;
  /** Where the checkout is on the host, readable for every user. */
  readonly repository: string;
  /** Ends everything and removes everything. May be called twice. */
  readonly destroy: () => Promise<void>;
};

export const createWorld = async (): Promise<World> => {
  const namespaces = await createNamespaces();
  try {
    const host = await createHost(namespaces);
    const internet = await createInternet(namespaces);
    const control = createControl(namespaces, host);
    const agents = new Map<string, Agent>();
    const command = (program: string, args: readonly string[], who: Who = 'root'): string[] => [...namespaces.enterHost(accountOf(who)), program, ...args];
    const exec: World['exec'] = (program, args, { who, ...options } = {}) => attempt(command(program, args, who), options);
    return {
      ...control,
      name: namespaces.name,
      host,
      internet,
      daemon: createDaemon(namespaces, host, control),
      repository: insideRepository,
      as: (who) => socketsOf(() => agentOf(agents, namespaces.enterHost(), who)),
      exec,
      spawn: (program, args, who) => {
        const [file = '', ...rest] = command(program, args, who);
        return spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
      },
      spawnOnInternet: (program, args) => {
        const [file = '', ...rest] = [...namespaces.enterInternet(), program, ...args];
        return spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
      },
      nft: (script) => run(command('/usr/sbin/nft', ['-f', '-']), { input: `${script}\n` }),
      policy: (name, yaml, options) => {
        const file = name.startsWith('/') ? name : `/etc/netwall.d/${name}`;
        return yaml === null ? host.remove(file) : host.write(file, yaml, options);
      },
      destroy: () => namespaces.remove(),
    };
  } catch (error) {
    await namespaces.remove();
    throw error;
  }
};

const agentOf = (agents: Map<string, Agent>, enter: readonly string[], who: Who): Agent => {
  const account = accountOf(who);
  const key = `${account.uid}:${account.gid}:${account.groups.join(',')}`;
  const agent = agents.get(key) ?? startAgent(enter, account, true);
  agents.set(key, agent);
  return agent;
};
