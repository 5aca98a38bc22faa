/**
 * Answers as a service gets them. Where nothing has to be removed, an upstream's message is passed on as it came, less its OPT
 * record, which is between two neighbours only (RFC 6891 §6.1.1). Otherwise it is put together anew from the records that stay.
 */
import dnsPacket from 'dns-packet';
import { nameBytes } from './names.ts';
import { HEADER, WireError } from './octets.ts';
import { ownCopy } from './own-copy.ts';
import type { Edns, Request } from './request.ts';
import { FLAG, sanitisedTtl, TYPE, UDP_PAYLOAD } from './types.ts';
import { readMessage, type WireMessage, type WireRecord } from './wire.ts';

/** A message without OPT, and where TTLs stand in it. */
export type Template = { readonly bytes: Uint8Array; readonly ttls: readonly number[]; readonly questionEnd: number };

export type Edits = {
  readonly drop: ReadonlySet<WireRecord>;
  /** New data for records that stay. */
  readonly replace: ReadonlyMap<WireRecord, Uint8Array>;
};

/** Extended error (RFC 8914). */
export type ExtendedError = { readonly code: number; readonly text: string };

/** What fits into a message over TCP (RFC 1035 §4.2.2), less an OPT record of our own with a sentence in it. */
const MOST_OCTETS = 65_535 - 128;
/** Octets of data before the names, for types whose names may be compressed (RFC 1035 §3.3, RFC 2782, RFC 6672), and how many names there are. */
const NAMES_IN_DATA: ReadonlyMap<number, { readonly skip: number; readonly names: number }> = new Map([
  [TYPE.NS, { skip: 0, names: 1 }],
  [TYPE.CNAME, { skip: 0, names: 1 }],
  [TYPE.PTR, { skip: 0, names: 1 }],
  [TYPE.DNAME, { skip: 0, names: 1 }],
  [TYPE.SOA, { skip: 0, names: 2 }],
  [TYPE.MX, { skip: 2, names: 1 }],
  [TYPE.SRV, { skip: 6, names: 1 }],
]);

/** Data without compression, so that it can stand anywhere. Throws WireError. */
function plainData(message: WireMessage, { type, start, end }: WireRecord): Uint8Array {
  const { bytes, names } = message;
  const form = NAMES_IN_DATA.get(type);
  if (form === undefined) return bytes.subarray(start, end);
  const parts: Uint8Array[] = [bytes.subarray(start, start + form.skip)];
  let at = start + form.skip;
  for (let count = 0; count < form.names; count += 1) {
    const { name, end: next } = names.read(at);
    parts.push(nameBytes(bytes, name));
    at = next;
  }
  return Buffer.concat([...parts, bytes.subarray(at, end)]);
}

const kept = (records: readonly WireRecord[], { drop }: Edits) => records.filter((record) => record.type !== TYPE.OPT && !drop.has(record));

/** Throws WireError where a record's data cannot be read, or it is too long without compression. */
function rebuild(message: WireMessage, edits: Edits): Template {
  const sections = [message.answers, message.authorities, message.additionals].map((records) => kept(records, edits));
  const head = Buffer.from(message.bytes.subarray(0, message.questionEnd));
  sections.forEach((records, index) => head.writeUInt16BE(records.length, 6 + 2 * index));
  const parts: Uint8Array[] = [head];
  const ttls: number[] = [];
  let at = head.length;
  for (const record of sections.flat()) {
    const name = nameBytes(message.bytes, record.name);
    const data = edits.replace.get(record) ?? plainData(message, record);
    if (at + name.length + 10 + data.length > MOST_OCTETS) throw new WireError('too long without compressed names');
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(record.type, 0);
    fixed.writeUInt16BE(record.class, 2);
    fixed.writeUInt32BE(record.ttl, 4);
    fixed.writeUInt16BE(data.length, 8);
    ttls.push(at + name.length + 4);
    parts.push(name, fixed, data);
    at += name.length + fixed.length + data.length;
  }
  return { bytes: ownCopy(Buffer.concat(parts)), ttls, questionEnd: head.length };
}

/** Six octets before a record's data: TTL and length. */
const ttlAt = ({ start }: WireRecord) => start - 6;

function lastEnd({ answers, authorities, additionals, questionEnd }: WireMessage): number {
  return additionals.at(-1)?.end ?? authorities.at(-1)?.end ?? answers.at(-1)?.end ?? questionEnd;
}

/** What stays of a message, to be kept: a copy, or the message's own octets. Throws WireError where it cannot be put together anew. */
export function template(message: WireMessage, edits: Edits): Template {
  const { bytes, additionals, answers, authorities, questionEnd } = message;
  const opts = additionals.filter(({ type }) => type === TYPE.OPT);
  const last = additionals.at(-1);
  const optLast = opts.length === 0 || (opts.length === 1 && last?.type === TYPE.OPT);
  if (edits.drop.size > 0 || edits.replace.size > 0 || !optLast || lastEnd(message) !== bytes.length) return rebuild(message, edits);
  const records = [...answers, ...authorities, ...additionals].filter(({ type }) => type !== TYPE.OPT);
  const end = opts.length === 0 || last === undefined ? bytes.length : last.at;
  if (end > MOST_OCTETS) throw new WireError('too long for a record of our own');
  if (end === bytes.length) return { bytes, ttls: records.map(ttlAt), questionEnd };
  const copy = ownCopy(bytes.subarray(0, end));
  copy.writeUInt16BE(additionals.length - 1, 10);
  return { bytes: copy, ttls: records.map(ttlAt), questionEnd };
}

