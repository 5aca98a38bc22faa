/** Numbers of the DNS that more than one file here needs (IANA DNS parameters). */
export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, AAAA: 28, SRV: 33, DNAME: 39, OPT: 41, RRSIG: 46, SVCB: 64, HTTPS: 65, ANY: 255, IXFR: 251, AXFR: 252 } as const;
export const CLASS_IN = 1;
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;
/** Bits of the header's second field. */
export const FLAG = { QR: 0x8000, OPCODE: 0x7800, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, Z: 0x0040, AD: 0x0020, CD: 0x0010, RCODE: 0x000f } as const;
/** Extended DNS errors (RFC 8914 §4). */
export const EDE = { OTHER: 0, STALE_ANSWER: 3, BLOCKED: 15, FILTERED: 17, NOT_READY: 14, NO_REACHABLE_AUTHORITY: 22, NETWORK_ERROR: 23, PROHIBITED: 18 } as const;
/** Fits any path without fragments (DNS flag day 2020). */
export const UDP_PAYLOAD = 1232;

/** RFC 2181 §8: a TTL with the top bit set is zero. */
export const sanitisedTtl = (ttl: number): number => (ttl >= 2 ** 31 ? 0 : ttl);

const NAMES = new Map(Object.entries(TYPE).map(([name, number]) => [number as number, name]));
export const typeName = (type: number): string => NAMES.get(type) ?? `TYPE${type}`;
