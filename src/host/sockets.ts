/** Connected sockets of this network namespace, from /proc/net (proc_net(5)); no privilege beyond reading it. */
import { readFileSync } from 'node:fs';
import { formatAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';

export type LiveSocket = { readonly protocol: 'tcp' | 'udp'; readonly address: string; readonly port: number };

const TABLES = [
  ['tcp', '/proc/net/tcp'],
  ['tcp', '/proc/net/tcp6'],
  ['udp', '/proc/net/udp'],
  ['udp', '/proc/net/udp6'],
] as const;

/** An address as the kernel prints it: 32-bit words in the byte order of the machine, little-endian on all we run on. */
function readAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const value = BigInt(`0x${words.map((word) => (word.match(/../g) ?? []).toReversed().join('')).join('')}`);
  return formatAddress(wireAddress({ family: words.length === 1 ? 4 : 6, value }));
}

/** Sockets that have a peer. A table that cannot be read counts as empty. */
export function liveSockets(): readonly LiveSocket[] {
  return TABLES.flatMap(([protocol, path]) => {
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      return []; // no IPv6 on this host
    }
    return text
      .split('\n')
      .slice(1)
      .flatMap((line) => {
        const [address, port] = line.trim().split(/\s+/)[2]?.split(':') ?? [];
        if (address === undefined || port === undefined || port === '0000') return [];
        return [{ protocol, address: readAddress(address), port: Number.parseInt(port, 16) }];
      });
  });
}
