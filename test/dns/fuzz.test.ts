/**
 * 100,000 messages and more: well-formed ones, cut, spliced and with octets changed, and noise. Nothing throws, nothing takes long, and
 * nothing stays. FUZZ_SEED=N begins elsewhere.
 */
import test from 'ava';
import { viewOf } from '../../src/daemon/dns-view.ts';
import { analyse } from '../../src/dns/answer.ts';
import { fill, fittedAnswer } from '../../src/dns/render.ts';
import { parseRequest } from '../../src/dns/request.ts';
import { confinements } from '../ruleset/policies.ts';
import { dice } from '../kernel/dice.ts';
import { a, aaaa, cname, ipv4, ipv6, labels, message, name, opt, pointer, QNAME, query, questionOf, record, soa, svcb, u16, u32 } from './bytes.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const MESSAGES = 120_000;
/** Milliseconds for one message, on a machine that does much else: what takes longer hangs. */
const LONGEST = 5000;

const [confinement] = confinements('service: webapp\nmatch: { user: 1001 }\negress:\n  allow:\n    - to: ["*.hostile.net", api.example.net]\n      ports: [443]\n');
const host = name('api.hostile.net');

const seeds: readonly Buffer[] = [
  query(host),
  query(host, 28, { additionals: [opt({ dnssecOk: true })] }),
  message({ question: questionOf(host, 1), answers: [a('45.64.7.1'), a('10.0.0.1'), a('127.0.0.1')], additionals: [opt()] }),
  message({ question: questionOf(host, 28), answers: [aaaa('2a0f:9400:7::1'), aaaa('::ffff:a00:1'), aaaa('64:ff9b::a00:1')] }),
  message({ question: questionOf(host, 1), answers: [cname(QNAME, name('x.example')), cname(name('x.example'), name('y.example')), a('45.64.7.1', name('y.example'))] }),
  message({ question: questionOf(host, 65), answers: [record(QNAME, 65, svcb(1, name('.'), [[0, u16(4)], [1, Buffer.from('\u0002h2')], [4, Buffer.concat([ipv4('45.64.7.1'), ipv4('10.0.0.1')])], [6, ipv6('::1')]]))] }),
  message({ question: questionOf(host, 15), answers: [record(QNAME, 15, Buffer.concat([u16(10), pointer(16)])), record(QNAME, 33, Buffer.concat([u32(1), u16(443), name('srv.example')]))], authorities: [record(pointer(16), 2, name('ns.example'))] }),
  message({ flags: 0x8183, question: questionOf(host, 1), authorities: [soa(name('hostile.net'))] }),
  message({ question: questionOf(host, 255), answers: [record(QNAME, 16, Buffer.from('\u0002ok')), record(QNAME, 46, Buffer.alloc(40, 1)), record(labels('a.b', '\0'), 1, ipv4('45.64.7.2'))] }),
];

type Dice = ReturnType<typeof dice>;

function mutate(chance: Dice): Buffer {
  const bytes = Buffer.from(chance.pick(seeds));
  switch (chance.below(7)) {
    case 0:
      return Buffer.from(Array.from({ length: chance.below(200) }, () => chance.below(256)));
    case 1:
      return bytes.subarray(0, chance.below(bytes.length + 1));
    case 2: {
      const other = chance.pick(seeds);
      return Buffer.concat([bytes.subarray(0, chance.below(bytes.length)), other.subarray(chance.below(other.length))]);
    }
    case 3:
      // counts that lie
      bytes[4 + chance.below(8)] = chance.below(256);
      return bytes;
    case 4: {
      // a pointer somewhere
      const at = chance.below(bytes.length - 1);
      bytes.writeUInt16BE(0xc000 | chance.below(bytes.length + 20), at);
      return bytes;
    }
    case 5:
      return Buffer.concat([bytes, bytes.subarray(12)]);
    default:
      for (let count = 1 + chance.below(8); count > 0; count -= 1) bytes[chance.below(bytes.length)] = chance.below(256);
      return bytes;
  }
}

const asked = parseRequest(query(host));
const asker = asked.kind === 'request' ? asked.request : null;

/** All that is done to a message on its way. */
function digest(bytes: Buffer): void {
  const parsed = parseRequest(bytes);
  const analysed = analyse(bytes);
  if (!analysed.ok || confinement === undefined) return;
  const view = viewOf({ analysis: analysed.analysis, confinement, rules: confinement.allow, audit: false });
  const request = parsed.kind === 'request' ? parsed.request : asker;
  if (view === null || request === null) return;
  const answer = fill(view.template, request, { age: 1, maxTtl: 60, error: { code: 17, text: 'x' } });
  fittedAnswer(request, answer, 512);
}

