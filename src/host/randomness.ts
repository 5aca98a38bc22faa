/** Unpredictable numbers without asking the kernel for each of them. */
import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(4096);
let at = pool.length;
let bits = 0;
let bitsLeft = 0;

/** 0 to 65535. */
export function random16(): number {
  if (at + 2 > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  const value = pool.readUInt16BE(at);
  // what was handed out is not kept
  pool.writeUInt16BE(0, at);
  at += 2;
  return value;
}

export function randomBit(): number {
  if (bitsLeft === 0) {
    bits = random16();
    bitsLeft = 16;
  }
  bitsLeft -= 1;
  return (bits >> bitsLeft) & 1;
}
