/**
 * What an upstream's answer says and what of it a service may see: CNAMEs are followed from the question's name and from nowhere
 * else, and records that were not asked for are foreign. Pure.
 */
import type { Address } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { hostName, keysAbove, type Name, type Reading } from './names.ts';
import { WireError } from './octets.ts';
import { CLASS_IN, FLAG, RCODE, sanitisedTtl, TYPE } from './types.ts';
import { readMessage, type WireMessage, type WireRecord } from './wire.ts';

/** RFC 9460 §7.3: addresses that a client may use before it has looked the target up. */
export type HintRecord = {
  readonly record: WireRecord;
  /** The target is of the chain. Of another name only that name's own zone may say where it is: its client looks it up (RFC 9460 §3). */
  readonly own: boolean;
  readonly addresses: readonly Address[];
};

export type AddressRecord = { readonly record: WireRecord; readonly address: Address };

export type Analysis = {
  readonly message: WireMessage;
  readonly rcode: number;
  /** Of A and AAAA at the end of the chain or along it. */
  readonly addresses: readonly AddressRecord[];
  readonly hints: readonly HintRecord[];
  /** Nothing the question led to, and addresses outside the answer section: never passed on. */
  readonly foreign: ReadonlySet<WireRecord>;
  /** Names that the question's name is an alias of, in order. */
  readonly chain: readonly string[];
  /** Seconds that the answer may be kept; 0: not at all. */
  readonly ttl: number;
};

export type Analysed = { readonly ok: true; readonly analysis: Analysis } | { readonly ok: false; readonly fault: string };

/** Keys of names whose records belong to the answer: the chain's own, and those of the zones that these are in. */
type Owners = { readonly links: ReadonlySet<string>; readonly zones: ReadonlySet<string> };

/** More addresses than this in one answer nobody needs, and each costs a look-up and an element of the kernel's. */
export const MOST_ADDRESSES = 256;

const MAX_CHAIN = 8;
const ADDRESS_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA]);
const HINT_TYPES: ReadonlySet<number> = new Set([TYPE.HTTPS, TYPE.SVCB]);
/** DNAMEs stand for a zone above the names they rename (RFC 6672), and signatures for what they sign. */
const ZONE_TYPES: ReadonlySet<number> = new Set([TYPE.DNAME, TYPE.RRSIG]);
const HINT_KEYS: Readonly<Record<number, 4 | 16>> = { 4: 4, 6: 16 };

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** An address of 4 or 16 octets, in the form that packets to it carry. */
export function readAddressAt(bytes: Uint8Array, start: number, size: 4 | 16): Address {
  if (size === 4) return { family: 4, value: BigInt((((bytes[start] ?? 0) << 24) | ((bytes[start + 1] ?? 0) << 16) | ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0)) >>> 0) };
  let value = 0n;
  for (let at = start; at < start + size; at += 1) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  return wireAddress({ family: 6, value });
}

/** Throws WireError where the data is no address of its type. */
function addressOf({ bytes }: WireMessage, { type, start, end }: WireRecord): Address {
  const size = type === TYPE.A ? 4 : 16;
  if (end - start !== size) throw new WireError('an address of a wrong length');
  return readAddressAt(bytes, start, size);
}

/** The question's name and its aliases. Throws WireError for loops and chains beyond MAX_CHAIN. */
function followChain({ answers, names }: WireMessage, question: Name): Name[] {
  const cnames = Map.groupBy(answers.filter(({ type, class: klass }) => type === TYPE.CNAME && klass === CLASS_IN), ({ name }) => name.key);
  const chain: Name[] = [question];
  let owner = question;
  for (;;) {
    const [alias, ...others] = cnames.get(owner.key) ?? [];
    if (alias === undefined) return chain;
    if (others.length > 0) throw new WireError('two CNAMEs for one name');
    const { name, end } = names.read(alias.start);
    if (end !== alias.end) throw new WireError('CNAME data of a wrong length');
    if (chain.length > MAX_CHAIN) throw new WireError(`more than ${MAX_CHAIN} CNAMEs`);
    if (chain.some(({ key }) => key === name.key)) throw new WireError('CNAME loop');
    chain.push(name);
    owner = name;
  }
}

