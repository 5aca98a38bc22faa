import test from 'ava';
import * as fc from 'fast-check';
import { hostName, keysAbove, nameBytes, Names } from '../../src/dns/names.ts';
import { WireError } from '../../src/dns/octets.ts';
import { readMessage } from '../../src/dns/wire.ts';
import { labels, message, name, pointer, QNAME, questionOf, record } from './bytes.ts';

/** The model: a name is read octet by octet wherever it stands, and nothing is remembered (RFC 1035 §4.1.4). */
function model(bytes: Buffer, start: number): { readonly labels: readonly Buffer[]; readonly end: number } {
  const found: Buffer[] = [];
  let [at, lowest, size] = [start, start, 1];
  let end: number | null = null;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw new WireError('message ends within a name');
    if (length === 0) return { labels: found, end: end ?? at + 1 };
    if (length >= 192) {
      if (at + 2 > bytes.length) throw new WireError('message ends within a field');
      const target = bytes.readUInt16BE(at) - 0xc000;
      if (target >= lowest || target < 12) throw new WireError('compression pointer does not go backwards');
      end ??= at + 2;
      at = lowest = target;
      continue;
    }
    if (length > 63) throw new WireError('unknown label type');
    if (at + 1 + length > bytes.length) throw new WireError('message ends within a label');
    size += length + 1;
    if (size > 255) throw new WireError('name is longer than 255 octets');
    found.push(bytes.subarray(at + 1, at + 1 + length));
    at += length + 1;
  }
}

const folded = (parts: readonly Buffer[]) => JSON.stringify(parts.map((label) => [...label].map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))));
const hostOf = (parts: readonly Buffer[]) => (parts.length > 0 && parts.every((label) => /^[A-Za-z0-9_-]+$/.test(label.toString('latin1'))) ? parts.map(String).join('.').toLowerCase() : null);

function outcome<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return error.message;
    throw error;
  }
}

/** Letters of either case, what looks like a length, a dot, and letters that fold in other alphabets. */
const octet = fc.constantFrom(...Buffer.from('aAbBkK-_09.@[`{'), 0, 1, 2, 3, 0xc0, 0xc1, 0xe0, 0xe1, 0xff);
const label = fc.oneof(
  { weight: 4, arbitrary: fc.array(octet, { minLength: 1, maxLength: 4 }) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 40, max: 63 }), octet).map(([length, byte]) => Array.from({ length }, () => byte)) },
);
type Piece = { readonly octets: readonly number[] } | { readonly back: number; readonly off: number };
const piece: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 9, arbitrary: label.map((octets) => ({ octets: [octets.length, ...octets] })) },
  { weight: 3, arbitrary: fc.constant({ octets: [0] }) },
  { weight: 6, arbitrary: fc.record({ back: fc.integer({ min: 1, max: 30 }), off: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ back: fc.integer({ min: -1, max: 30 }), off: fc.constantFrom(0, 1, -1) }) },
  { weight: 1, arbitrary: fc.array(fc.nat(255), { minLength: 1, maxLength: 3 }).map((octets) => ({ octets })) },
);

/** Pointers go back by so many pieces: to labels, to the middle of names, to other pointers, and where no name is. */
function assemble(pieces: readonly Piece[], last: readonly number[]): { readonly bytes: Buffer; readonly starts: readonly number[] } {
  const starts: number[] = [];
  const bytes = [...Buffer.alloc(12)];
  for (const one of pieces) {
    starts.push(bytes.length);
    if ('octets' in one) bytes.push(...one.octets);
    else bytes.push(...pointer(Math.max(0, (starts.at(-1 - one.back) ?? 12) + one.off)));
  }
  return { bytes: Buffer.from([...bytes, ...last]), starts };
}

const messages = fc.tuple(fc.array(piece, { minLength: 1, maxLength: 60, size: 'max' }), fc.constantFrom([0], [0], [], [0xc0])).map(([pieces, last]) => assemble(pieces, last));

