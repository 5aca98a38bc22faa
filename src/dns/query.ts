/** Questions that go upstream, and how an answer to one is told from a forgery. Pure. */
import { HEADER } from './octets.ts';
import { FLAG, TYPE, UDP_PAYLOAD } from './types.ts';

/** `name`: ASCII lower case, without the final dot, of labels that were checked. `type`: as on the wire. */
export type Question = { readonly name: string; readonly type: number; readonly dnssecOk: boolean };

export type SentQuery = {
  readonly id: number;
  readonly bytes: Buffer;
  /** Where the question section ends; it begins behind the header. */
  readonly questionEnd: number;
};

const OPT_SIZE = 11;

/** `bit()`: 0 or 1, unpredictable: the letter case that an answer must repeat (0x20). With AD: whether it is validated is asked for (RFC 6840 §5.7), and told to clients that ask, too. */
export function buildQuery({ name, type, dnssecOk }: Question, id: number, bit: () => number): SentQuery {
  const questionEnd = HEADER + name.length + 2 + 4;
  const bytes = Buffer.alloc(questionEnd + OPT_SIZE);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(FLAG.RD | FLAG.AD, 2);
  bytes[5] = 1;
  bytes[11] = 1;
  let length = HEADER;
  let at = HEADER + 1;
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code === 0x2e) {
      bytes[length] = at - length - 1;
      length = at;
      at += 1;
      continue;
    }
    bytes[at] = code >= 0x61 && code <= 0x7a && bit() === 1 ? code - 0x20 : code;
    at += 1;
  }
  bytes[length] = at - length - 1;
  bytes.writeUInt16BE(type, questionEnd - 4);
  bytes[questionEnd - 1] = 1;
  bytes.writeUInt16BE(TYPE.OPT, questionEnd + 1);
  bytes.writeUInt16BE(UDP_PAYLOAD, questionEnd + 3);
  if (dnssecOk) bytes[questionEnd + 7] = 0x80;
  return { id, bytes, questionEnd };
}

/** Whether a message answers exactly this query: id, a response, the one question letter for letter. Never throws. */
export function answersQuery(message: Uint8Array, { bytes, questionEnd }: SentQuery): boolean {
  if (message.length < questionEnd || message[0] !== bytes[0] || message[1] !== bytes[1]) return false;
  if (((message[2] ?? 0) & 0xf8) !== 0x80 || message[4] !== 0 || message[5] !== 1) return false;
  for (let at = HEADER; at < questionEnd; at += 1) if (message[at] !== bytes[at]) return false;
  return true;
}

export const isTruncated = (message: Uint8Array): boolean => ((message[2] ?? 0) & (FLAG.TC >> 8)) !== 0;
export const rcodeOf = (message: Uint8Array): number => (message[3] ?? 0) & FLAG.RCODE;
export const isAuthenticated = (message: Uint8Array): boolean => ((message[3] ?? 0) & FLAG.AD) !== 0;

/** Gives the question of an answer the letter case that policies have. */
export function lowerQuestion(message: Uint8Array, { questionEnd }: SentQuery): void {
  for (let at = HEADER; at < questionEnd - 4; at += 1) {
    const byte = message[at] ?? 0;
    // a length octet is at most 63, no letter
    if (byte >= 0x41 && byte <= 0x5a) message[at] = byte + 0x20;
  }
}