/** The parameters of SVCB data (RFC 9460 §2.2): key, and where its value is. Throws WireError. */
export function* svcParams(bytes: Uint8Array, from: number, end: number): Generator<{ readonly key: number; readonly at: number; readonly start: number; readonly end: number }> {
  let at = from;
  let last = -1;
  while (at < end) {
    const key = u16(bytes, at);
    const length = u16(bytes, at + 2);
    const start = at + 4;
    if (start + length > end || key <= last) throw new WireError('unreadable SVCB parameters');
    yield { key, at, start, end: start + length };
    at = start + length;
    last = key;
  }
}

/** Where the parameters begin, and the target. Throws WireError. */
export function svcTarget({ names }: WireMessage, { start, end }: WireRecord): Reading {
  if (start + 3 > end) throw new WireError('SVCB data is cut');
  const target = names.read(start + 2);
  if (target.end > end) throw new WireError('SVCB data is cut');
  return target;
}

function hintsOf(message: WireMessage, record: WireRecord, { links }: Owners): HintRecord | null {
  const { bytes } = message;
  const target = svcTarget(message, record);
  const addresses: Address[] = [];
  for (const { key, start, end } of svcParams(bytes, target.end, record.end)) {
    const size = HINT_KEYS[key];
    if (size === undefined) continue;
    if (end === start || (end - start) % size !== 0) throw new WireError('address hints of a wrong length');
    for (let at = start; at < end; at += size) addresses.push(readAddressAt(bytes, at, size));
  }
  if (addresses.length === 0) return null;
  return { record, own: target.name.key === '' || links.has(target.name.key), addresses };
}

/** RFC 2308 §5: the lesser of the SOA's own TTL and its minimum field; none without a SOA. */
export function negativeTtl({ authorities, bytes }: WireMessage): number {
  const soa = authorities.find(({ type }) => type === TYPE.SOA);
  if (soa === undefined || soa.end - soa.start < 22) return 0;
  const minimum = u16(bytes, soa.end - 4) * 65536 + u16(bytes, soa.end - 2);
  return Math.min(sanitisedTtl(soa.ttl), sanitisedTtl(minimum));
}

function ownersOf({ answers }: WireMessage, chain: readonly Name[]): Owners {
  // most answers have no record that asks for the zones
  const zones = answers.some(({ type }) => ZONE_TYPES.has(type)) ? chain.flatMap(keysAbove) : [];
  return { links: new Set(chain.map(({ key }) => key)), zones: new Set(zones) };
}

function belongs({ type, name: { key }, class: klass }: WireRecord, { links, zones }: Owners): boolean {
  return klass === CLASS_IN && (links.has(key) || (ZONE_TYPES.has(type) && zones.has(key)));
}

function analyseMessage(message: WireMessage, question: Name): Analysis {
  const chain = followChain(message, question);
  const owners = ownersOf(message, chain);
  const foreign = new Set<WireRecord>();
  const addresses: AddressRecord[] = [];
  const hints: HintRecord[] = [];
  let ttl = Number.POSITIVE_INFINITY;
  for (const record of message.answers) {
    if (!belongs(record, owners)) {
      foreign.add(record);
      continue;
    }
    ttl = Math.min(ttl, sanitisedTtl(record.ttl));
    if (ADDRESS_TYPES.has(record.type)) addresses.push({ record, address: addressOf(message, record) });
    else if (HINT_TYPES.has(record.type)) {
      const found = hintsOf(message, record, owners);
      if (found !== null) hints.push(found);
    }
  }
  for (const record of [...message.authorities, ...message.additionals]) {
    if (ADDRESS_TYPES.has(record.type) || HINT_TYPES.has(record.type)) foreign.add(record);
  }
  const rcode = message.flags & FLAG.RCODE;
  const positive = rcode === RCODE.NOERROR && message.answers.some((record) => !foreign.has(record) && record.type !== TYPE.CNAME);
  const keep = positive ? ttl : Math.min(ttl, negativeTtl(message));
  return { message, rcode, addresses, hints, foreign, chain: chain.slice(1).map((name) => hostName(name) ?? '?'), ttl: Number.isFinite(keep) ? keep : 0 };
}

/** Reads an answer that is known to be to this question. Never throws. */
export function analyse(bytes: Uint8Array): Analysed {
  try {
    const message = readMessage(bytes);
    const [question] = message.questions;
    if (question === undefined) return { ok: false, fault: 'no question' };
    return { ok: true, analysis: analyseMessage(message, question.name) };
  } catch (error) {
    if (error instanceof WireError) return { ok: false, fault: error.message };
    throw error;
  }
}
