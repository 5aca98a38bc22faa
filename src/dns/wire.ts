/**
 * A bounded reader of DNS messages (RFC 1035 §4). Names are kept as raw labels: a label may hold any byte, a dot among them, so
 * only labels can be compared. Work is bounded by the message's size: pointers must go backwards, records are counted.
 */

export type Label = Uint8Array;
export type Name = readonly Label[];
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
/** RFC 1035 §3.1: 255 octets, so at most 127 labels. */
const MAX_NAME = 255;
const HEADER = 12;

/** The message is not one; `message` says why. */
export class WireError extends Error {}

const u16 = (bytes: Uint8Array, at: number): number => {
  if (at + 2 > bytes.length) throw new WireError('message ends within a field');
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
};
const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

/** Reads a name; `end` is where the reader goes on. */
export function readName(bytes: Uint8Array, start: number): { readonly name: Name; readonly end: number } {
  const name: Label[] = [];
  let at = start;
  let end: number | null = null;
  let lowest = start;
  let size = 1;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw new WireError('message ends within a name');
    if (length === 0) return { name, end: end ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      const target = u16(bytes, at) & 0x3fff;
      // only ever backwards: no loop can be built, and no pointer is followed twice
      if (target >= lowest || target < HEADER) throw new WireError('compression pointer does not go backwards');
      end ??= at + 2;
      lowest = target;
      at = target;
      continue;
    }
    if ((length & 0xc0) !== 0) throw new WireError('unknown label type');
    if (at + 1 + length > bytes.length) throw new WireError('message ends within a label');
    size += length + 1;
    if (size > MAX_NAME) throw new WireError('name is longer than 255 octets');
    name.push(bytes.subarray(at + 1, at + 1 + length));
    at += length + 1;
  }
}

function readRecords(bytes: Uint8Array, start: number, count: number): { readonly records: WireRecord[]; readonly end: number } {
  const records: WireRecord[] = [];
  let at = start;
  for (let index = 0; index < count; index += 1) {
    const { name, end } = readName(bytes, at);
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
  const questions: { name: Name; type: number; class: number }[] = [];
  let at = HEADER;
  for (let index = 0; index < questionCount; index += 1) {
    const { name, end } = readName(bytes, at);
    questions.push({ name, type: u16(bytes, end), class: u16(bytes, end + 2) });
    at = end + 4;
  }
  const flags = u16(bytes, 2);
  const head = { bytes, id: u16(bytes, 0), flags, questions, questionEnd: at };
  if ((flags & 0x0200) !== 0) return { ...head, answers: [], authorities: [], additionals: [] }; // TC: what follows may be cut anywhere
  const answers = readRecords(bytes, at, answerCount);
  const authorities = readRecords(bytes, answers.end, authorityCount);
  const additionals = readRecords(bytes, authorities.end, additionalCount);
  return { ...head, answers: answers.records, authorities: authorities.records, additionals: additionals.records };
}

/** ASCII letters alone fold (RFC 4343): U+212A is no K here. */
const fold = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);

export function sameName(a: Name, b: Name, caseMatters = false): boolean {
  return (
    a.length === b.length &&
    a.every((label, index) => {
      const other = b[index];
      return other !== undefined && label.length === other.length && label.every((byte, at) => (caseMatters ? byte === other[at] : fold(byte) === fold(other[at] ?? 0)));
    })
  );
}

/**
 * A name as policies write it, in lower case; null: it is not such a name. A label with a dot or another octet in it that no host
 * name has is thus never taken for two labels of a name that is listed.
 */
export function hostName(name: Name): string | null {
  let text = '';
  for (const label of name) {
    if (text !== '') text += '.';
    for (const octet of label) {
      const byte = fold(octet);
      const plain = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f;
      if (!plain) return null;
      text += String.fromCharCode(byte);
    }
  }
  return text === '' ? null : text;
}
