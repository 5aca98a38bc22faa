/** IP packets as bytes, checksums and all: conntrack takes no notice of a packet that is not in order. */
import { type Address, maxValue } from '../../src/net/address.ts';

export const TCP = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

export type Contents =
  | { readonly protocol: 6; readonly fromPort: number; readonly toPort: number; readonly flags: number; readonly sequence: number; readonly acknowledged: number }
  | { readonly protocol: 17; readonly fromPort: number; readonly toPort: number }
  /** ICMP over IPv4, ICMPv6 over IPv6. */
  | { readonly protocol: 'icmp'; readonly type: number; readonly identifier: number }
  /** Anything else: what would be ports elsewhere, then zeros. */
  | { readonly protocol: 'other'; readonly number: number; readonly fromPort: number; readonly toPort: number };

export function addressBytes({ family, value }: Address): Buffer {
  return Buffer.from((value & maxValue(family)).toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}

/** RFC 1071. */
function checksum(...parts: readonly Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function protocolNumber(contents: Contents, { family }: Address): number {
  if (contents.protocol === 'icmp') return family === 4 ? 1 : 58;
  return contents.protocol === 'other' ? contents.number : contents.protocol;
}

/** The header above IP, without its checksum, and where that belongs; -1: nowhere. */
function header(contents: Contents, length: number): { bytes: Buffer; checksumAt: number } {
  switch (contents.protocol) {
    case 6: {
      const bytes = Buffer.alloc(20);
      bytes.writeUInt16BE(contents.fromPort, 0);
      bytes.writeUInt16BE(contents.toPort, 2);
      bytes.writeUInt32BE(contents.sequence, 4);
      bytes.writeUInt32BE(contents.acknowledged, 8);
      bytes.set([5 << 4, contents.flags, 0xff, 0xff], 12);
      return { bytes, checksumAt: 16 };
    }
    case 17: {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16BE(contents.fromPort, 0);
      bytes.writeUInt16BE(contents.toPort, 2);
      bytes.writeUInt16BE(8 + length, 4);
      return { bytes, checksumAt: 6 };
    }
    case 'icmp': {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt8(contents.type, 0);
      bytes.writeUInt16BE(contents.identifier, 4);
      return { bytes, checksumAt: 2 };
    }
    case 'other': {
      const bytes = Buffer.alloc(16);
      // GRE keeps its version here, and conntrack knows some versions better than others
      if (contents.number !== 47) {
        bytes.writeUInt16BE(contents.fromPort, 0);
        bytes.writeUInt16BE(contents.toPort, 2);
      }
      return { bytes, checksumAt: -1 };
    }
  }
}

/** RFC 768, RFC 9293 §3.1, RFC 8200 §8.1. ICMP over IPv4 has none (RFC 792). */
function pseudoHeader(from: Address, to: Address, protocol: number, length: number): Buffer {
  if (protocol === 1) return Buffer.alloc(0);
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt32BE(protocol, 4);
  return Buffer.concat([addressBytes(from), addressBytes(to), tail]);
}

export function packetBytes(from: Address, to: Address, contents: Contents, payload: Buffer = Buffer.alloc(0)): Buffer {
  const protocol = protocolNumber(contents, to);
  const { bytes, checksumAt } = header(contents, payload.length);
  const above = Buffer.concat([bytes, payload]);
  if (checksumAt >= 0) above.writeUInt16BE(checksum(pseudoHeader(from, to, protocol, above.length), above) || 0xffff, checksumAt);
  if (to.family === 6) {
    const ip = Buffer.alloc(8);
    ip.writeUInt8(6 << 4, 0);
    ip.writeUInt16BE(above.length, 4);
    ip.set([protocol, 64], 6);
    return Buffer.concat([ip, addressBytes(from), addressBytes(to), above]);
  }
  const ip = Buffer.alloc(12);
  ip.writeUInt8((4 << 4) | 5, 0);
  ip.writeUInt16BE(20 + above.length, 2);
  ip.writeUInt16BE(1, 4);
  ip.set([64, protocol], 8);
  const whole = Buffer.concat([ip, addressBytes(from), addressBytes(to)]);
  whole.writeUInt16BE(checksum(whole), 10);
  return Buffer.concat([whole, above]);
}
