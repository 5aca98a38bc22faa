/**
 * IPv4 and IPv6 addresses and networks: strict reading, canonical writing.
 *
 * An address is a number, so ranges are comparisons; `family` says how wide it is. Text is read strictly (RFC 6943 §3.1.1:
 * two programs that read one spelling differently are a hole): nothing is guessed, and what is refused says why.
 */
import { addressFault, quoted, type AddressFault } from './address-fault.ts';
import { formatGroups, formatQuad, readGroups, readQuad } from './address-text.ts';

export type Family = 4 | 6;

/** `value` is 0 to `maxValue(family)`, the address in network byte order. */
export type Address = { readonly family: Family; readonly value: bigint };

/** Inclusive at both ends, `first` ≤ `last`. */
export type Interval = { readonly first: bigint; readonly last: bigint };

/** A CIDR block (RFC 4632). `first` has no host bits set; `first`–`last` is the whole block, inclusive. */
export type Network = {
  readonly family: Family;
  readonly prefix: number;
  readonly first: bigint;
  readonly last: bigint;
};

/** `fault` is a sentence without a full stop; `hint` is what to write instead, or what the rule is. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: string; readonly hint?: string };

const BITS = { 4: 32, 6: 128 } as const;
const IPV4_MAPPED = 0xffffn;

export function maxValue(family: Family): bigint {
  return family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
}

/**
 * Reads one address. IPv4 is a dotted quad of decimal octets without leading zeros. IPv6 is any text form of RFC 4291
 * §2.2, in either case, compressed or not, with or without a dotted quad at the end: all of them mean one address only.
 * Zone ids, brackets, spaces, octal, hexadecimal and short IPv4 forms are refused. Never throws.
 */
export function parseAddress(text: string): Parsed<Address> {
  const value = readAddress(text);
  return value === null ? refuse(addressFault(text), readAddress) : { ok: true, value };
}

/** Reads an address (the network of that one address) or `address/prefix` without host bits. Never throws. */
export function parseNetwork(text: string): Parsed<Network> {
  const value = readNetwork(text);
  return value === null ? refuseNetwork(text) : { ok: true, value };
}

/** The network of exactly this address: /32 or /128. */
export function networkOf(address: Address): Network {
  return networkAt(address, BITS[address.family]);
}

/** The network of `prefix` bits that holds the address. `prefix` is 0 to 32 or 0 to 128. */
export function networkAt(address: Address, prefix: number): Network {
  const host = BigInt(BITS[address.family] - prefix);
  const first = (address.value >> host) << host;
  return { family: address.family, prefix, first, last: first | ((1n << host) - 1n) };
}

export const sameAddress = (a: Address, b: Address): boolean => a.family === b.family && a.value === b.value;

export function addressInNetwork(address: Address, network: Network): boolean {
  return address.family === network.family && network.first <= address.value && address.value <= network.last;
}

/** Canonical text: a dotted quad, or RFC 5952 (§5, the dotted tail, for IPv4-mapped addresses: as nft and glibc print them). */
export function formatAddress(address: Address): string {
  if (address.family === 4) {
    return formatQuad(Number(address.value));
  }
  // glibc prints the IPv4-compatible form with a dotted tail as well, but for those that are a single group
  if (address.value >> 32n === 0n && address.value > 0xffffn) return `::${formatQuad(Number(address.value))}`;
  return address.value >> 32n === IPV4_MAPPED
    ? `::ffff:${formatQuad(Number(address.value & maxValue(4)))}`
    : formatGroups(address.value);
}

/** `10.0.0.0/8`; a network of one address is the bare address. */
export function formatNetwork(network: Network): string {
  const first = formatAddress(firstOf(network));
  return network.prefix === BITS[network.family] ? first : `${first}/${network.prefix}`;
}

/** As nft writes it in a set element: an address, a prefix where the interval is exactly one, `first-last` otherwise. */
export function formatInterval(family: Family, interval: Interval): string {
  const { first, last } = interval;
  const host = first ^ last;
  // One CIDR block: the ends differ in all of the low bits, and in nothing else.
  if ((host & (host + 1n)) === 0n && (first & host) === 0n) {
    const prefix = host === 0n ? BITS[family] : BITS[family] - host.toString(2).length;
    return formatNetwork({ family, prefix, first, last });
  }
  return `${formatAddress({ family, value: first })}-${formatAddress({ family, value: last })}`;
}

function firstOf(network: Network): Address {
  return { family: network.family, value: network.first };
}

function readAddress(text: string): Address | null {
  if (text.includes(':')) {
    const value = readGroups(text);
    return value === null ? null : { family: 6, value };
  }
  const value = readQuad(text);
  return value === null ? null : { family: 4, value: BigInt(value) };
}

function readNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = readAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null || slash < 0) {
    return address === null ? null : networkOf(address);
  }
  const prefix = readPrefix(text.slice(slash + 1), address.family);
  const network = prefix === null ? null : networkAt(address, prefix);
  return network?.first === address.value ? network : null;
}

function readPrefix(text: string, family: Family): number | null {
  return /^(?:0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= BITS[family] ? Number(text) : null;
}

/** A guess is only suggested once it has been seen to be accepted. */
function refuse(problem: AddressFault, read: (text: string) => unknown): Parsed<never> {
  const { fault, hint, instead } = problem;
  if (instead !== undefined && read(instead) !== null) {
    return { ok: false, fault, hint: `did you mean ${instead}?` };
  }
  return hint === undefined ? { ok: false, fault } : { ok: false, fault, hint };
}

function didYouMean(fault: string, network: Network): Parsed<never> {
  return { ok: false, fault, hint: `did you mean ${formatNetwork(network)}?` };
}

function refuseNetwork(text: string): Parsed<never> {
  const [head = '', ...rest] = text.split('/');
  const address = readAddress(head);
  if (address === null) {
    return refuse(addressFault(text), readNetwork);
  }
  const written = rest.join('/');
  const prefix = readPrefix(written, address.family);
  if (prefix !== null) {
    const network = networkAt(address, prefix);
    return didYouMean(`${quoted(text)} has host bits set: its network begins at ${formatAddress(firstOf(network))}`, network);
  }
  return refusePrefix(`${quoted(text)} is not a network`, written, address);
}

/** `written` is what follows the slash and is no prefix length. */
function refusePrefix(fault: string, written: string, address: Address): Parsed<never> {
  const bits = BITS[address.family];
  const hint = `an IPv${address.family} prefix length is 0 to ${bits}`;
  if (written === '') {
    return didYouMean(`${fault}: nothing follows the slash`, networkOf(address));
  }
  const mask = address.family === 4 ? readQuad(written) : null;
  if (mask !== null) {
    const ones = Math.clz32(~mask);
    const what = `${fault}: ${quoted(written)} is a netmask, not a prefix length`;
    const contiguous = mask === 2 ** 32 - 2 ** (32 - ones);
    return contiguous ? didYouMean(what, networkAt(address, ones)) : { ok: false, fault: what, hint };
  }
  const dense = written.replaceAll(/\s/g, '');
  const bare = dense.replace(/^0+(?=[0-9])/, '');
  const prefix = readPrefix(bare, address.family);
  if (prefix !== null) {
    const what = dense === bare ? 'a space' : 'a leading zero';
    return didYouMean(`${fault}: its prefix length has ${what}`, networkAt(address, prefix));
  }
  const what = /^[0-9]+$/.test(bare) ? `is greater than ${bits}` : 'is not a number';
  return { ok: false, fault: `${fault}: prefix length ${quoted(written)} ${what}`, hint };
}
