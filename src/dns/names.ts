/**
 * The names in one DNS message (RFC 1035 §4.1.4). A label may hold any octet, a dot among them, so names are compared by their labels,
 * each behind its length. Thousands of records may point to one name, and pointers to pointers: what was found behind a pointer is
 * kept, so that reading a name is at most 127 labels, and pointers that nobody followed before.
 */
import { HEADER, u16, WireError } from './octets.ts';

export type Name = {
  /** The labels in lower case, each behind its length, as latin1; empty: the root. The same for names that are the same. */
  readonly key: string;
  /** Where its first labels stand, as they are spelled. */
  readonly start: number;
  readonly stop: number;
  /** The name that a pointer behind them leads to; null: there is nothing more. */
  readonly rest: Name | null;
};

/** Labels up to a pointer or the root. */
type Part = Pick<Name, 'start' | 'stop'>;

/** `end`: where the reader goes on. */
export type Reading = { readonly name: Name; readonly end: number };

/** RFC 1035 §3.1: 255 octets, with the root's. */
const MOST_OCTETS = 254;
const TOO_LONG = 'name is longer than 255 octets';
const MOST_IN_LABEL = 63;
/** A first octet from here on is a pointer's. */
const POINTER = 0xc0;
const DOT = 0x2e;
const ROOT: Name = { key: '', start: 0, stop: 0, rest: null };

const isHostOctet = (byte: number): boolean => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f;

/** ASCII letters alone fold (RFC 4343): U+212A is no K here. Lengths are at most 63, no letters. */
function inLowerCase(bytes: Uint8Array): Buffer {
  const folded = Buffer.from(bytes);
  for (let at = 0; at < folded.length; at += 1) {
    const byte = folded[at] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) folded[at] = byte + 0x20;
  }
  return folded;
}

export class Names {
  readonly #bytes: Uint8Array;
  readonly #folded: Buffer;
  /** By where they begin, for the pointers that lead there. */
  readonly #known = new Map<number, Name>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#folded = inLowerCase(bytes);
  }

  /** Reads the name that begins there. Throws WireError. */
  read(start: number): Reading {
    const parts: Part[] = [];
    let at = start;
    let room = MOST_OCTETS;
    let rest: Name | undefined;
    do {
      const stop = this.#labelsEnd(at, room);
      parts.push({ start: at, stop });
      room -= stop - at;
      if (this.#bytes[stop] === 0) rest = ROOT;
      else {
        at = this.#target(stop, at);
        rest = this.#known.get(at);
      }
    } while (rest === undefined);
    if (rest.key.length > room) throw new WireError(TOO_LONG);
    const stop = parts[0]?.stop ?? start;
    return { name: this.#join(parts, rest), end: stop + (this.#bytes[stop] === 0 ? 1 : 2) };
  }

  /** Where the labels that begin there end: at a pointer or the root. `room`: how many octets there may be. */
  #labelsEnd(start: number, room: number): number {
    let at = start;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined) throw new WireError('message ends within a name');
      if (length === 0 || length >= POINTER) return at;
      if (length > MOST_IN_LABEL) throw new WireError('unknown label type');
      if (at + 1 + length > this.#bytes.length) throw new WireError('message ends within a label');
      at += 1 + length;
      if (at - start > room) throw new WireError(TOO_LONG);
    }
  }

  /** `lowest`: where the labels in front of the pointer begin. */
  #target(pointer: number, lowest: number): number {
    const target = u16(this.#bytes, pointer) & 0x3fff;
    // only ever backwards: no loop can be built
    if (target >= lowest || target < HEADER) throw new WireError('compression pointer does not go backwards');
    return target;
  }

  #join(parts: readonly Part[], rest: Name): Name {
    let name = rest;
    for (const { start, stop } of parts.toReversed()) {
      if (start < stop) name = { key: this.#folded.toString('latin1', start, stop) + name.key, start, stop, rest: name };
      this.#known.set(start, name);
    }
    return name;
  }
}

/**
 * A name as policies write it; null: it is not such a name. A label with a dot or another octet in it that no host name has is thus
 * never taken for two labels of a name that is listed.
 */
export function hostName({ key }: Name): string | null {
  const octets = Buffer.from(key, 'latin1');
  let stop = 0;
  for (let at = 0; at < octets.length; at += 1) {
    const byte = octets[at] ?? 0;
    if (at === stop) {
      octets[at] = DOT;
      stop += 1 + byte;
    } else if (!isHostOctet(byte)) return null;
  }
  return key === '' ? null : octets.toString('latin1', 1);
}

/** The keys of the names that a name is below, the root's included. */
export function keysAbove({ key }: Name): string[] {
  const above: string[] = [];
  for (let at = 0; at < key.length; above.push(key.slice(at))) at += 1 + key.charCodeAt(at);
  return above;
}

/** A name without compression, in its own letter case. */
export function nameBytes(bytes: Uint8Array, name: Name): Uint8Array {
  const plain = Buffer.alloc(name.key.length + 1);
  let at = 0;
  for (let part: Name | null = name; part !== null; part = part.rest) {
    plain.set(bytes.subarray(part.start, part.stop), at);
    at += part.stop - part.start;
  }
  return plain;
}
