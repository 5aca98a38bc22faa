/** What of an answer a datagram carries. */
import test from 'ava';
import { fittedAnswer } from '../../src/dns/render.ts';
import { parseRequest } from '../../src/dns/request.ts';
import { readMessage } from '../../src/dns/wire.ts';
import { a, cname, message, name, opt, QNAME, query, questionOf, record, soa } from './bytes.ts';

const HOST = name('api.example.net');
const TC = 0x0200;
const addresses = (count: number) => Array.from({ length: count }, (_, index) => a(`45.64.8.${index}`));
const texts = (count: number) => Array.from({ length: count }, () => record(QNAME, 16, Buffer.alloc(100, 0x63)));

type Parts = { readonly flags?: number; readonly answers?: readonly Buffer[]; readonly authorities?: readonly Buffer[]; readonly additionals?: readonly Buffer[] };
type Fitted = { readonly tc: boolean; readonly answers: number };
const whole = (answers: number): Fitted => ({ tc: false, answers });
const cut = (answers: number): Fitted => ({ tc: true, answers });

// 12 octets of header, 21 of question, 16 for each address, 11 of OPT
const cases: readonly (readonly [what: string, parts: Parts, withoutEdns: Fitted, withEdns: Fitted, dnssecOk: Fitted])[] = [
  ['many addresses', { answers: addresses(100) }, cut(29), cut(29), cut(0)],
  ['as many as fit', { answers: addresses(29), authorities: texts(9) }, whole(29), whole(29), cut(0)],
  ['so many that OPT is too much', { answers: [record(QNAME, 16, Buffer.alloc(10)), ...addresses(28)], authorities: texts(9) }, whole(29), cut(28), cut(0)],
  ['one too many', { answers: addresses(30), authorities: texts(9) }, cut(29), cut(29), cut(0)],
  ['a long authority section', { answers: addresses(2), authorities: texts(9) }, whole(2), whole(2), cut(0)],
  ['long additional records', { answers: addresses(2), additionals: texts(9) }, whole(2), whole(2), cut(0)],
  ['the first record is too long', { answers: [record(QNAME, 16, Buffer.alloc(600)), ...addresses(2)] }, cut(0), cut(0), cut(0)],
  ['no data, and a long authority section', { authorities: [soa(HOST), ...texts(9)] }, cut(0), cut(0), cut(0)],
  ['no such name behind an alias', { flags: 0x8183, answers: [cname(QNAME, name('x.example'))], authorities: texts(9) }, cut(1), cut(1), cut(0)],
];
const REQUESTS: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['without EDNS', query(HOST, 1, { edns: false })],
  ['with EDNS', query(HOST, 1, { additionals: [opt({ payload: 512 })] })],
  ['with DO', query(HOST, 1, { additionals: [opt({ payload: 512, dnssecOk: true })] })],
];

for (const [what, { flags = 0x81a0, ...sections }, ...expected] of cases) {
  test(`into 512 octets: ${what}`, (t) => {
    REQUESTS.forEach(([how, bytes], index) => {
      const parsed = parseRequest(bytes);
      if (parsed.kind !== 'request') return t.fail(how);
      const { request } = parsed;
      const ours = request.edns === null ? [] : [opt({ dnssecOk: request.edns.dnssecOk })];
      const full = message({ id: 0x1234, flags, question: questionOf(HOST, 1), ...sections, additionals: [...(sections.additionals ?? []), ...ours] });
      t.true(full.length > 512);
      const fitted = fittedAnswer(request, full, 512);
      t.true(fitted.length <= 512, `${how}: ${fitted.length}`);
      const tc = (fitted.readUInt16BE(2) & TC) !== 0;
      t.is(fitted.readUInt16BE(2), tc ? flags | TC : flags, how);
      t.is(fitted.readUInt16BE(0), 0x1234);
      // it is read as if it were whole, so that records that are cut are not passed over
      fitted.writeUInt16BE(flags, 2);
      const { answers, authorities, additionals, questionEnd } = readMessage(fitted);
      const end = answers.at(-1)?.end ?? questionEnd;
      t.deepEqual({ tc, answers: answers.length }, expected[index], how);
      t.deepEqual([authorities.length, additionals.map(({ type }) => type)], [0, ours.map(() => 41)], how);
      t.is(additionals.at(-1)?.end ?? end, fitted.length, how);
      t.deepEqual(fitted.subarray(12, end), full.subarray(12, end), how);
      return undefined;
    });
  });
}
