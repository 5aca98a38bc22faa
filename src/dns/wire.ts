/** A bounded reader of DNS messages (RFC 1035 §4). Work is bounded by the message's size: pointers are followed once (names.ts), records are counted. */
import { type Name, Names } from './names.ts';
import { HEADER, u16, u32, WireError } from './octets.ts';

/** `at`: where the record begins; `start` to `end`: its data. */
export type WireRecord = {
  readonly at: number;
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly start: number;
  readonly end: number;
};

export type WireMessage = {
  readonly bytes: Uint8Array;
  /** Reads the names in its data. */
  readonly names: Names;
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly { readonly name: Name; readonly type: number; readonly class: number }[];
  readonly answers: readonly WireRecord[];
  readonly authorities: readonly WireRecord[];
  readonly additionals: readonly WireRecord[];
  /** Where the question section ends. */
  readonly questionEnd: number;
};

/** More records than this in one message are nobody's honest answer; an RRset of 4,000 addresses over TCP fits. */
const MAX_RECORDS = 4200;

function readRecords(bytes: Uint8Array, names: Names, start: number, count: number): { readonly records: WireRecord[]; readonly end: number } {
  const records: WireRecord[] = [];
  let at = start;
  for (let index = 0; index < count; index += 1) {
    const { name, end } = names.read(at);
    const length = u16(bytes, end + 8);
    const rdata = end + 10;
    if (rdata + length > bytes.length) throw new WireError('record data reaches past the message');
    records.push({ at, name, type: u16(bytes, end), class: u16(bytes, end + 2), ttl: u32(bytes, end + 4), start: rdata, end: rdata + length });
    at = rdata + length;
  }
  return { records, end: at };
}

/** Reads a message. Throws WireError. */
export function readMessage(bytes: Uint8Array): WireMessage {
  if (bytes.length < HEADER) throw new WireError('shorter than a header');
  const [questionCount, answerCount, authorityCount, additionalCount] = [u16(bytes, 4), u16(bytes, 6), u16(bytes, 8), u16(bytes, 10)];
  const count = answerCount + authorityCount + additionalCount;
  if (questionCount > 1) throw new WireError(`${questionCount} questions`);
  if (count > MAX_RECORDS) throw new WireError(`${count} records`);
  const names = new Names(bytes);
  const questions: { name: Name; type: number; class: number }[] = [];
  let at = HEADER;
  for (let index = 0; index < questionCount; index += 1) {
    const { name, end } = names.read(at);
    questions.push({ name, type: u16(bytes, end), class: u16(bytes, end + 2) });
    at = end + 4;
  }
  const flags = u16(bytes, 2);
  const head = { bytes, names, id: u16(bytes, 0), flags, questions, questionEnd: at };
  if ((flags & 0x0200) !== 0) return { ...head, answers: [], authorities: [], additionals: [] }; // TC: what follows may be cut anywhere
  const answers = readRecords(bytes, names, at, answerCount);
  const authorities = readRecords(bytes, names, answers.end, authorityCount);
  const additionals = readRecords(bytes, names, authorities.end, additionalCount);
  return { ...head, answers: answers.records, authorities: authorities.records, additionals: additionals.records };
}
