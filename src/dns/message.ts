/** Questions that netwalld asks, and what it takes from answers. Pure: ids and letter case come from the caller's randomness. */
import dnsPacket from 'dns-packet';
import { type Address, formatAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { type Name, nameText, readMessage, readName, sameName, textName, WireError, type WireMessage, type WireRecord } from './wire.ts';

export type RecordType = 'A' | 'AAAA';
const TYPES = { A: 1, AAAA: 28, CNAME: 5, SOA: 6 } as const;
const CLASS_IN = 1;
/** Fits any path without fragments (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;
const MAX_CHAIN = 8;

export type Query = {
  readonly id: number;
  /** As asked, letter case included (0x20): an answer must repeat it. */
  readonly name: Name;
  readonly type: RecordType;
  readonly bytes: Uint8Array;
};

export type Answer =
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly ttl: number; readonly chain: readonly string[] }
  | { readonly kind: 'nodata' | 'nxdomain'; readonly ttl: number }
  | { readonly kind: 'failure'; readonly reason: string }
  | { readonly kind: 'truncated' }
  /** Not an answer to this question, so perhaps forged: the true one may still come. */
  | { readonly kind: 'ignored'; readonly reason: string };

/** `random(n)`: an integer from 0 to n - 1, unpredictable. */
export function askFor(domain: string, type: RecordType, random: (below: number) => number): Query {
  const text = Array.from(domain, (letter) => (random(2) === 0 ? letter.toUpperCase() : letter.toLowerCase())).join('');
  const id = random(65536);
  const bytes = dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type, name: text }],
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_PAYLOAD, flags: 0, extendedRcode: 0, ednsVersion: 0, flag_do: false, options: [] }],
  });
  return { id, name: textName(text), type, bytes };
}

/** RFC 2181 §8: a TTL with the top bit set is zero. */
const ttlOf = (ttl: number): number => (ttl >= 2 ** 31 ? 0 : ttl);

/** RFC 2308 §5: the lesser of the SOA's own TTL and its minimum field; none without a SOA. */
function negativeTtl({ authorities, bytes }: WireMessage): number {
  const soa = authorities.find(({ type }) => type === TYPES.SOA);
  if (soa === undefined || soa.end - soa.start < 22) return 0;
  const minimum = new DataView(bytes.buffer, bytes.byteOffset + soa.end - 4, 4).getUint32(0);
  return Math.min(ttlOf(soa.ttl), ttlOf(minimum));
}

function readAddress(bytes: Uint8Array, { start, end }: WireRecord, type: RecordType): Address | null {
  if (end - start !== (type === 'A' ? 4 : 16)) return null;
  let value = 0n;
  for (const byte of bytes.subarray(start, end)) value = (value << 8n) | BigInt(byte);
  // an IPv4-mapped AAAA leaves the host as IPv4, so that is what the kernel must know
  return wireAddress({ family: type === 'A' ? 4 : 6, value });
}

type Chain = { readonly owner: Name; readonly ttl: number; readonly names: readonly string[] };

/** Follows CNAMEs from the question's name, and only from there. */
function followChain(message: WireMessage, question: Name): Chain | string {
  const seen: Name[] = [question];
  let owner = question;
  let ttl = Number.POSITIVE_INFINITY;
  for (;;) {
    const alias = message.answers.find((record) => record.type === TYPES.CNAME && record.class === CLASS_IN && sameName(record.name, owner));
    if (alias === undefined) return { owner, ttl, names: seen.slice(1).map(nameText) };
    const { name, end } = readName(message.bytes, alias.start);
    if (end !== alias.end) return 'CNAME data of a wrong length';
    if (seen.length > MAX_CHAIN) return `more than ${MAX_CHAIN} CNAMEs`;
    if (seen.some((before) => sameName(before, name))) return 'CNAME loop';
    seen.push(name);
    owner = name;
    ttl = Math.min(ttl, ttlOf(alias.ttl));
  }
}

function readAddresses(message: WireMessage, query: Query): Answer {
  const chain = followChain(message, query.name);
  if (typeof chain === 'string') return { kind: 'failure', reason: chain };
  const found = new Map<string, Address>();
  let { ttl } = chain;
  for (const record of message.answers) {
    if (record.type !== TYPES[query.type] || record.class !== CLASS_IN || !sameName(record.name, chain.owner)) continue;
    const address = readAddress(message.bytes, record, query.type);
    if (address === null) return { kind: 'failure', reason: `${query.type} data of a wrong length` };
    found.set(formatAddress(address), address);
    ttl = Math.min(ttl, ttlOf(record.ttl));
  }
  if (found.size === 0) return { kind: 'nodata', ttl: negativeTtl(message) };
  return { kind: 'addresses', addresses: [...found.values()], ttl, chain: chain.names };
}

const RCODES: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 4: 'NOTIMP', 5: 'REFUSED' };

/** What bytes that came from the asked server mean for a query. Never throws. */
export function readAnswer(bytes: Uint8Array, query: Query): Answer {
  let message: WireMessage;
  try {
    message = readMessage(bytes);
    const { id, flags, questions } = message;
    if (id !== query.id) return { kind: 'ignored', reason: 'another id' };
    if ((flags & 0x8000) === 0 || (flags & 0x7800) !== 0) return { kind: 'ignored', reason: 'not a response to a query' };
    const [question] = questions;
    if (question === undefined || question.type !== TYPES[query.type] || question.class !== CLASS_IN) return { kind: 'ignored', reason: 'another question' };
    if (!sameName(question.name, query.name, true)) return { kind: 'ignored', reason: 'another name, or its letters in another case' };
    if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
    const rcode = flags & 0x000f;
    if (rcode === 3) return { kind: 'nxdomain', ttl: negativeTtl(message) };
    if (rcode !== 0) return { kind: 'failure', reason: RCODES[rcode] ?? `rcode ${rcode}` };
    return readAddresses(message, query);
  } catch (error) {
    if (error instanceof WireError) return { kind: 'ignored', reason: `garbage: ${error.message}` };
    throw error;
  }
}
