/** The patterns against the readers they stand for: never narrower, and wider only in what they say they are. */
import test from 'ava';
import * as fc from 'fast-check';
import type { Parsed } from '../../src/net/address.ts';
import { parseDestination, parseMember, parseSource } from '../../src/policy/destination.ts';
import { decimals, DESTINATION_PATTERN, MEMBER_PATTERN, PORTS_PATTERN, SOURCE_PATTERN, SUBJECT_PATTERN } from '../../src/policy/patterns.ts';
import { parsePorts } from '../../src/policy/ports.ts';
import { parseSubject } from '../../src/policy/subject.ts';

test('decimals match exactly the numbers in between', (t) => {
  for (const [first, last] of [[0, 255], [1, 65535], [0, 32], [0, 128], [50, 60_000], [10, 10], [0, 9], [99, 101], [17, 99_999]] as const) {
    const pattern = new RegExp(`^${decimals(first, last)}$`);
    for (let number = 0; number <= last + 1000; number += 1) {
      if (pattern.test(String(number)) !== (number >= first && number <= last)) t.fail(`${number} of ${first} to ${last}`);
    }
    t.false(pattern.test(`0${first}`));
  }
});

const of = (characters: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...characters.split('')), maxLength });
const address4 = fc.tuple(fc.nat(256), fc.constantFrom(0, 3, 64, 96, 128), fc.constantFrom(0, 1, 128), fc.constantFrom(0, 4)).map((octets) => octets.join('.'));
const address6 = fc.oneof(fc.ipV6(), fc.array(fc.constantFrom('0', '1', 'ffff', 'db8', '::', '1.2.3.4'), { maxLength: 9 }).map((groups) => groups.join(':').replace(/:{3,}/g, '::')));
const block = (address: fc.Arbitrary<string>, longest: number) => fc.tuple(address, fc.nat(longest)).map(([address, prefix]) => `${address}/${prefix}`);
const domain = fc.tuple(fc.constantFrom('', '*.'), fc.array(of('01a-_xX', 4), { minLength: 1, maxLength: 4 })).map(([star, labels]) => star + labels.join('.'));
const destination = fc.oneof(address4, address6, block(address4, 34), block(address6, 130), domain, fc.domain(), of('0123456789abcdefxX:.//-_@*% ', 20));
const number = fc.oneof(fc.nat(70_000), fc.constantFrom('any', '', '01', '0'));
const ports = fc.oneof(
  fc.tuple(number, fc.constantFrom('', '-'), number, fc.constantFrom('', '/tcp', '/udp', '/icmp')).map((parts) => parts.join('')),
  of('0123456789-/tcpudanyim', 8),
);
const subject = fc.oneof(of('aé0 9.-+eExXo_$@\\:f', 6), fc.string({ unit: 'binary', maxLength: 4 }), fc.nat().map(String));

/** What is refused for these reasons only a program can tell. */
const BEYOND = /host bits|is reversed|everybody can have a name|IPv4 inside an IPv6/;

const rows: readonly (readonly [name: string, pattern: string, read: (text: string) => Parsed<unknown>, texts: fc.Arbitrary<string>])[] = [
  ['destinations', DESTINATION_PATTERN, parseDestination, destination],
  ['sources', SOURCE_PATTERN, parseSource, destination],
  ['members of groups', MEMBER_PATTERN, parseMember, destination],
  ['ports', PORTS_PATTERN, parsePorts, ports],
  ['subjects', SUBJECT_PATTERN, parseSubject, subject],
];
for (const [name, pattern, read, texts] of rows) {
  test(`${name}: what the reader accepts matches, what it refuses mostly does not`, (t) => {
    const expression = new RegExp(pattern, 'u');
    let accepted = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = read(text);
        if (parsed.ok) accepted += 1;
        t.true(expression.test(text) === parsed.ok || (!parsed.ok && BEYOND.test(parsed.fault)), `${JSON.stringify(text)}: ${parsed.ok ? 'accepted' : parsed.fault}`);
      }),
      { numRuns: 10_000 },
    );
    t.true(accepted > 500, `${accepted}`);
  });
}

const SPELLINGS: readonly (readonly [text: string, matches: boolean])[] = [
  ['10.0.0.0/8', true], ['10.0.0.1/8', false], ['10.128.0.0/9', true], ['10.64.0.0/9', false], ['10.0.0.254/31', true], ['10.0.0.255/31', false], ['0.0.0.0/0', true], ['1.0.0.0/0', false],
  ['::/0', true], ['::', true], ['1::', true], ['1:2:3:4:5:6:7::', true], ['1:2:3:4:5:6:7:8', true], ['1:2:3:4:5:6:7:8::', false], ['::1.2.3.4', true], ['1:2:3:4:5:6:1.2.3.4', true], ['1::2::3', false],
  ['::ffff:10.0.0.1', false], ['::FFFF:a00:1', false], ['fd00::1/8', false], ['fd00::/8', true], ['2001:db8::7/128', true],
  ['@internal', true], ['@Internal', false], ['@', false], ['localhost', false], ['com', false], ['a.b', true], ['*.a.b', true], ['*.b', false], ['*', false], ['a.b.', false], ['a..b', false],
  ['a.1', false], ['a.0x1f', false], ['a.1b', true], [`${'a'.repeat(63)}.b`, true], [`${'a'.repeat(64)}.b`, false], ['bücher.example', false], ['https://a.b', false], ['a.b:443', false], ['-a.b', false], ['_a.b', true],
];
for (const [text, matches] of SPELLINGS) {
  test(`as a destination ${text.slice(0, 40)} is ${matches ? 'good' : 'bad'}`, (t) => {
    t.is(new RegExp(DESTINATION_PATTERN, 'u').test(text), matches);
    t.is(parseDestination(text).ok, matches);
  });
}