/** There are few: by DO, code and text. */
const optRecords = new Map<string, Buffer>();
const MOST_OPT_RECORDS = 256;
/** RFC 8914 §2. */
const EXTENDED_ERROR = 15;

function extendedErrorOption({ code, text }: ExtendedError): Buffer {
  const words = Buffer.from(text.slice(0, 100));
  const head = Buffer.alloc(6);
  head.writeUInt16BE(EXTENDED_ERROR, 0);
  head.writeUInt16BE(2 + words.length, 2);
  head.writeUInt16BE(code, 4);
  return Buffer.concat([head, words]);
}

/** Our own OPT record, with an extended error where there is one. */
function optRecord({ dnssecOk }: Edns, extendedRcode: number, error: ExtendedError | null): Buffer {
  const key = `${dnssecOk ? 'DO' : ''} ${extendedRcode} ${error?.code ?? ''} ${error?.text ?? ''}`;
  const before = optRecords.get(key);
  if (before !== undefined) return before;
  const message = dnsPacket.encode({
    type: 'response',
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: UDP_PAYLOAD, extendedRcode, ednsVersion: 0, flags: dnssecOk ? dnsPacket.DNSSEC_OK : 0, flag_do: dnssecOk, options: [] }],
  });
  const option = error === null ? Buffer.alloc(0) : extendedErrorOption(error);
  const record = Buffer.concat([message.subarray(HEADER), option]);
  record.writeUInt16BE(option.length, record.length - option.length - 2);
  if (optRecords.size >= MOST_OPT_RECORDS) optRecords.clear();
  optRecords.set(key, record);
  return record;
}

/** AD is for clients that know it (RFC 6840 §5.7). */
function responseFlags(upstream: number, { flags, edns }: Request): number {
  const wantsAd = (flags & FLAG.AD) !== 0 || edns?.dnssecOk === true;
  return FLAG.QR | FLAG.RA | (flags & (FLAG.RD | FLAG.CD)) | (upstream & FLAG.RCODE) | (wantsAd ? upstream & FLAG.AD : 0);
}

export type Filling = {
  /** Seconds since the answer came. */
  readonly age: number;
  /** Longer TTLs are shown as this, so that no service keeps an address for longer than the kernel does. Seconds. */
  readonly maxTtl: number;
  readonly error: ExtendedError | null;
};

/** The answer to one request, from a template of the same name and type. */
export function fill({ bytes, ttls, questionEnd }: Template, request: Request, { age, maxTtl, error }: Filling): Buffer {
  const opt = request.edns === null ? null : optRecord(request.edns, 0, error);
  const answer = Buffer.allocUnsafe(bytes.length + (opt?.length ?? 0));
  answer.set(bytes, 0);
  answer.writeUInt16BE(request.id, 0);
  answer.writeUInt16BE(responseFlags(answer.readUInt16BE(2), request), 2);
  // as long as the question that was asked upstream: only letter case differs
  if (request.question.length === questionEnd - HEADER) answer.set(request.question, HEADER);
  for (const at of ttls) {
    const ttl = Math.min(sanitisedTtl(answer.readUInt32BE(at)), maxTtl);
    answer.writeUInt32BE(Math.max(0, Math.floor(ttl - age)), at);
  }
  if (opt === null) return answer;
  opt.copy(answer, bytes.length);
  answer.writeUInt16BE(answer.readUInt16BE(10) + 1, 10);
  return answer;
}

type Bare = Pick<Request, 'id' | 'flags'> & { readonly question: Uint8Array | null; readonly edns: Edns | null };

function bare({ id, flags, question, edns }: Bare, rcode: number, error: ExtendedError | null): Buffer {
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(FLAG.QR | FLAG.RA | (flags & (FLAG.OPCODE | FLAG.RD | FLAG.CD)) | (rcode & FLAG.RCODE), 2);
  head.writeUInt16BE(question === null ? 0 : 1, 4);
  head.writeUInt16BE(edns === null ? 0 : 1, 10);
  return Buffer.concat([head, question ?? Buffer.alloc(0), ...(edns === null ? [] : [optRecord(edns, rcode >> 4, error)])]);
}

/** An answer without records. `error` reaches clients that speak EDNS. */
export const codeAnswer = (request: Request, rcode: number, error: ExtendedError | null = null): Buffer => bare(request, rcode, error);

/** For a query that could not be read. */
export const unreadableAnswer = (id: number, flags: number, rcode: number): Buffer => bare({ id, flags, question: null, edns: null }, rcode, null);

/**
 * What of an answer fits into a datagram: the answer section alone is whole for who does not check signatures (RFC 2181 §9). Of a longer one the first
 * records, for who does not "ask again over TCP", as musl before 1.2.4.
 */
export function fittedAnswer(request: Request, full: Buffer, room: number): Buffer {
  const flags = full.readUInt16BE(2);
  const { answers, questionEnd } = readMessage(full);
  const opt = request.edns === null ? Buffer.alloc(0) : optRecord(request.edns, 0, null);
  const fitting = request.edns?.dnssecOk === true ? [] : answers.slice(0, answers.findLastIndex(({ end }) => end + opt.length <= room) + 1);
  const isWhole = fitting.length > 0 && fitting.length === answers.length && (flags & FLAG.RCODE) === 0;
  const fitted = Buffer.concat([full.subarray(0, fitting.at(-1)?.end ?? questionEnd), opt]);
  fitted.writeUInt16BE(isWhole ? flags : flags | FLAG.TC, 2);
  fitted.writeUInt16BE(fitting.length, 6);
  fitted.writeUInt16BE(0, 8);
  fitted.writeUInt16BE(opt.length === 0 ? 0 : 1, 10);
  return fitted;
}

