import test from 'ava';
import { parseSubject } from '../../src/policy/subject.ts';

const accepted: readonly (string | number)[] = [
  0, 1001, 4294967294, 'webapp', 'www-data', '_apt', 'svc$', 'first.last', 'user@corp.example', 'CORP\\user', 'domain users', 'Jürgen', 'a', 'u1001', '1a', 'x'.repeat(256), 'any', 'all', 'root',
];

for (const item of accepted) test(`names somebody: ${JSON.stringify(item).slice(0, 40)}`, (t) => t.deepEqual(parseSubject(item), { ok: true, value: item }));

const refused: readonly (readonly [item: string | number, fault: RegExp, hint?: RegExp])[] = [
  [4294967295, /out of range/, /0 to 4294967294/],
  [2 ** 53, /out of range/, /0 to 4294967294/],
  ['', /missing/],
  ['1001', /is a number in the place of a name/, /without quotes: 1001/],
  ['01001', /is a number in the place of a name/, /without quotes: 1001/],
  ['0', /is a number in the place of a name/, /without quotes: 0/],
  ['99999999999', /is a number in the place of a name/],
  ['-1', /neither a name nor a plain decimal number/, /decimal digits/],
  ['+1', /neither a name nor a plain decimal number/, /decimal digits/],
  ['1e3', /neither a name nor a plain decimal number/, /decimal digits/],
  ['1001.0', /neither a name nor a plain decimal number/, /decimal digits/],
  ['1_001', /neither a name nor a plain decimal number/, /decimal digits/],
  ['0x3E9', /neither a name nor a plain decimal number/, /decimal digits/],
  ['0o1751', /neither a name nor a plain decimal number/, /decimal digits/],
  ['16:41', /neither a name nor a plain decimal number/, /decimal digits/],
  ['*', /names nobody/, /accounts it lists/],
  ['a,b', /is not one name/, /as a list/],
  [' a', /spaces where none can be/],
  ['a ', /spaces where none can be/],
  ['a  b', /spaces where none can be/],
  ['a\u00a0b', /"\\u\{a0\}" cannot be in one/],
  ['a\tb', /"\\t" cannot be in one/],
  ['a:b', /":" cannot be in one/],
  ['a/b', /"\/" cannot be in one/],
  ['a\u001bb', /"\\u001b" cannot be in one/],
  ['-a', /is not a name/],
  ['.', /is not a name/],
  ['..', /is not a name/],
  ['x'.repeat(257), /longer than 256/],
];

for (const [item, fault, hint] of refused) {
  test(`names nobody: ${encodeURI(String(item)).slice(0, 40)}`, (t) => {
    const parsed = parseSubject(item);
    if (parsed.ok) return t.fail('it was accepted');
    t.regex(parsed.fault, fault);
    if (hint === undefined) t.is(parsed.hint, undefined);
    else t.regex(parsed.hint ?? '', hint);
  });
}
