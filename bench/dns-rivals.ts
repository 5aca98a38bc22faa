/** Name servers that people would use instead, in a world of their own: a table of netwalld beside it makes each transaction of another's slower. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { World } from '../test/e2e/world.ts';

/** What a full run needs, and the Debian packages it is in. */
export const PROGRAMS = {
  '/usr/bin/gcc': 'gcc libc6-dev',
  '/usr/bin/dnsperf': 'dnsperf',
  '/usr/sbin/dnsmasq': 'dnsmasq-base',
  '/usr/sbin/unbound': 'unbound',
} as const;

export const upstream = { address: '127.0.0.9', port: 5399 } as const;

export type Server = { readonly name: string; readonly address: string; readonly port: number; readonly pid: number };

export const DNSMASQ = 'dnsmasq';
export const NFTSET = 'dnsmasq --nftset';
export const UNBOUND = 'unbound';

const table = `table inet rival {
set allowed4 { type ipv4_addr; flags timeout; timeout 1d; size 1000000; }
set allowed6 { type ipv6_addr; flags timeout; timeout 1d; size 1000000; }
}`;

const dnsmasqArguments = (address: string, port: number): string[] => [
  '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file=', '--no-resolv', '--no-hosts', `--port=${port}`, `--listen-address=${address}`,
  '--bind-interfaces', `--server=${upstream.address}#${upstream.port}`, '--cache-size=10000', '--dns-forward-max=1000',
];

/** One thread as the others, no DNSSEC as none of the others, and it may ask a server on loopback. */
const unboundConfig = (address: string, port: number): string => `server:
  interface: ${address}@${port}
  access-control: 127.0.0.0/8 allow
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  num-queries-per-thread: 4096
forward-zone:
  name: "."
  forward-addr: ${upstream.address}@${upstream.port}
remote-control:
  control-enable: no
`;

const started = (name: string, address: string, port: number, child: ChildProcess): Server => ({ name, address, port, pid: child.pid ?? 0 });

/** Starts those that are installed. */
export const startRivals = async (world: World): Promise<Server[]> => {
  const servers: Server[] = [];
  if (existsSync('/usr/sbin/dnsmasq')) {
    await world.nft(table);
    servers.push(started(DNSMASQ, '127.0.0.10', 5310, world.spawn('/usr/sbin/dnsmasq', dnsmasqArguments('127.0.0.10', 5310))));
    const sets = '--nftset=/wild.net/4#inet#rival#allowed4,6#inet#rival#allowed6';
    servers.push(started(NFTSET, '127.0.0.11', 5311, world.spawn('/usr/sbin/dnsmasq', [...dnsmasqArguments('127.0.0.11', 5311), sets])));
  }
  if (existsSync('/usr/sbin/unbound')) {
    await world.host.write('/run/unbound-bench.conf', unboundConfig('127.0.0.12', 5312));
    servers.push(started(UNBOUND, '127.0.0.12', 5312, world.spawn('/usr/sbin/unbound', ['-c', '/run/unbound-bench.conf'])));
  }
  return servers;
};
