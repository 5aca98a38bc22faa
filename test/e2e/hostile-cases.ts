/**
 * What hostile or broken name servers do, a case each. The number of a case is in the name that is asked for, so that one server
 * plays them all: `c7.hostile.net`. Every case has addresses of its own: `here(7, 1)`, so that the kernel's sets tell who opened what.
 */
import { a, aaaa, cname, ipv4, ipv6, labels, message, name, pointer, QNAME, record, soa, svcb, u16 } from '../dns/bytes.ts';

export type Asked = {
  readonly number: number;
  readonly id: number;
  readonly question: Buffer;
  /** Of the question's name, in octets behind the header. */
  readonly nameLength: number;
  readonly type: number;
  readonly transport: 'udp' | 'tcp';
  /** How often this question was asked before. */
  readonly before: number;
};

export type Reply = {
  readonly bytes?: Uint8Array;
  /** Milliseconds. */
  readonly after?: number;
  /** From another address or port of the server. */
  readonly from?: 'address' | 'port';
  /** TCP: one octet at a time, or without the length in front. */
  readonly trickle?: boolean;
  readonly raw?: boolean;
  readonly close?: boolean;
};

export type Expected = {
  readonly rcode: number;
  /** Addresses in the answer, in any order. */
  readonly addresses?: readonly string[];
  readonly ede?: number;
  readonly truncated?: boolean;
  /** What the kernel lets the service reach of the case's own addresses; default: what is in the answer. */
  readonly opened?: readonly string[];
  readonly guarded?: readonly string[];
  /** Largest TTL shown. */
  readonly ttl?: number;
  /** Record types in the answer section, in order. */
  readonly types?: readonly number[];
};

export type HostileCase = {
  readonly title: string;
  readonly type?: number;
  readonly transport?: 'udp' | 'tcp';
  readonly replies: (asked: Asked) => readonly Reply[];
  readonly expected: Expected;
};

/** An address of a case. */
export const here = (number: number, last: number): string => `45.65.${number}.${last}`;
const here6 = (number: number, last: number): string => `2a0f:9400:${number.toString(16)}::${last}`;

const SERVFAIL = 2;
const FILTERED = 17;
const A = 1;
const AAAA = 28;
const HTTPS = 65;

/** An honest answer to what was asked. */
const honest = (asked: Asked, answers: readonly Uint8Array[], more: Parameters<typeof message>[0] = {}): Buffer => message({ id: asked.id, question: asked.question, answers, ...more });
const one = (asked: Asked, last = 1): Buffer => honest(asked, [a(here(asked.number, last))]);
const only = (bytes: Uint8Array): Reply[] => [{ bytes }];
/** First a forgery, then the truth. */
const forged = (change: (bytes: Buffer) => void): HostileCase['replies'] => (asked) => {
  const bytes = one(asked, 66);
  change(bytes);
  return [{ bytes }, { bytes: one(asked) }];
};
const truth = (number: number): Expected => ({ rcode: 0, addresses: [here(number, 1)] });
const failed: Expected = { rcode: SERVFAIL, addresses: [] };
/** A chain of so many CNAMEs to an address. */
const chain = (asked: Asked, length: number): Buffer => {
  const link = (index: number) => (index === 0 ? QNAME : name(`l${index}.elsewhere.org`));
  return honest(asked, [...Array.from({ length }, (_, index) => cname(link(index), name(`l${index + 1}.elsewhere.org`))), a(here(asked.number, 1), link(length))]);
};
const guardedAddress = (special: string, reply: (asked: Asked, special: string) => Uint8Array, type = A): Omit<HostileCase, 'title'> => ({
  type,
  replies: (asked) => only(honest(asked, [reply(asked, special), type === A ? a(here(asked.number, 1)) : aaaa(here6(asked.number, 1))])),
  expected: { rcode: 0, ede: FILTERED, guarded: [special] },
});
const specialA = (special: string) => guardedAddress(special, () => a(special));
const specialAaaa = (special: string) => guardedAddress(special, () => aaaa(special), AAAA);
const hints = (addresses: readonly string[]): [number, Buffer] => [4, Buffer.concat(addresses.map(ipv4))];
const https = (asked: Asked, target: Buffer, params: Parameters<typeof svcb>[2]): Buffer => honest(asked, [record(QNAME, HTTPS, svcb(1, target, params))]);

type Draft = Omit<HostileCase, 'expected'> & { readonly expected: Expected | ((number: number) => Expected) };

