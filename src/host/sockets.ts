/** Sockets of this network namespace, from /proc/net (proc_net(5)); no privilege beyond reading it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { execa } from 'execa';
import { type Address, formatAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { HostError } from './host-error.ts';

export type LiveSocket = { readonly protocol: 'tcp' | 'udp'; readonly address: string; readonly port: number };

const TABLES = [
  ['tcp', '/proc/net/tcp'],
  ['tcp', '/proc/net/tcp6'],
  ['udp', '/proc/net/udp'],
  ['udp', '/proc/net/udp6'],
] as const;

/** An address as the kernel prints it: 32-bit words in the byte order of the machine, little-endian on all we run on. */
function readAddress(hex: string): Address {
  const words = hex.match(/.{8}/g) ?? [];
  const value = BigInt(`0x${words.map((word) => (word.match(/../g) ?? []).toReversed().join('')).join('')}`);
  return wireAddress({ family: words.length === 1 ? 4 : 6, value });
}

/** More than a page, which is what one read gives at most. */
const buffer = Buffer.alloc(65_536);
/** A page less many times the longest line. */
const LAST_READ = 3072;

/**
 * A read gives as many whole lines as fit into a page, so one that left room was the last. To ask whether there is more, as readFile does,
 * would send the kernel through its table of connections a second time.
 */
function tableText(path: string): string {
  const file = openSync(path, 'r');
  try {
    let text = '';
    for (;;) {
      const size = readSync(file, buffer);
      text += buffer.toString('latin1', 0, size);
      if (size < LAST_READ) return text;
    }
  } finally {
    closeSync(file);
  }
}

/** The columns of every socket. A table that cannot be read counts as empty. */
function read<T>(of: (columns: readonly string[], protocol: 'tcp' | 'udp') => readonly T[], only?: 'tcp' | 'udp'): readonly T[] {
  return TABLES.flatMap(([protocol, path]) => {
    if (only !== undefined && protocol !== only) return [];
    let text = '';
    try {
      text = tableText(path);
    } catch {
      return []; // no IPv6 on this host
    }
    return text.split('\n').slice(1, -1).flatMap((line) => of(line.trim().split(/\s+/), protocol));
  });
}

/** A TCP socket with a peer, live, or closed with something left to send. Before Linux 6.16 the latter shows as root's. */
export type Flow = { readonly uid: number; readonly local: Address; readonly localPort: number; readonly remote: Address; readonly remotePort: number };

/** Of net/tcp_states.h: ESTABLISHED, SYN_SENT, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING; in the others there is nothing left to send. */
const SENDING = new Set(['01', '02', '04', '08', '09', '0B']);

/** A socket with a peer that may still send. `inode`: what /proc/PID/fd calls it. */
export type PeerSocket = Flow & { readonly protocol: 'tcp' | 'udp'; readonly inode: string };

/** UDP sockets are in state ESTABLISHED once they are connected. `only`: those of one protocol. */
export function peerSockets(only?: 'tcp' | 'udp'): readonly PeerSocket[] {
  return openSockets(only).flatMap(({ state, remote, remotePort, ...socket }) => (SENDING.has(state) && remote !== null ? [{ ...socket, remote, remotePort }] : []));
}

/** Any socket. `remote`: null where it has no peer. `state`: of net/tcp_states.h, two hexadecimal digits. */
export type OpenSocket = Omit<PeerSocket, 'remote'> & { readonly remote: Address | null; readonly state: string };

export function openSockets(only?: 'tcp' | 'udp'): readonly OpenSocket[] {
  return read(([, local = '', remote = '', state = '', , , , uid = '', , inode = ''], protocol) => {
    const [[address = '', port = ''], [remoteAddress = '', remotePort = '']] = [local.split(':'), remote.split(':')];
    const peer = remotePort === '0000' ? null : readAddress(remoteAddress);
    return [{ protocol, inode, state, uid: Number(uid), local: readAddress(address), localPort: Number.parseInt(port, 16), remote: peer, remotePort: Number.parseInt(remotePort, 16) }];
  }, only);
}

const SS = '/usr/bin/ss';
const SS_TIMEOUT = 10_000;
/** Sockets of one call. */
const AT_ONCE = 200;

/**
 * Ends sockets as `ss -K` does (SOCK_DESTROY of sock_diag(7)): what is left in them is not sent. Throws HostError where ss is missing or the kernel
 * cannot do it (CONFIG_INET_DIAG_DESTROY).
 */
export async function destroySockets(flows: readonly Flow[]): Promise<void> {
  for (let start = 0; start < flows.length; start += AT_ONCE) {
    const terms = flows.slice(start, start + AT_ONCE).map(({ local, localPort, remote, remotePort }) => {
      const [from, to] = [local, remote].map((address) => (address.family === 4 ? formatAddress(address) : `[${formatAddress(address)}]`));
      return `( src ${from}:${localPort} and dst ${to}:${remotePort} )`;
    });
    const { stderr, failed, shortMessage } = await execa(SS, ['-K', '-H', '-n', '-t', '-a', terms.join(' or ')], { reject: false, timeout: SS_TIMEOUT, stdin: 'ignore', stdout: 'ignore', extendEnv: false, cwd: '/' });
    if (failed) throw new HostError('ss -K', shortMessage ?? stderr);
  }
}

/** Sockets that have a peer. */
export const liveSockets = (): readonly LiveSocket[] =>
  openSockets().flatMap(({ protocol, remote, remotePort }) => (remote === null ? [] : [{ protocol, address: formatAddress(remote), port: remotePort }]));

/** `address`: null where it is bound to all of them. `uid`: whose it is. */
export type Listener = { readonly protocol: 'tcp' | 'udp'; readonly address: Address | null; readonly port: number; readonly uid: number };

/** TCP_LISTEN, and TCP_CLOSE, which is how a UDP socket without a peer shows (net/tcp_states.h). */
const LISTENING = { tcp: '0A', udp: '07' } as const;

/**
 * Sockets that take what anybody sends. For TCP the kernel goes through its whole table of connections, 3 ms for each family however few
 * there are; for UDP it takes 0.04 ms.
 */
export function listeningSockets(of: 'tcp' | 'udp'): readonly Listener[] {
  return read(([, local = '', , state, , , , uid = ''], protocol) => {
    const [address = '', port = ''] = local.split(':');
    if (state !== LISTENING[protocol] || port === '0000') return [];
    return [{ protocol, address: /^0+$/.test(address) ? null : readAddress(address), port: Number.parseInt(port, 16), uid: Number(uid) }];
  }, of);
}
