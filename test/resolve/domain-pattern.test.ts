import test from 'ava';
import * as fc from 'fast-check';
import { parseDomainPattern, suffixKind } from '../../src/resolve/domain-pattern.ts';

const accepted: readonly (readonly [text: string, name: string, wildcard: boolean])[] = [
  ['api.github.com', 'api.github.com', false],
  ['API.GitHub.COM', 'api.github.com', false],
  ['*.example.com', 'example.com', true],
  ['*.Example.co.UK', 'example.co.uk', true],
  ['*.cluster.local', 'cluster.local', true],
  ['*.githubusercontent.com', 'githubusercontent.com', true], // a suffix of one provider, in the design's example
  ['co.uk', 'co.uk', false],
  ['_dmarc.example.com', '_dmarc.example.com', false],
  ['r3---sn-abc.example.com', 'r3---sn-abc.example.com', false],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example', false],
  [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`, false],
  ['1.2.3.4.example', '1.2.3.4.example', false],
];

for (const [text, name, wildcard] of accepted) test(`a domain: ${text.slice(0, 40)}`, (t) => t.deepEqual(parseDomainPattern(text), { ok: true, value: { name, wildcard } }));

/** What the corpus of bad files does not show. */
const refused: readonly (readonly [text: string, fault: RegExp, hint: RegExp | null])[] = [
  ['', /missing/, null],
  ['a_.-b.com', /begins or ends with a hyphen/, null],
  ['a-.example.com', /begins or ends with a hyphen/, null],
  ['.', /begins with a dot/, /without the dot/],
  ['..', /begins with a dot/, /without the dot/],
  ['com.', /ends with a dot/, null],
  ['*.', /"\*\."/, null],
  ['*', /is not a wildcard/, /a wildcard is/],
  ['*.com', /everybody can have a name directly below "com"/, /name the domain of whom you mean/],
  ['*.COM', /everybody can have a name directly below "COM"/, /name the domain of whom you mean/],
  ['*.internal', /everybody can have a name directly below "internal"/, /name the domain of whom you mean/],
  ['*.kawasaki.jp', /everybody/, /name the domain/],
  ['*.*', /is not a wildcard/, /a wildcard is/],
  ['*.a..b', /has an empty label/, /did you mean "\*\.a\.b"\?/],
  ['*.example.com.', /ends with a dot/, /did you mean "\*\.example\.com"\?/],
  ['*..example.com', /begins with a dot/, null],
  ['a*.example.com', /is not a wildcard/, /did you mean "\*\.example\.com"\?/],
  ['www.*', /is not a wildcard/, /a wildcard is/],
  ['*.münchen.de', /is not in ASCII/, /its ASCII form is "\*\.xn--mnchen-3ya\.de"/],
  ['münchen.de:443', /is not in ASCII|has a port/, /./],
  ['\u212a.example', /is not in ASCII/, /k\.example/], // KELVIN SIGN, which toLowerCase would make a "k"
  ['a。example', /is not in ASCII/, /a\.example/],
  ['＊.example.com', /is not in ASCII/, /./],
  ['ftp://files.example.com', /is a URL/, /did you mean files\.example\.com\?/],
  ['https://user:secret@api.example.com/x', /is a URL/, /did you mean api\.example\.com\?/],
  ['https://', /is a URL/, /write the domain only/],
  ['https://localhost/', /is a URL/, /write the domain only/],
  ['a.example.com/', /it has a path/, /did you mean a\.example\.com\?/],
  ['*.example.com:443', /has a port in it/, /write "\*\.example\.com" here and \[443\]/],
  [':443', /has a port in it/, /write the domain here/],
  ['a:b.example.com', /":" cannot be in one/, null],
  ['user@example.com', /it has a user name/, /did you mean example\.com\?/],
  ['example.com\t', /has a space in it/, /did you mean example\.com\?/],
  ['localhost.', /ends with a dot/, null],
  ['localhost6', /is not a full domain name/, /127\.0\.0\.0\/8/],
  ['anywhere', /is not a full domain name/, /0\.0\.0\.0\/0 and ::\/0/],
  ['a.1', /it ends in a number/, null],
  ['a.0x', /it ends in a number/, null],
  ['a.0X7F', /it ends in a number/, null],
  ['ex\u0000ample.com', /"\\u0000" cannot be in one/, null],
];

for (const [text, fault, hint] of refused) {
  test(`no domain: ${JSON.stringify(text)}`, (t) => {
    const parsed = parseDomainPattern(text);
    if (parsed.ok) return t.fail(`read as ${parsed.value.name}`);
    t.regex(parsed.fault, fault);
    if (hint === null) t.is(parsed.hint, undefined);
    else t.regex(parsed.hint ?? '', hint);
  });
}

test('whose names stand below', (t) => {
  const kinds = { com: 'registry', 'co.uk': 'registry', 'foo.ck': 'registry', internal: 'registry', 'github.io': 'shared', 'cloudfront.net': 'shared', 'example.com': null, 'www.ck': null, 'a.github.io': null };
  t.deepEqual(Object.fromEntries(Object.keys(kinds).map((name) => [name, suffixKind(name)])), kinds);
});

const piece = fc.constantFrom('a', 'B', '-', '_', '0', '9', '.', '*', ' ', '@', ':', '/', 'com', 'co.uk', 'example', '://', 'ü', '\u212a', 'xn--', 'a'.repeat(62));

test('what is accepted is a name of the DNS, and reads the same again', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const parsed = parseDomainPattern(pieces.join(''));
      if (!parsed.ok) return;
      accepted += 1;
      const { name, wildcard } = parsed.value;
      t.regex(name, /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/);
      t.true(name.length <= 253);
      t.deepEqual(parseDomainPattern(wildcard ? `*.${name}` : name), parsed);
    }),
    { numRuns: 5000 },
  );
  t.true(accepted > 0);
});

test('a suggestion is itself accepted', (t) => {
  let suggested = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const parsed = parseDomainPattern(pieces.join(''));
      const [, instead] = parsed.ok ? [] : (/^did you mean "?(.*?)"?\?$/.exec(parsed.hint ?? '') ?? []);
      if (instead === undefined) return;
      suggested += 1;
      t.true(parseDomainPattern(instead).ok, `${pieces.join('')}: ${instead}`);
    }),
    { numRuns: 5000 },
  );
  t.true(suggested > 0);
});
