/** HTTPS and SVCB data with fewer address hints (RFC 9460 §7.3, §8). Pure. */
import type { Address } from '../net/address.ts';
import { readAddressAt, svcParams, svcTarget } from './answer.ts';
import type { WireMessage, WireRecord } from './wire.ts';

const MANDATORY = 0;
const SIZES: Readonly<Record<number, 4 | 16>> = { 4: 4, 6: 16 };

function keptHints(bytes: Uint8Array, start: number, end: number, size: 4 | 16, admits: (address: Address) => boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = start; at < end; at += size) {
    if (admits(readAddressAt(bytes, at, size))) parts.push(bytes.subarray(at, at + size));
  }
  return Buffer.concat(parts);
}

function parameter(key: number, value: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(key, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
}

function names(bytes: Uint8Array, start: number, end: number): number[] {
  return Array.from({ length: (end - start) >> 1 }, (_, index) => ((bytes[start + 2 * index] ?? 0) << 8) | (bytes[start + 2 * index + 1] ?? 0));
}

/** The record's data with the hints that are admitted; null: it says that it cannot be used without the others. Throws WireError. */
export function withoutHints(message: WireMessage, record: WireRecord, admits: (address: Address) => boolean): Uint8Array | null {
  const { bytes } = message;
  const target = svcTarget(message, record);
  const parts: Uint8Array[] = [bytes.subarray(record.start, target.end)];
  const gone = new Set<number>();
  let mandatory: number[] = [];
  for (const { key, at, start, end } of svcParams(bytes, target.end, record.end)) {
    const size = SIZES[key];
    if (key === MANDATORY) mandatory = names(bytes, start, end);
    const value = size === undefined ? null : keptHints(bytes, start, end, size, admits);
    if (value === null) parts.push(bytes.subarray(at, end));
    else if (value.length > 0) parts.push(parameter(key, value));
    else gone.add(key);
  }
  return mandatory.some((key) => gone.has(key)) ? null : Buffer.concat(parts);
}
