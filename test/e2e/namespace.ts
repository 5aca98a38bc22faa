/** The two namespaces of a world, and how to run a program inside them. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Account, link, nameservers, networks, spareServers } from './plan.ts';
import { run } from './run.ts';

/** The checkout, as the machine sees it. Inside the host's mount namespace it is also at `insideRepository`. */
export const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const insideRepository = '/run/repository';

export type Namespaces = {
  /** `nwt-<pid>-<n>`; the network namespaces are `<name>-host` and `<name>-inet`. */
  readonly name: string;
  /** Pid of the process that keeps the host's mount namespace; its files are below `/proc/<pid>/root`. */
  readonly holder: number;
  /** The beginning of a command line that runs the rest on the host, as root or as `account`. */
  readonly enterHost: (account?: Account) => string[];
  /** The same for the internet, always as root and with the machine's own files. */
  readonly enterInternet: () => string[];
  /** Ends every process inside and removes the namespaces. May be called twice. */
  readonly remove: () => Promise<void>;
};

let created = 0;

export const createNamespaces = async (): Promise<Namespaces> => {
  created += 1;
  const name = `nwt-${process.pid}-${created}`;
  const keeper = await startKeeper(name);
  const namespaces: Namespaces = {
    name,
    holder: keeper.holder,
    enterHost: (account) => ['/usr/bin/nsenter', `--target=${keeper.holder}`, '--net', '--mount', '--root', '--wd=/', '--', ...become(account)],
    enterInternet: () => ['/usr/bin/nsenter', `--net=/run/netns/${name}-inet`, '--'],
    remove: keeper.stop,
  };
  try {
    await Promise.all([configureHost(namespaces), configureInternet(namespaces)]);
  } catch (error) {
    await keeper.stop();
    throw error;
  }
  return namespaces;
};

const become = (account: Account | undefined): string[] => {
  if (account === undefined || account.uid === 0) return [];
  const groups = account.groups.length > 0 ? `--groups=${account.groups.join(',')}` : '--clear-groups';
  return ['/usr/bin/setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, groups, '--'];
};

/** The keeper outlives a killed test (see keeper.sh), so it must not share the test's process group. */
const startKeeper = async (name: string): Promise<{ holder: number; stop: () => Promise<void> }> => {
  const script = fileURLToPath(new URL('keeper.sh', import.meta.url));
  const keeper = spawn('/bin/bash', [script, name, repository], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  keeper.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ended = once(keeper, 'exit');
  const [holder]: unknown[] = await Promise.race([once(createInterface({ input: keeper.stdout }), 'line').then(([line]) => [Number(line)]), ended.then(() => [null])]);
  if (typeof holder !== 'number' || !(holder > 1)) throw new Error(`The namespaces were not made (root is needed):\n${errors.join('')}`);
  return {
    holder,
    stop: async () => {
      keeper.stdin.end();
      await ended;
    },
  };
};

/** Duplicate address detection would keep every address, the link-local one too, from being used for a second; the rest keeps the link silent. */
const quietLink = (link: string): string[] =>
  ['accept_dad=0', 'dad_transmits=0', 'router_solicitations=0', 'accept_ra=0'].flatMap((setting) =>
    ['all', 'default', link].map((scope) => `net.ipv6.conf.${scope}.${setting}`),
  );

const configureHost = async ({ name, enterHost }: Namespaces): Promise<void> => {
  await run([...enterHost(), '/usr/sbin/sysctl', '-q', '-w', ...quietLink('eth0'), 'net.ipv4.ping_group_range=0 2147483647']);
  await configureLinks(`${name}-host`, [
    'link set lo up',
    'link set eth0 up',
    `addr add ${link.host.v4}/${link.prefix.v4} dev eth0`,
    `addr add ${link.host.v6}/${link.prefix.v6} dev eth0 nodad`,
    `route add default via ${link.internet.v4}`,
    `route add ::/0 via ${link.internet.v6}`,
  ]);
};

const configureInternet = async ({ name, enterInternet }: Namespaces): Promise<void> => {
  // Addresses of a "local" route are not on any interface; v6 lets a program bind to them only if told so.
  await run([...enterInternet(), '/usr/sbin/sysctl', '-q', '-w', ...quietLink('up0'), 'net.ipv6.ip_nonlocal_bind=1', 'net.ipv4.conf.all.rp_filter=0']);
  const every = [...networks.internet.v4, ...networks.lan.v4, ...networks.internet.v6, ...networks.lan.v6];
  await configureLinks(`${name}-inet`, [
    'link set lo up',
    'link set up0 up',
    `addr add ${link.internet.v4}/${link.prefix.v4} dev up0`,
    `addr add ${link.internet.v6}/${link.prefix.v6} dev up0 nodad`,
    ...[...Object.values(nameservers), ...Object.values(spareServers)].map((address) => `addr add ${address}/${address.includes(':') ? '128' : '32'} dev up0 nodad`),
    ...every.map((network) => `route add local ${network} dev lo`),
  ]);
};

const configureLinks = async (namespace: string, commands: readonly string[]): Promise<void> => {
  await run(['/usr/sbin/ip', '-n', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
};
