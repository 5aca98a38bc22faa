/** Protocols that send from sockets of the kernel's own: which are there, which a user would have loaded, and what MPTCP is told to open. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { execa } from 'execa';
import { readNames, readTextFile } from './files.ts';
import { attempt, type Known, known, unknown } from './known.ts';

export type Mptcp = {
  /** Addresses that further connections are made from: `10.0.0.2 id 1 subflow dev eth1`. */
  readonly endpoints: readonly string[];
  /** How many addresses that a peer names are connected to. */
  readonly accepted: number;
};

export type KernelSockets = {
  /** As /proc/net/protocols has them, built in or loaded: `TCP`, `RXRPC`. */
  readonly protocols: Known<readonly string[]>;
  /** Modules that the kernel loads for whoever asks. */
  readonly loadable: Known<readonly string[]>;
  /** Null: it is off, or not built in. */
  readonly mptcp: Known<Mptcp | null>;
};

/** Each is a module and a protocol. */
export const KERNEL_SENDERS = ['rxrpc', 'smc', 'rds'] as const;

/** Names have dashes or underscores, as it happens; modprobe takes either. */
const plain = (name: string): string => name.replaceAll('-', '_');

/** What socket(2) and sock_diag(7) ask for, and mount(2), also in a user namespace of one's own. */
const FOR_ANYBODY = /^alias ((?:net-pf|fs)-\S+) (\S+)$/gm;
/** Commands that load nothing. */
const NOTHING = /^(?:\S*\/)?(?:true|false|:)(?:\s|$)/;

/** What modprobe(8) makes of a request by alias. `aliases` and `dependencies` are depmod's files, `configuration` is that of modprobe.d(5). */
export function loadableByAlias(wanted: readonly string[], { aliases, dependencies, configuration }: { readonly aliases: string; readonly dependencies: string; readonly configuration: string }): readonly string[] {
  const lines = configuration.replaceAll(/\\\n/g, ' ').split('\n').map((line) => line.trim().split(/\s+/));
  const blacklisted = new Set(lines.filter(([command]) => command === 'blacklist').map(([, name = '']) => plain(name)));
  const never = new Set(lines.filter(([command, , ...words]) => command === 'install' && NOTHING.test(words.join(' '))).map(([, name = '']) => plain(name)));
  const diverted = new Map(lines.filter(([command]) => command === 'alias').map(([, alias = '', target = '']) => [alias, target]));
  const brings = new Map([...dependencies.matchAll(/([\w-]+)\.ko[.\w]*(?=[: ]|$)[^\n]*/gm)].map(([line, name = '']) => [plain(name), [...line.matchAll(/([\w-]+)\.ko/g)].map(([, one = '']) => plain(one))]));
  const loaded = [...aliases.matchAll(FOR_ANYBODY)].flatMap(([, alias = '', own = '']) => {
    const target = plain(diverted.get(alias) ?? own);
    // a blacklist counts for what the alias stands for, not for what that needs; a command counts for both
    return blacklisted.has(target) || never.has(plain(alias)) ? [] : (brings.get(target) ?? [target]);
  });
  return wanted.filter((name) => loaded.includes(name) && !never.has(name));
}

/** Of two files by the same name the earlier directory's counts. */
const DIRECTORIES = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'].map((path) => `${path}/modprobe.d`);

export function readModprobe(directories = DIRECTORIES): Known<string> {
  const files = new Map<string, string>();
  for (const directory of directories) {
    const names = readNames(directory);
    if (!names.ok) return names;
    for (const name of names.value) if (name.endsWith('.conf') && !files.has(name)) files.set(name, `${directory}/${name}`);
  }
  return attempt(() => [...files.values()].map((path) => readFileSync(path, 'utf8')).join('\n'));
}

function loadable(): Known<readonly string[]> {
  // absent: a kernel without modules
  const disabled = readTextFile('/proc/sys/kernel/modules_disabled');
  if (!disabled.ok) return disabled;
  if (disabled.value?.trim() === '1') return known([]);
  const directory = ['/lib/modules', '/usr/lib/modules'].map((root) => `${root}/${release()}`).find((path) => existsSync(`${path}/modules.alias`));
  if (directory === undefined) return disabled.value === null ? known([]) : unknown('/lib/modules has nothing of this kernel');
  const configuration = readModprobe();
  if (!configuration.ok) return configuration;
  return attempt(() => loadableByAlias(KERNEL_SENDERS, { aliases: readFileSync(`${directory}/modules.alias`, 'utf8'), dependencies: readFileSync(`${directory}/modules.dep`, 'utf8'), configuration: configuration.value }));
}

const IP = '/usr/sbin/ip';

/** What `ip mptcp endpoint` and `ip mptcp limits` print. */
export function mptcpOf(endpoints: string, limits: string): Mptcp {
  return {
    endpoints: endpoints.split('\n').map((line) => line.trim()).filter((line) => /\b(?:subflow|fullmesh)\b/.test(line)),
    accepted: Number(/add_addr_accepted (\d+)/.exec(limits)?.[1] ?? 0),
  };
}

async function mptcp(): Promise<Known<Mptcp | null>> {
  const enabled = readTextFile('/proc/sys/net/mptcp/enabled');
  if (!enabled.ok) return enabled;
  if (enabled.value?.trim() !== '1') return known(null);
  if (!existsSync(IP)) return unknown('ip is missing: apt install iproute2');
  const [endpoints, limits] = await Promise.all(['endpoint', 'limits'].map((what) => execa(IP, ['mptcp', what], { env: {}, extendEnv: false, stdin: 'ignore', reject: false, timeout: 10_000, cwd: '/' })));
  if (endpoints === undefined || limits === undefined || endpoints.failed || limits.failed) return unknown('ip does not tell of MPTCP');
  return known(mptcpOf(endpoints.stdout, limits.stdout));
}

export async function readKernelSockets(): Promise<KernelSockets> {
  return {
    protocols: attempt(() => readFileSync('/proc/net/protocols', 'utf8').split('\n').map((line) => line.split(' ')[0] ?? '')),
    loadable: loadable(),
    mptcp: await mptcp(),
  };
}
