/**
 * Special-use addresses: what a name on the internet has no business resolving to.
 *
 * The table holds every row of the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190; both as
 * updated 2025-10-09), the multicast blocks, and all of IPv6 outside 2000::/3. Rows that the registries call globally
 * reachable are special here all the same: each is an anycast or identifier block of one protocol and no place where
 * a service has its servers. Who does need one writes it as a CIDR.
 *
 * Not in the table, as no registry has them: a NAT64 prefix that a network operator chose from its own addresses (RFC 6052
 * §2.2), and the public address 168.63.129.16 that Azure answers from inside the host.
 */
import { addressInNetwork, formatAddress, maxValue, parseNetwork, type Address, type Network } from './address.ts';

/** `reason` is for people: `loopback (RFC 1122)`, `NAT64 of 10.0.0.1: private use (RFC 1918)`. */
export type SpecialRange = {
  readonly network: Network;
  readonly name: string;
  readonly rfc: string;
  /** False: no peer can have such an address, so there is never a reason to connect to one. */
  readonly host: boolean;
  readonly reason: string;
};

/**
 * Where an IPv6 form keeps an IPv4 address, and what that means. `decides`: packets end at the IPv4 address, so the form is
 * as good as the address inside. Otherwise a relay of unknown ownership is in between, and the form is special whatever is inside.
 */
type Form = { readonly inside: (value: bigint) => bigint; readonly decides: boolean };

type Row = Omit<SpecialRange, 'reason'> & { readonly form: Form | null };

const low32 = (value: bigint) => value & maxValue(4);
const mapped = form('::ffff:0:0/96', 'IPv4-mapped form', 'RFC 4291', { inside: low32, decides: true });

const TABLE: readonly Row[] = [
  never('0.0.0.0/8', 'this network', 'RFC 791'),
  never('0.0.0.0/32', 'unspecified', 'RFC 1122'), // Linux connects to itself
  special('10.0.0.0/8', 'private use', 'RFC 1918'),
  special('100.64.0.0/10', 'shared address space of carrier-grade NAT', 'RFC 6598'),
  special('127.0.0.0/8', 'loopback', 'RFC 1122'),
  special('169.254.0.0/16', 'link-local', 'RFC 3927'),
  special('169.254.169.254/32', 'link-local, cloud instance metadata', 'RFC 3927'), // hands out the host's credentials
  special('172.16.0.0/12', 'private use', 'RFC 1918'),
  special('192.0.0.0/24', 'IETF protocol assignments', 'RFC 6890'),
  special('192.0.0.0/29', 'IPv4 service continuity', 'RFC 7335'),
  special('192.0.0.8/32', 'IPv4 dummy address', 'RFC 7600'),
  special('192.0.0.9/32', 'port control anycast', 'RFC 7723'), // globally reachable: whichever NAT is nearest answers
  special('192.0.0.10/32', 'TURN anycast', 'RFC 8155'), // globally reachable: whichever relay is nearest answers
  special('192.0.0.170/32', 'NAT64 discovery', 'RFC 8880'),
  special('192.0.0.171/32', 'NAT64 discovery', 'RFC 8880'),
  special('192.0.2.0/24', 'documentation, TEST-NET-1', 'RFC 5737'),
  special('192.31.196.0/24', 'AS112 sink', 'RFC 7535'), // globally reachable: anyone may announce it
  special('192.52.193.0/24', 'multicast tunnelling anycast', 'RFC 7450'), // globally reachable: a relay, not a peer
  special('192.88.99.0/24', '6to4 relay anycast, deprecated', 'RFC 7526'),
  special('192.88.99.2/32', '6a44 relay anycast', 'RFC 6751'),
  special('192.168.0.0/16', 'private use', 'RFC 1918'),
  special('192.175.48.0/24', 'AS112 sink', 'RFC 7534'), // globally reachable: anyone may announce it
  special('198.18.0.0/15', 'benchmarking', 'RFC 2544'),
  special('198.51.100.0/24', 'documentation, TEST-NET-2', 'RFC 5737'),
  special('203.0.113.0/24', 'documentation, TEST-NET-3', 'RFC 5737'),
  never('224.0.0.0/4', 'multicast', 'RFC 5771'),
  never('240.0.0.0/4', 'reserved, class E', 'RFC 1112'),
  never('255.255.255.255/32', 'limited broadcast', 'RFC 919'),

  never('::/3', 'not global unicast', 'RFC 4291'), // with the next two: everything outside 2000::/3
  never('4000::/2', 'not global unicast', 'RFC 4291'),
  never('8000::/1', 'not global unicast', 'RFC 4291'),
  never('::/128', 'unspecified', 'RFC 4291'), // Linux connects to itself
  special('::1/128', 'loopback', 'RFC 4291'),
  { ...form('::/96', 'IPv4-compatible form', 'RFC 4291', { inside: low32, decides: false }), host: false }, // abolished
  mapped,
  form('::ffff:0:0:0/96', 'IPv4-translated form', 'RFC 2765', { inside: low32, decides: false }),
  form('64:ff9b::/96', 'NAT64', 'RFC 6052', { inside: low32, decides: true }), // what DNS64 makes of every IPv4-only name
  special('64:ff9b:1::/48', 'local-use NAT64', 'RFC 8215'), // no telling where in it the IPv4 address is
  special('100::/64', 'discard-only', 'RFC 6666'),
  special('100:0:0:1::/64', 'dummy prefix', 'RFC 9780'),
  special('2001::/23', 'IETF protocol assignments', 'RFC 2928'),
  form('2001::/32', 'Teredo', 'RFC 4380', { inside: (value) => low32(value) ^ maxValue(4), decides: false }),
  special('2001:1::1/128', 'port control anycast', 'RFC 7723'), // globally reachable: whichever NAT is nearest answers
  special('2001:1::2/128', 'TURN anycast', 'RFC 8155'), // globally reachable: whichever relay is nearest answers
  special('2001:1::3/128', 'DNS-SD registration anycast', 'RFC 9665'), // globally reachable, yet meant for the own network
  special('2001:2::/48', 'benchmarking', 'RFC 5180'),
  special('2001:3::/32', 'multicast tunnelling anycast', 'RFC 7450'), // globally reachable: a relay, not a peer
  special('2001:4:112::/48', 'AS112 sink', 'RFC 7535'), // globally reachable: anyone may announce it
  special('2001:10::/28', 'ORCHID, deprecated', 'RFC 4843'),
  special('2001:20::/28', 'ORCHIDv2', 'RFC 7343'), // called globally reachable, but identifiers are not routed
  special('2001:30::/28', 'drone remote id', 'RFC 9374'), // called globally reachable, but identifiers are not routed
  special('2001:db8::/32', 'documentation', 'RFC 3849'),
  form('2002::/16', '6to4', 'RFC 3056', { inside: (value) => low32(value >> 80n), decides: false }),
  special('2620:4f:8000::/48', 'AS112 sink', 'RFC 7534'), // globally reachable: anyone may announce it
  special('3fff::/20', 'documentation', 'RFC 9637'),
  special('5f00::/16', 'segment routing', 'RFC 9602'),
  special('fc00::/7', 'unique local', 'RFC 4193'), // with the IPv6 metadata addresses of clouds, such as fd00:ec2::254
  special('fe80::/10', 'link-local', 'RFC 4291'),
  special('fec0::/10', 'site-local, deprecated', 'RFC 3879'),
  never('ff00::/8', 'multicast', 'RFC 4291'),
];

