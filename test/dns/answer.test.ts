import test from 'ava';
import { analyse } from '../../src/dns/answer.ts';
import { template } from '../../src/dns/render.ts';
import { a, cname, ipv4, labels, message, name, pointer, QNAME, questionOf, record, svcb } from './bytes.ts';

const CNAME = 5;
const DNAME = 39;
const RRSIG = 46;
const asked = name('api.example.net');
const answered = (answers: readonly Uint8Array[], question = asked) => analyse(message({ question: questionOf(question, 1), answers }));

/** Whether a record stays beside an alias and its address. */
function stays(owner: Buffer, type: number, klass = 1): boolean | string {
  const analysed = answered([cname(QNAME, name('edge.cdn.example')), a('45.64.7.1', name('edge.cdn.example')), record(owner, type, Buffer.alloc(4, 1), { klass })]);
  if (!analysed.ok) return analysed.fault;
  const [, , last] = analysed.analysis.message.answers;
  return last !== undefined && !analysed.analysis.foreign.has(last);
}

const owners: readonly (readonly [owner: Buffer, type: number, stays: boolean])[] = [
  [QNAME, 16, true],
  [name('API.Example.NET'), 16, true],
  [name('EDGE.cdn.example'), 1, true],
  [pointer(16), 16, false],
  [name('other.example.net'), 16, false],
  [labels('api.example', 'net'), 16, false],
  [labels('api', 'example.net'), 1, false],
  [labels('api\u0007example\u0003net'), 1, false],
  [name('.'), 16, false],
  [pointer(16), RRSIG, true],
  [name('CDN.example'), DNAME, true],
  [name('.'), RRSIG, true],
  [name('example'), RRSIG, true],
  [QNAME, RRSIG, true],
  [name('pi.example.net'), RRSIG, false],
  [name('ample.net'), RRSIG, false],
  [name('a.api.example.net'), DNAME, false],
  [labels('example.net'), RRSIG, false],
];
for (const [owner, type, expected] of owners) {
  test(`a record of type ${type} of ${JSON.stringify(owner.toString('latin1'))} ${expected ? 'stays' : 'is foreign'}`, (t) => {
    t.is(stays(owner, type), expected);
    t.false(stays(owner, type, 3)); // of another class it never does
  });
}

test('letters of other alphabets do not fold: 0xc0 and 0xe0 are one letter in latin1', (t) => {
  const own = (octet: number) => labels(Buffer.from([octet]), 'net');
  const analysed = answered([record(own(0xe0), 1, ipv4('45.64.7.1')), record(own(0xc0), 1, ipv4('45.64.7.2'))], own(0xc0));
  t.true(analysed.ok);
  if (analysed.ok) t.deepEqual(analysed.analysis.addresses.map(({ address }) => address.value & 0xffn), [2n]);
});

const link = (index: number) => (index === 0 ? QNAME : name(`l${index}.example`));
const chains: readonly (readonly [what: string, answers: readonly Uint8Array[], outcome: readonly string[] | string])[] = [
  ['no alias', [a('45.64.7.1')], []],
  ['in any order and case', [cname(name('X.example'), name('y.example')), cname(QNAME, name('x.EXAMPLE'))], ['x.example', 'y.example']],
  ['a name that is no host name', [cname(QNAME, labels('a.b', 'example'))], ['?']],
  ['eight', Array.from({ length: 8 }, (_, index) => cname(link(index), name(`l${index + 1}.example`))), Array.from({ length: 8 }, (_, index) => `l${index + 1}.example`)],
  ['nine', Array.from({ length: 9 }, (_, index) => cname(link(index), name(`l${index + 1}.example`))), 'more than 8 CNAMEs'],
  ['itself', [cname(QNAME, name('API.example.net'))], 'CNAME loop'],
  ['a loop', [cname(QNAME, name('x.example')), cname(name('x.example'), QNAME)], 'CNAME loop'],
  ['two of the question', [cname(QNAME, name('x.example')), cname(name('Api.example.net'), name('y.example'))], 'two CNAMEs for one name'],
  ['two of a name that nothing leads to', [cname(name('z.example'), name('x.example')), cname(name('z.example'), name('y.example'))], []],
  ['of another class', [record(QNAME, CNAME, name('x.example'), { klass: 3 })], []],
  ['an octet too many', [record(QNAME, CNAME, Buffer.concat([name('x.example'), Buffer.from([0])]))], 'CNAME data of a wrong length'],
];
for (const [what, answers, outcome] of chains) {
  test(`aliases: ${what}`, (t) => {
    const analysed = answered(answers);
    t.deepEqual(analysed.ok ? analysed.analysis.chain : analysed.fault, outcome);
  });
}

const targets: readonly (readonly [target: Buffer, own: boolean])[] = [
  [name('.'), true],
  [name('API.example.net'), true],
  [name('Edge.cdn.example'), false],
  [labels('api.example', 'net'), false],
];
for (const [target, own] of targets) {
  test(`address hints of ${JSON.stringify(target.toString('latin1'))}`, (t) => {
    const analysed = answered([record(QNAME, 65, svcb(1, target, [[4, ipv4('45.64.7.1')]]))]);
    t.true(analysed.ok);
    if (analysed.ok) t.like(analysed.analysis.hints[0], { own });
  });
}

test('what is put together anew has the same names, letter for letter, without compression', (t) => {
  const question = questionOf(name('Api.eXample.net'), 1);
  const upper = name('API.EXAMPLE.NET');
  const exchange = (target: Buffer) => Buffer.concat([Buffer.from([0, 10]), target]);
  const at = 12 + question.length;
  const bytes = message({ question, answers: [record(upper, 15, exchange(Buffer.concat([Buffer.from('\u0002Mx'), pointer(16)]))), record(pointer(at), 16, Buffer.from('\u0002ok')), a('10.0.0.1')] });
  const analysed = analyse(bytes);
  t.true(analysed.ok);
  if (!analysed.ok) return;
  const [, , address] = analysed.analysis.message.answers;
  const built = template(analysed.analysis.message, { drop: new Set(address === undefined ? [] : [address]), replace: new Map() });
  t.deepEqual(Buffer.from(built.bytes), message({ question, answers: [record(upper, 15, exchange(name('Mx.eXample.net'))), record(upper, 16, Buffer.from('\u0002ok'))] }));
});
