/** Sockets of this network namespace, from /proc/net (proc_net(5)); no privilege beyond reading it. */
import { readFileSync } from 'node:fs';
import { type Address, formatAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';

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

/** The columns of every socket. A table that cannot be read counts as empty. */
function read<T>(of: (columns: readonly string[], protocol: 'tcp' | 'udp') => readonly T[], only?: 'tcp' | 'udp'): readonly T[] {
  return TABLES.flatMap(([protocol, path]) => {
    if (only !== undefined && protocol !== only) return [];
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      return []; // no IPv6 on this host
    }
    return text.split('\n').slice(1, -1).flatMap((line) => of(line.trim().split(/\s+/), protocol));
  });
}

/** Sockets that have a peer. */
export function liveSockets(): readonly LiveSocket[] {
  return read(([, , remote = ''], protocol) => {
    const [address, port] = remote.split(':');
    if (address === undefined || port === undefined || port === '0000') return [];
    return [{ protocol, address: formatAddress(readAddress(address)), port: Number.parseInt(port, 16) }];
  });
}

/** `address`: null where it is bound to all of them. `uid`: whose it is. */
export type Listener = { readonly protocol: 'tcp' | 'udp'; readonly address: Address | null; readonly port: number; readonly uid: number };

/** TCP_LISTEN, and TCP_CLOSE, which is how a UDP socket without a peer shows (net/tcp_states.h). */
const LISTENING = { tcp: '0A', udp: '07' } as const;

/**
 * Sockets that take what anybody sends. For TCP the kernel goes through its whole table of connections, 5 ms for each family however few
 * there are; for UDP it takes 0.05 ms.
 */
export function listeningSockets(of: 'tcp' | 'udp'): readonly Listener[] {
  return read(([, local = '', , state, , , , uid = ''], protocol) => {
    const [address = '', port = ''] = local.split(':');
    if (state !== LISTENING[protocol] || port === '0000') return [];
    return [{ protocol, address: /^0+$/.test(address) ? null : readAddress(address), port: Number.parseInt(port, 16), uid: Number(uid) }];
  }, of);
}
