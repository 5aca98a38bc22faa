/**
 * A copy that has its memory to itself, for what is kept. `Buffer.from` and `Buffer.concat` take theirs from a slab of 8 KB that many share, so
 * an answer of a hundred octets that stays for minutes would keep all of it.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
