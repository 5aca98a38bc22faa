/** Fields of a DNS message (RFC 1035 §2.3.2), never from beyond its end. */

/** RFC 1035 §4.1.1: nothing shorter is a message. */
export const HEADER = 12;

/** The message is not one; `message` says why. */
export class WireError extends Error {}

export const u16 = (bytes: Uint8Array, at: number): number => {
  if (at + 2 > bytes.length) throw new WireError('message ends within a field');
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
};
export const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);
