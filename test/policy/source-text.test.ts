import test from 'ava';
import * as fc from 'fast-check';
import { positionAt, readSource } from '../../src/policy/source-text.ts';

const place = (text: string, offset: number) => {
  const { line, column } = positionAt(readSource('f', text).source, offset);
  return `${line}:${column}`;
};

test('lines and columns count from 1, in UTF-16 units', (t) => {
  t.deepEqual([0, 1, 2, 3, 4].map((offset) => place('ab\ncd', offset)), ['1:1', '1:2', '1:3', '2:1', '2:2']);
  t.is(place('😀x', 2), '1:3');
  t.is(place('a\r\nb', 3), '2:1');
  t.is(place('\n\n\nx', 3), '4:1');
});

test('a byte order mark takes no column', (t) => {
  t.is(place('\ufeffab', 1), '1:2');
});

test('what is behind the text is at the end of what is written', (t) => {
  t.is(place('ab\n\n  \n', 99), '1:3');
  t.is(place('ab\n\n  \n', 7), '1:3');
  t.is(place('', 0), '1:1');
  t.is(place('\n\n', 5), '1:1');
  t.is(place('ab', -3), '1:1');
});

test('every offset has a place of its own, in order', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '\n', 'é'), maxLength: 40 }), (text) => {
      const lines = text.split('\n');
      for (let offset = 0; offset < text.length; offset += 1) {
        const { line, column } = positionAt(readSource('f', text).source, offset);
        t.is(lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0) + column - 1, offset);
      }
    }),
  );
});

/** Bytes by their values, text as it is. */
const bytes = (...parts: readonly (string | number)[]) => Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))));

const unsound: readonly (readonly [title: string, input: Uint8Array, problem: string])[] = [
  ['the first byte', bytes(0xff), '1:1 byte 0xff is not valid UTF-8'],
  ['in the middle', bytes('a\nbc', 0xfc, 'd'), '2:3 byte 0xfc is not valid UTF-8'],
  ['behind wide characters', bytes('é😀', 0x80), '1:4 byte 0x80 is not valid UTF-8'],
  ['a byte order mark before it', bytes('\ufeffab', 0xff), '1:3 byte 0xff is not valid UTF-8'],
  ['a character cut off at the end', bytes('ab', 0xe2, 0x82), '1:3 byte 0x82 is not valid UTF-8'],
  ['a character cut off before another', bytes('ab', 0xe2, 0x82, 'c'), '1:3 byte 0x63 is not valid UTF-8'],
  ['an overlong form', bytes('a', 0xc0, 0xaf), '1:2 byte 0xc0 is not valid UTF-8'],
  ['a surrogate', bytes('a', 0xed, 0xa0, 0x80), '1:2 byte 0xa0 is not valid UTF-8'],
  ['UTF-16', bytes(0xff, 0xfe, 'a', 0), '1:1 byte 0xff is not valid UTF-8'],
];

for (const [title, input, problem] of unsound) {
  test(`not UTF-8: ${title}`, (t) => {
    const { problems } = readSource('f', input);
    t.deepEqual(problems.map(({ at, message }) => `${at.line}:${at.column} ${message}`), [problem]);
  });
}

test('bytes are refused exactly when a strict decoder refuses them', (t) => {
  const part = fc.oneof(fc.constantFrom([0x61], [0xc3, 0xa9], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80]), fc.uint8Array({ minLength: 1, maxLength: 2 }).map((part) => [...part]));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const input = Uint8Array.from(parts.flat());
      const strict = () => new TextDecoder('utf-8', { fatal: true }).decode(input);
      const refused = readSource('f', input).problems.some(({ message }) => message.includes('UTF-8'));
      if (refused) t.throws(strict);
      else t.notThrows(strict);
    }),
    { numRuns: 1000 },
  );
});

test('a replacement character that is written is no fault of the encoding', (t) => {
  t.deepEqual(readSource('f', bytes('# \ufffd\n')).problems, []);
});

test('ordinary text in any language is allowed, tabs and both line ends as well', (t) => {
  t.deepEqual(readSource('f', '# Grüße, 你好, שלום, 😀\ta\r\nb\n').problems, []);
});

test('what cannot be seen is not, each with its place, up to ten', (t) => {
  const { problems } = readSource('f', 'a\0b\n\u001b\n\u0085\r\u2029\u2066\ufeff\ud800');
  t.deepEqual(problems.map(({ at, message }) => `${at.line}:${at.column} ${message.replace(' is not allowed', '')}`), [
    '1:2 the character U+0000',
    '2:1 the character U+001B',
    '3:1 the character U+0085',
    '3:2 a carriage return without a line feed',
    '3:3 the character U+2029',
    '3:4 the character U+2066',
    '3:5 the character U+FEFF',
    '3:6 the character U+D800',
  ]);
  t.is(readSource('f', '\0'.repeat(50)).problems.length, 10);
});