const drafts: readonly Draft[] = [
  { title: 'an honest answer', replies: (asked) => only(one(asked)), expected: truth },
  { title: 'spoofed from another address', replies: (asked) => [{ bytes: one(asked, 66), from: 'address' }, { bytes: one(asked), after: 30 }], expected: truth },
  { title: 'spoofed from another port', replies: (asked) => [{ bytes: one(asked, 66), from: 'port' }, { bytes: one(asked), after: 30 }], expected: truth },
  { title: 'another id', replies: forged((bytes) => bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 0x5555, 0)), expected: truth },
  { title: 'another letter case', replies: forged((bytes) => bytes.writeUInt8(bytes.readUInt8(13) ^ 0x20, 13)), expected: truth },
  { title: 'another name', replies: forged((bytes) => bytes.writeUInt8(0x78, 13)), expected: truth },
  { title: 'another type', replies: (asked) => [{ bytes: message({ id: asked.id, question: Buffer.concat([asked.question.subarray(0, -4), u16(AAAA), u16(1)]), answers: [a(here(asked.number, 66))] }) }, { bytes: one(asked) }], expected: truth },
  { title: 'another class', replies: (asked) => [{ bytes: message({ id: asked.id, question: Buffer.concat([asked.question.subarray(0, -2), u16(3)]), answers: [a(here(asked.number, 66))] }) }, { bytes: one(asked) }], expected: truth },
  { title: 'a query instead of a response', replies: forged((bytes) => bytes.writeUInt16BE(0x0100, 2)), expected: truth },
  { title: 'another opcode', replies: forged((bytes) => bytes.writeUInt16BE(0xa180, 2)), expected: truth },
  { title: 'two questions', replies: (asked) => [{ bytes: honest(asked, [], { question: Buffer.concat([asked.question, asked.question]), counts: [2, 0, 0, 0] }) }, { bytes: one(asked) }], expected: truth },
  { title: 'no question', replies: (asked) => [{ bytes: message({ id: asked.id, answers: [a(here(asked.number, 66), name('c0.hostile.net'))] }) }, { bytes: one(asked) }], expected: truth },
  { title: 'an empty datagram, three octets, and noise', replies: (asked) => [{ bytes: Buffer.alloc(0) }, { bytes: Buffer.from('abc') }, { bytes: Buffer.alloc(512, 0xa5) }, { bytes: one(asked) }], expected: truth },
  { title: 'an address of another name in the answer', replies: (asked) => only(honest(asked, [a(here(asked.number, 1)), a(here(asked.number, 66), name('c0.hostile.net'))])), expected: truth },
  { title: 'an address in the authority section', replies: (asked) => only(honest(asked, [a(here(asked.number, 1))], { authorities: [a(here(asked.number, 66))] })), expected: truth },
  { title: 'an address in the additional section', replies: (asked) => only(honest(asked, [a(here(asked.number, 1))], { additionals: [a(here(asked.number, 66))] })), expected: truth },
  { title: 'an address of class CHAOS', replies: (asked) => only(honest(asked, [a(here(asked.number, 1)), record(QNAME, A, ipv4(here(asked.number, 66)), { klass: 3 })])), expected: truth },
  { title: 'a CNAME into another zone', replies: (asked) => only(honest(asked, [cname(QNAME, name('www.elsewhere.org')), a(here(asked.number, 1), name('www.elsewhere.org'))])), expected: (n) => ({ ...truth(n), types: [5, 1] }) },
  { title: 'a CNAME whose address is not of its target', replies: (asked) => only(honest(asked, [cname(QNAME, name('www.elsewhere.org')), a(here(asked.number, 66), name('w3.elsewhere.org'))])), expected: { rcode: 0, addresses: [], types: [5] } },
  { title: 'a CNAME out of nowhere', replies: (asked) => only(honest(asked, [a(here(asked.number, 1)), cname(name('bank.example'), QNAME)])), expected: (n) => ({ ...truth(n), types: [1] }) },
  { title: 'a CNAME to itself', replies: (asked) => only(honest(asked, [cname(QNAME, QNAME)])), expected: failed },
  { title: 'a loop of CNAMEs', replies: (asked) => only(honest(asked, [cname(QNAME, name('x.elsewhere.org')), cname(name('x.elsewhere.org'), QNAME), a(here(asked.number, 66))])), expected: failed },
  { title: 'eight CNAMEs', replies: (asked) => only(chain(asked, 8)), expected: truth },
  { title: 'nine CNAMEs', replies: (asked) => only(chain(asked, 9)), expected: failed },
  { title: 'two CNAMEs of one name', replies: (asked) => only(honest(asked, [cname(QNAME, name('x.elsewhere.org')), cname(QNAME, name('y.elsewhere.org')), a(here(asked.number, 66), name('y.elsewhere.org'))])), expected: failed },
  { title: 'CNAMEs in the wrong order', replies: (asked) => only(honest(asked, [a(here(asked.number, 1), name('y.elsewhere.org')), cname(name('x.elsewhere.org'), name('y.elsewhere.org')), cname(QNAME, name('x.elsewhere.org'))])), expected: truth },
  { title: 'a pointer to itself', replies: (asked) => only(honest(asked, [a(here(asked.number, 66), pointer(12 + asked.question.length))])), expected: failed },
  { title: 'a pointer forwards', replies: (asked) => only(honest(asked, [a(here(asked.number, 66), pointer(12 + asked.question.length + 20))])), expected: failed },
  { title: 'two pointers at each other', replies: (asked) => only(honest(asked, [cname(pointer(12 + asked.question.length + 12), pointer(12 + asked.question.length))])), expected: failed },
  { title: 'a bomb of pointers', replies: (asked) => {
    const label = Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 0x61)]);
    const first = 12 + asked.question.length + 12;
    const links = Array.from({ length: 400 }, (_, index) => record(QNAME, 5, Buffer.concat([label, index === 0 ? QNAME : pointer(first + (index - 1) * (12 + 66))])));
    return only(honest(asked, links));
  }, expected: failed },
  { title: 'a name of more than 255 octets', replies: (asked) => only(honest(asked, [a(here(asked.number, 66), labels(...Array.from({ length: 5 }, () => 'x'.repeat(60))))])), expected: failed },
  { title: 'a label type that nobody has defined', replies: (asked) => only(honest(asked, [a(here(asked.number, 66), Buffer.from([0x41, 0x61, 0]))])), expected: failed },
  { title: 'an address of three octets', replies: (asked) => only(honest(asked, [record(QNAME, A, Buffer.from([45, 65, 1]))])), expected: failed },
  { title: 'an address of five octets', replies: (asked) => only(honest(asked, [record(QNAME, A, Buffer.from([45, 65, 1, 66, 0]))])), expected: failed },
  { title: 'an IPv6 address of four octets', type: AAAA, replies: (asked) => only(honest(asked, [record(QNAME, AAAA, ipv4(here(asked.number, 66)))])), expected: failed },
  { title: 'record data that reaches past the message', replies: (asked) => only(honest(asked, [record(QNAME, A, ipv4(here(asked.number, 66)), { length: 400 })])), expected: failed },
  { title: 'more answers announced than there are', replies: (asked) => only(honest(asked, [a(here(asked.number, 66))], { counts: [1, 9, 0, 0] })), expected: failed },
  { title: '65,535 answers announced', replies: (asked) => only(honest(asked, [a(here(asked.number, 66))], { counts: [1, 65_535, 65_535, 65_535] })), expected: failed },
  { title: 'octets behind the last record', replies: (asked) => only(Buffer.concat([one(asked), Buffer.alloc(40, 0xff)])), expected: truth },
  { title: 'a TTL of zero', replies: (asked) => only(honest(asked, [a(here(asked.number, 1), QNAME, 0)])), expected: (n) => ({ ...truth(n), ttl: 0 }) },
  { title: 'a TTL of 2^31', replies: (asked) => only(honest(asked, [a(here(asked.number, 1), QNAME, 2 ** 31)])), expected: (n) => ({ ...truth(n), ttl: 0 }) },
  { title: 'a TTL of 2^31 - 1', replies: (asked) => only(honest(asked, [a(here(asked.number, 1), QNAME, 2 ** 31 - 1)])), expected: (n) => ({ ...truth(n), ttl: 3600 }) },
  { title: 'a good address beside a private one', ...specialA('10.20.0.5'), expected: (n) => ({ ...specialA('10.20.0.5').expected, addresses: [here(n, 1)] }) },
  ...['127.0.0.1', '169.254.169.254', '192.168.7.9', '172.16.0.1', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '240.0.0.1', '192.0.2.1', '198.18.0.1'].map(
    (special): Draft => ({ title: `a good address beside ${special}`, ...specialA(special), expected: (n) => ({ ...specialA(special).expected, addresses: [here(n, 1)] }) }),
  ),
  ...['::1', '::', 'fe80::1', 'fd00::9', 'ff02::1', '64:ff9b::a14:5', '2002:a14:5::1', '2001::1', '2001:db8::1', 'fec0::1', '100::1'].map(
    (special): Draft => ({ title: `a good address beside ${special}`, ...specialAaaa(special), expected: (n) => ({ ...specialAaaa(special).expected, addresses: [here6(n, 1)] }) }),
  ),
  { title: 'a private address inside an IPv4-mapped one', type: AAAA, replies: (asked) => only(honest(asked, [aaaa('::ffff:a14:5'), aaaa(here6(asked.number, 1))])), expected: (n) => ({ rcode: 0, addresses: [here6(n, 1)], ede: FILTERED, guarded: ['10.20.0.5'] }) },
  { title: 'nothing but private addresses', replies: (asked) => only(honest(asked, [a('10.20.0.5'), a('127.0.0.1')])), expected: { rcode: 0, addresses: [], ede: FILTERED, guarded: ['10.20.0.5', '127.0.0.1'] } },
  { title: 'a private address at the end of a CNAME', replies: (asked) => only(honest(asked, [cname(QNAME, name('in.elsewhere.org')), a('169.254.169.254', name('in.elsewhere.org'))])), expected: { rcode: 0, addresses: [], ede: FILTERED, guarded: ['169.254.169.254'], types: [5] } },
  { title: 'a private address to a question for TXT', type: 16, replies: (asked) => only(honest(asked, [record(QNAME, 16, Buffer.from('\u0002ok')), a('10.20.0.5')])), expected: { rcode: 0, addresses: [], ede: FILTERED, types: [16] } },
  { title: 'truncated over UDP, whole over TCP', replies: (asked) => only(asked.transport === 'udp' ? honest(asked, [], { flags: 0x8380 }) : one(asked)), expected: truth },
  { title: 'truncated over TCP as well', replies: (asked) => only(honest(asked, [], { flags: 0x8380 })), expected: failed },
  { title: 'truncated with a forged address in it', replies: (asked) => only(asked.transport === 'udp' ? honest(asked, [a(here(asked.number, 66))], { flags: 0x8380 }) : one(asked)), expected: truth },
  { title: '64 KB over TCP, fetched over TCP', transport: 'tcp', replies: (asked) => only(asked.transport === 'udp' ? honest(asked, [], { flags: 0x8380 }) : honest(asked, [a(here(asked.number, 1)), ...Array.from({ length: 249 }, () => record(QNAME, 16, Buffer.concat([Buffer.from([249]), Buffer.alloc(249, 0x78)])))])), expected: (n) => ({ ...truth(n) }) },
  { title: 'too large for the datagram of the service: to be fetched over TCP', replies: (asked) => only(asked.transport === 'udp' ? honest(asked, [], { flags: 0x8380 }) : honest(asked, [a(here(asked.number, 1)), ...Array.from({ length: 30 }, () => record(QNAME, 16, Buffer.concat([Buffer.from([99]), Buffer.alloc(99, 0x78)])))])), expected: (n) => ({ rcode: 0, addresses: [here(n, 1)], truncated: true, opened: [here(n, 1)] }) },
  { title: 'trickled over TCP, an octet at a time', replies: (asked) => [asked.transport === 'udp' ? { bytes: honest(asked, [], { flags: 0x8380 }) } : { bytes: one(asked), trickle: true }], expected: truth },
  { title: 'half-closed TCP in the middle of the answer', replies: (asked) => [asked.transport === 'udp' ? { bytes: honest(asked, [], { flags: 0x8380 }) } : { bytes: Buffer.concat([u16(200), one(asked).subarray(0, 20)]), raw: true, close: true }], expected: failed },
  { title: 'a TCP length that is too short', replies: (asked) => [asked.transport === 'udp' ? { bytes: honest(asked, [], { flags: 0x8380 }) } : { bytes: Buffer.concat([u16(5), one(asked)]), raw: true }], expected: failed },
  { title: 'another id over TCP', replies: (asked) => [{ bytes: asked.transport === 'udp' ? honest(asked, [], { flags: 0x8380 }) : message({ id: asked.id ^ 0x5555, question: asked.question, answers: [a(here(asked.number, 66))] }) }], expected: failed },
  { title: 'slow', replies: (asked) => [{ bytes: one(asked), after: 400 }], expected: truth },
  { title: 'the first datagram is lost', replies: (asked) => (asked.before === 0 ? [] : only(one(asked))), expected: truth },
  { title: 'silence', replies: () => [], expected: failed },
  { title: 'answered twice, differently', replies: (asked) => [{ bytes: one(asked) }, { bytes: one(asked, 66) }], expected: truth },
  { title: 'SERVFAIL', replies: (asked) => only(honest(asked, [], { flags: 0x8182 })), expected: failed },
  { title: 'REFUSED', replies: (asked) => only(honest(asked, [], { flags: 0x8185 })), expected: { rcode: 5, addresses: [] } },
  { title: 'SERVFAIL with an address in it', replies: (asked) => only(honest(asked, [a(here(asked.number, 66))], { flags: 0x8182 })), expected: failed },
  { title: 'SERVFAIL first, then an answer', replies: (asked) => only(asked.before === 0 ? honest(asked, [], { flags: 0x8182 }) : one(asked)), expected: truth },
  { title: 'NXDOMAIN', replies: (asked) => only(honest(asked, [], { flags: 0x8183, authorities: [soa(name('hostile.net'))] })), expected: { rcode: 3, addresses: [] } },
  { title: 'no addresses', replies: (asked) => only(honest(asked, [], { authorities: [soa(name('hostile.net'))] })), expected: { rcode: 0, addresses: [] } },
  { title: 'HTTPS with hints', type: HTTPS, replies: (asked) => only(https(asked, name('.'), [[1, Buffer.from('\u0002h2')], hints([here(asked.number, 1)])])), expected: (n) => ({ rcode: 0, addresses: [], types: [HTTPS], opened: [here(n, 1)] }) },
  { title: 'HTTPS with a private hint', type: HTTPS, replies: (asked) => only(https(asked, name('.'), [hints(['10.20.0.5', here(asked.number, 1)]), [6, ipv6('::1')]])), expected: (n) => ({ rcode: 0, addresses: [], types: [HTTPS], ede: FILTERED, opened: [here(n, 1)], guarded: ['10.20.0.5', '::1'] }) },
  { title: 'HTTPS with hints of a name that is not listed', type: HTTPS, replies: (asked) => only(https(asked, name('www.elsewhere.org'), [hints([here(asked.number, 66)])])), expected: { rcode: 0, addresses: [], types: [HTTPS], opened: [] } },
  { title: 'HTTPS that must have the hints that are taken away', type: HTTPS, replies: (asked) => only(https(asked, name('.'), [[0, u16(4)], hints(['10.20.0.5'])])), expected: { rcode: 0, addresses: [], types: [], ede: FILTERED } },
  { title: 'HTTPS with hints of a wrong length', type: HTTPS, replies: (asked) => only(https(asked, name('.'), [[4, Buffer.from([45, 65, 1])]])), expected: failed },
  { title: 'HTTPS whose parameters lie about their length', type: HTTPS, replies: (asked) => only(honest(asked, [record(QNAME, HTTPS, Buffer.concat([svcb(1, name('.'), []), u16(4), u16(400), ipv4('45.65.1.66')]))])), expected: failed },
  { title: 'MX, with the address of its target', type: 15, replies: (asked) => only(honest(asked, [record(QNAME, 15, Buffer.concat([u16(10), name('mail.elsewhere.org')]))], { additionals: [a(here(asked.number, 66), name('mail.elsewhere.org'))] })), expected: { rcode: 0, addresses: [], types: [15], opened: [] } },
  { title: 'SRV, with the address of its target', type: 33, replies: (asked) => only(honest(asked, [record(QNAME, 33, Buffer.concat([u16(1), u16(1), u16(443), name('srv.elsewhere.org')]))], { additionals: [a(here(asked.number, 66), name('srv.elsewhere.org'))] })), expected: { rcode: 0, addresses: [], types: [33], opened: [] } },
  { title: 'ANY', type: 255, replies: (asked) => only(honest(asked, [a(here(asked.number, 1)), a('10.20.0.5'), record(QNAME, 16, Buffer.from('\u0002ok'))])), expected: (n) => ({ ...truth(n), types: [1, 16], ede: FILTERED }) },
  { title: 'an OPT record in the middle, and two of them', replies: (asked) => { const opt = Buffer.concat([Buffer.from([0]), u16(41), u16(1232), Buffer.alloc(4), u16(0)]); return only(honest(asked, [a(here(asked.number, 1))], { additionals: [opt, record(QNAME, 16, Buffer.from('\u0002ok')), opt] })); }, expected: truth },
  { title: 'rebinding: good at first, then inside', replies: (asked) => only(honest(asked, [a(asked.before === 0 ? here(asked.number, 1) : '127.0.0.1', QNAME, 0)])), expected: truth },
];

/** The case that is asked twice, for its second answer. */
export const REBINDING = drafts.length - 1;

export const hostileCases: readonly HostileCase[] = drafts.map((draft, index) => ({ ...draft, expected: typeof draft.expected === 'function' ? draft.expected(index) : draft.expected }));
