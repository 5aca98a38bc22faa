/**
 * The protocol axis. A `ports` item is about TCP, UDP, ICMP or everything, so four classes tell all packets apart;
 * every class is an address × port plane of its own (for the last two the port says nothing and is always the full range).
 */
import type { Family } from '../net/address.ts';
import type { PortInterval } from '../net/rectangle.ts';
import type { PortMatch } from '../policy/policy.ts';

export const PROTOCOL_CLASSES = ['tcp', 'udp', 'icmp', 'other'] as const;
export type ProtocolClass = (typeof PROTOCOL_CLASSES)[number];

export const ALL_PORTS: PortInterval = { first: 0, last: 65535 };
export const isAllPorts = ({ first, last }: PortInterval): boolean => first === 0 && last === 65535;

/** IANA protocol numbers: TCP 6, UDP 17, ICMP 1 (RFC 792), ICMPv6 58 (RFC 4443). */
const NUMBERS = { tcp: 6, udp: 17 } as const;
const icmpNumber = (family: Family) => (family === 4 ? 1 : 58);

export function protocolClass(protocol: number, family: Family): ProtocolClass {
  if (protocol === NUMBERS.tcp) return 'tcp';
  if (protocol === NUMBERS.udp) return 'udp';
  return protocol === icmpNumber(family) ? 'icmp' : 'other';
}

/** What a `ports` item covers in a class; null: nothing. */
export function portsInClass(match: PortMatch, wanted: ProtocolClass): PortInterval | null {
  if (match.protocol === 'any') return ALL_PORTS;
  if (match.protocol !== wanted) return null;
  return match.protocol === 'icmp' ? ALL_PORTS : { first: match.first, last: match.last };
}

/** The class as keys of `meta l4proto`, in nft's spelling. */
export function protocolKeys(wanted: ProtocolClass, family: Family): readonly string[] {
  if (wanted === 'icmp') return [family === 4 ? 'icmp' : 'icmpv6'];
  if (wanted !== 'other') return [wanted];
  const named = [icmpNumber(family), NUMBERS.tcp, NUMBERS.udp].sort((a, b) => a - b);
  const gaps: string[] = [];
  let next = 0;
  for (const number of [...named, 256]) {
    if (number > next) gaps.push(number - 1 === next ? `${next}` : `${next}-${number - 1}`);
    next = number + 1;
  }
  return gaps;
}

/** Names that nft knows by itself, without /etc/protocols. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
]);

/** The other way round. */
export const protocolNumber = (name: string): number => [...NAMES].find(([, known]) => known === name)?.[0] ?? Number(name);

/** `meta l4proto` as a number, as JSON listings give it, in the spelling of our keys. */
export function protocolName(number: number): string {
  return NAMES.get(number) ?? `${number}`;
}