/** Most specific first, so that the first match is the answer. */
const ROWS = {
  4: TABLE.filter((row) => row.network.family === 4).sort((a, b) => b.network.prefix - a.network.prefix),
  6: TABLE.filter((row) => row.network.family === 6).sort((a, b) => b.network.prefix - a.network.prefix),
} as const;

/** The most specific row that holds the address, or null if it is ordinary global unicast (also by way of what is inside). */
export function specialUse(address: Address): SpecialRange | null {
  const row = rowOf(address);
  if (row === undefined) return null;
  const { network, name, rfc, host, form } = row;
  if (form === null) {
    return { network, name, rfc, host, reason: `${name} (${rfc})` };
  }
  const inside = { family: 4, value: form.inside(address.value) } as const;
  const use = specialUse(inside);
  if (use === null && form.decides) return null;
  const reason = `${name} of ${formatAddress(inside)}${use === null ? ` (${rfc})` : `: ${use.reason}`}`;
  return { network, name, rfc, host: host && use?.host !== false, reason };
}

/** Whether some of the network is for special use. */
export function touchesSpecialUse({ family, first, last }: Network): boolean {
  return ROWS[family].some(({ network }) => network.first <= last && first <= network.last);
}

/** Whether all of the network is for special use, whatever is inside its addresses. */
export function isSpecialUse({ family, first, last }: Network): boolean {
  return ROWS[family].some(({ network, form }) => form === null && network.first <= first && last <= network.last);
}

/** The IPv4 address inside an IPv4-mapped, -compatible, -translated, NAT64, 6to4 or Teredo (the client's) form, or null. */
export function embeddedIpv4(address: Address): Address | null {
  const form = rowOf(address)?.form ?? null;
  return form === null ? null : { family: 4, value: form.inside(address.value) };
}

/**
 * The address that the packets carry: a socket that connects to an IPv4-mapped address sends IPv4 (RFC 3493 §3.7), so rules
 * for IPv6 never see it. Every other address is its own.
 */
export function wireAddress(address: Address): Address {
  return addressInNetwork(address, mapped.network) ? { family: 4, value: low32(address.value) } : address;
}

function rowOf(address: Address): Row | undefined {
  return ROWS[address.family].find((row) => addressInNetwork(address, row.network));
}

function special(text: string, name: string, rfc: string): Row {
  const network = parseNetwork(text);
  if (!network.ok) throw new Error(network.fault);
  return { network: network.value, name, rfc, host: true, form: null };
}

function never(text: string, name: string, rfc: string): Row {
  return { ...special(text, name, rfc), host: false };
}

function form(text: string, name: string, rfc: string, form: Form): Row {
  return { ...special(text, name, rfc), form };
}
