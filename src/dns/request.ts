/** A query as a service sends it. Pure; what cannot be answered says with which code to refuse it. */
import { hostName, Names } from './names.ts';
import { HEADER, WireError } from './octets.ts';
import { CLASS_IN, FLAG, RCODE, TYPE } from './types.ts';

/** What the client says of EDNS (RFC 6891); `payload`: the largest datagram it takes. */
export type Edns = { readonly payload: number; readonly dnssecOk: boolean };

export type Request = {
  readonly id: number;
  readonly flags: number;
  /** The question section as it was sent, letter case included. */
  readonly question: Uint8Array;
  /** Null: no name that a policy could list. */
  readonly host: string | null;
  readonly type: number;
  readonly edns: Edns | null;
};

/** `drop`: not worth an answer: no query, or too short to be answered. */
export type ParsedRequest = { readonly kind: 'request'; readonly request: Request } | { readonly kind: 'refuse'; readonly request: Request | null; readonly id: number; readonly flags: number; readonly rcode: number } | { readonly kind: 'drop' };

/** Nothing a stub resolver asks is longer: a name of 255 octets, and EDNS options beside it. */
const MAX_REQUEST = 1024;
const MIN_PAYLOAD = 512;
/** Larger datagrams are not needed to be fast on loopback, and answers beyond this go over TCP. */
const MAX_PAYLOAD = 4096;

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** EDNS from the additional section; `version` above 0 is answered with BADVERS. Throws WireError. */
function readEdns(bytes: Uint8Array, names: Names, start: number, count: number): { readonly edns: Edns | null; readonly version: number } {
  let at = start;
  let found: { edns: Edns; version: number } | null = null;
  for (let index = 0; index < count; index += 1) {
    const { name, end } = names.read(at);
    if (end + 10 > bytes.length) throw new WireError('record is cut');
    const length = u16(bytes, end + 8);
    if (end + 10 + length > bytes.length) throw new WireError('record data reaches past the message');
    if (u16(bytes, end) === TYPE.OPT) {
      if (found !== null || name.key !== '') throw new WireError('more than one OPT, or one with a name');
      const payload = Math.min(Math.max(u16(bytes, end + 2), MIN_PAYLOAD), MAX_PAYLOAD);
      found = { edns: { payload, dnssecOk: (u16(bytes, end + 6) & 0x8000) !== 0 }, version: bytes[end + 5] ?? 0 };
    }
    at = end + 10 + length;
  }
  return found ?? { edns: null, version: 0 };
}

/** Reads a query. Never throws. */
export function parseRequest(bytes: Uint8Array): ParsedRequest {
  if (bytes.length < HEADER) return { kind: 'drop' };
  const id = u16(bytes, 0);
  const flags = u16(bytes, 2);
  if ((flags & FLAG.QR) !== 0) return { kind: 'drop' }; // answering answers makes loops
  const refuse = (rcode: number, request: Request | null = null): ParsedRequest => ({ kind: 'refuse', request, id, flags, rcode });
  if ((flags & FLAG.OPCODE) !== 0) return refuse(RCODE.NOTIMP);
  if (bytes.length > MAX_REQUEST || u16(bytes, 4) !== 1 || u16(bytes, 6) !== 0 || u16(bytes, 8) !== 0 || u16(bytes, 10) > 4) return refuse(RCODE.FORMERR);
  try {
    const names = new Names(bytes);
    const { name, end } = names.read(HEADER);
    if (end + 4 > bytes.length) return refuse(RCODE.FORMERR);
    const type = u16(bytes, end);
    const { edns, version } = readEdns(bytes, names, end + 4, u16(bytes, 10));
    const request: Request = { id, flags, question: bytes.subarray(HEADER, end + 4), host: hostName(name), type, edns };
    if (version > 0) return refuse(RCODE.BADVERS, request);
    if (u16(bytes, end + 2) !== CLASS_IN) return refuse(RCODE.REFUSED, request);
    // zone transfers are no look-ups, and OPT, TSIG and the like no types to ask for (RFC 6895 §3.1)
    if (type === 0 || type === TYPE.OPT || (type >= 128 && type < TYPE.ANY && type !== TYPE.ANY)) return refuse(RCODE.NOTIMP, request);
    return { kind: 'request', request };
  } catch (error) {
    if (error instanceof WireError) return refuse(RCODE.FORMERR);
    throw error;
  }
}

/** How large a datagram the client takes. */
export const payloadOf = ({ edns }: Request): number => edns?.payload ?? MIN_PAYLOAD;