test('whatever comes, nothing throws, hangs or stays', (t) => {
  t.timeout(120_000);
  const chance = dice(SEED);
  let slowest = 0;
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < MESSAGES; count += 1) {
    const bytes = mutate(chance);
    const began = performance.now();
    try {
      digest(bytes);
    } catch (error) {
      return t.fail(`message ${count} of FUZZ_SEED=${SEED}: ${bytes.toString('hex')}: ${String(error)}`);
    }
    slowest = Math.max(slowest, performance.now() - began);
  }
  t.true(slowest < LONGEST, `${slowest} ms`);
  t.true(process.memoryUsage().heapUsed - before < 300 * 1024 * 1024);
  return undefined;
});

/** A name of 117 labels, and others. */
const many = labels(...Array.from({ length: 117 }, (_, index) => String.fromCharCode(97 + (index % 26))));
const below = (index: number) => labels(`${index}`, ...Array.from({ length: 116 }, () => 'x'));

/** Messages of 64 KB that are as much work as can be. */
const heavy: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['as many records as fit, each a pointer', message({ question: questionOf(host, 1), answers: Array.from({ length: 4000 }, () => a('45.64.7.1')) })],
  ['a CNAME of each record, all of the question', message({ question: questionOf(host, 1), answers: Array.from({ length: 3000 }, () => cname(QNAME, QNAME)) })],
  ['names as long as can be, behind chains of pointers', (() => {
    const long = labels('x'.repeat(60), 'x'.repeat(60), 'x'.repeat(60), 'x'.repeat(50));
    const first = 12 + questionOf(host, 1).length;
    const records = [record(long, 16, Buffer.from('\u0000'))];
    let last = first;
    let at = first + (records[0]?.length ?? 0);
    while (at < 0x3fff) {
      const next = record(pointer(last), 16, Buffer.from('\u0000'));
      records.push(next);
      last = at;
      at += next.length;
    }
    while (records.length < 4200) {
      const next = record(pointer(last), 1, ipv4('45.64.7.1'));
      records.push(next);
      at += next.length;
    }
    return message({ question: questionOf(host, 1), answers: records });
  })()],
  ['a long name, and each record a pointer to it', message({ question: questionOf(many, 1), answers: Array.from({ length: 4100 }, () => record(QNAME, 16, Buffer.from('\u0001x'))) })],
  ['eight aliases of as many labels, and each record a pointer', message({
    question: questionOf(many, 1),
    answers: [
      ...Array.from({ length: 8 }, (_, index) => cname(index === 0 ? QNAME : below(index), below(index + 1))),
      ...Array.from({ length: 4100 }, () => record(QNAME, 46, Buffer.from('x'))),
    ],
  })],
  ['thousands of pointers to pointers, and each record a pointer to the last', (() => {
    const first = 12 + questionOf(many, 1).length + 12;
    const pointers = Array.from({ length: 8000 }, (_, index) => pointer(index === 0 ? 12 : first + 2 * (index - 1)));
    return message({ question: questionOf(many, 1), answers: [record(QNAME, 16, Buffer.concat(pointers)), ...Array.from({ length: 3900 }, () => record(pointer(first + 2 * 7999), 16, Buffer.alloc(0)))] });
  })()],
  ['each record a pointer to another end of names', (() => {
    const first = 12 + questionOf(host, 1).length + 12;
    const area = Buffer.concat(Array.from({ length: 60 }, () => Buffer.concat([Buffer.alloc(252, 1), Buffer.from([0])])));
    return message({ question: questionOf(host, 1), answers: [record(QNAME, 16, area), ...Array.from({ length: 3400 }, (_, index) => record(pointer(first + 253 * (index % 60) + 2 * Math.floor(index / 60)), 16, Buffer.alloc(0)))] });
  })()],
  ['thousands of address hints of a name that has many labels', (() => {
    const at = 12 + questionOf(host, 65).length + 12;
    return message({ question: questionOf(host, 65), answers: [record(QNAME, 16, many), ...Array.from({ length: 2300 }, () => record(QNAME, 65, svcb(1, pointer(at), [[4, ipv4('45.64.7.1')]])))] });
  })()],
  ['chains of CNAMEs over and over', message({ question: questionOf(host, 1), answers: Array.from({ length: 2000 }, (_, index) => cname(index % 9 === 0 ? QNAME : name(`l${index % 9}.e`), name(`l${(index % 9) + 1}.e`))) })],
];
for (const [what, bytes] of heavy) {
  test(`64 KB of work: ${what}`, (t) => {
    t.true(bytes.length <= 65_535 + 12, `${bytes.length} octets`);
    digest(bytes);
    const began = performance.now();
    digest(bytes);
    const took = performance.now() - began;
    t.log(`${bytes.length} octets: ${took.toFixed(1)} ms`);
    t.true(took < LONGEST, `${took} ms`);
  });
}