test('what is remembered of a message changes no name in it, in whichever order they are read', (t) => {
  const seen = new Map<string, number>();
  fc.assert(fc.property(messages, fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 0, 0, 0, 1)), { minLength: 1, maxLength: 60, size: 'max' }), ({ bytes, starts }, choices) => {
    const names = new Names(bytes);
    for (const [choice, off] of choices) {
      const at = (starts[choice % starts.length] ?? 12) + off;
      const [expected, found] = [outcome(() => model(bytes, at)), outcome(() => names.read(at))];
      const kind = typeof expected === 'string' ? expected : 'a name';
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (typeof expected === 'string' || typeof found === 'string') {
        t.deepEqual<unknown, unknown>(found, expected);
        continue;
      }
      t.is(found.end, expected.end);
      t.deepEqual(nameBytes(bytes, found.name), labels(...expected.labels));
      t.is(hostName(found.name), hostOf(expected.labels));
    }
  }), { numRuns: 3000 });
  t.log(seen);
  t.is(seen.size, 7);
  t.true((seen.get('a name') ?? 0) > 10_000);
});

test('names are the same where their labels are, but for the case of ASCII letters', (t) => {
  const parts = fc.array(fc.oneof(label, fc.constantFrom([97], [65], [0xe0], [0xc0], [46], [97, 1, 97])), { maxLength: 4 });
  let same = 0;
  fc.assert(fc.property(parts, parts, fc.boolean(), (one, two, again) => {
    const [first, second] = [one.map((octets) => Buffer.from(octets)), (again ? one.map((octets) => octets.map((byte) => (byte === 97 || byte === 107 ? byte - 32 : byte))) : two).map((octets) => Buffer.from(octets))];
    const bytes = Buffer.concat([Buffer.alloc(12), labels(...first), labels(...second)]);
    const names = new Names(bytes);
    const { name: a, end } = names.read(12);
    const { name: b } = names.read(end);
    const alike = folded(first) === folded(second);
    if (alike) same += 1;
    t.is(a.key === b.key, alike);
    t.is(keysAbove(a).includes(b.key), first.some((_, index) => folded(first.slice(index + 1)) === folded(second)));
  }), { numRuns: 5000 });
  t.true(same > 1000, `${same} the same`);
});

test('a name is read once, however many records point to it, and pointers to pointers are followed once', (t) => {
  const long = labels(...Array.from({ length: 117 }, (_, index) => String.fromCharCode(97 + (index % 26))));
  const direct = Array.from({ length: 2000 }, () => record(QNAME, 16, Buffer.from('\u0001x')));
  const from = 12 + questionOf(long, 1).length;
  // each to the record before
  const chained = Array.from({ length: 1000 }, (_, index) => record(pointer(index === 0 ? 12 : from + 12 * (index - 1)), 16, Buffer.alloc(0)));
  for (const answers of [direct, chained]) {
    const { answers: records, questions } = readMessage(message({ question: questionOf(long, 1), answers }));
    t.is(new Set([...questions, ...records].map(({ name }) => name)).size, 1);
  }
});

test('what is behind a pointer counts towards 255 octets, remembered or not', (t) => {
  const base = labels('x'.repeat(63), 'y'.repeat(63), 'z'.repeat(63));
  const bytes = (length: number) => Buffer.concat([Buffer.alloc(12), base, pointer(12), Buffer.from([length]), Buffer.alloc(length, 97), pointer(12)]);
  for (const first of [true, false]) {
    for (const [length, fault] of [[61, null], [62, 'name is longer than 255 octets']] as const) {
      const names = new Names(bytes(length));
      if (first) names.read(12 + base.length);
      const found = outcome(() => names.read(12 + base.length + 2).end);
      t.is(found, fault ?? 12 + base.length + 2 + 1 + length + 2);
    }
  }
});

test('a name of the question keeps its letter case, its key does not', (t) => {
  const bytes = Buffer.concat([Buffer.alloc(12), name('WwW.Example.COM')]);
  const { name: found } = new Names(bytes).read(12);
  t.deepEqual(nameBytes(bytes, found), name('WwW.Example.COM'));
  t.is(hostName(found), 'www.example.com');
});
