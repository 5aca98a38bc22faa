import test from 'ava';
import * as fc from 'fast-check';
import { maxValue, networkOf, parseAddress, parseNetwork, type Address } from '../../src/net/address.ts';
import { specialUse, wireAddress } from '../../src/net/special.ts';
import { guard, type GuardRules } from '../../src/resolve/guard.ts';

function at(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

function rules(isPrivate: boolean, ...networks: string[]): GuardRules {
  return {
    private: isPrivate,
    networks: networks.map((text) => {
      const parsed = parseNetwork(text);
      if (!parsed.ok) throw new Error(parsed.fault);
      return parsed.value;
    }),
  };
}

const STRICT = rules(false);
const PRIVATE = rules(true);

/** `null` is admitted; a text is the reason for which it is not. */
const verdicts: readonly (readonly [sentence: string, address: string, rules: GuardRules, reason: string | null])[] = [
  ['global IPv4 is admitted', '140.82.112.6', STRICT, null],
  ['global IPv6 is admitted', '2606:50c0:8000::153', STRICT, null],
  ['private use is not', '10.0.0.1', STRICT, 'private use (RFC 1918)'],
  ['loopback is not', '127.0.0.1', STRICT, 'loopback (RFC 1122)'],
  ['cloud metadata is not', '169.254.169.254', STRICT, 'link-local, cloud instance metadata (RFC 3927)'],
  ['unique local is not', 'fd00::1', STRICT, 'unique local (RFC 4193)'],
  ['a globally reachable anycast block is not', '192.31.196.1', STRICT, 'AS112 sink (RFC 7535)'],
  ['NAT64 of a global address is admitted', '64:ff9b::8.8.8.8', STRICT, null],
  ['NAT64 of a private address is not', '64:ff9b::10.0.0.1', STRICT, 'NAT64 of 10.0.0.1: private use (RFC 1918)'],
  ['IPv4-mapped global is admitted', '::ffff:8.8.8.8', STRICT, null],
  ['IPv4-mapped loopback is not', '::ffff:127.0.0.1', STRICT, 'IPv4-mapped form of 127.0.0.1: loopback (RFC 1122)'],
  ['6to4 of a global address is not', '2002:808:808::1', STRICT, '6to4 of 8.8.8.8 (RFC 3056)'],

  ['private: true admits private use', '10.0.0.1', PRIVATE, null],
  ['private: true admits loopback', '127.0.0.1', PRIVATE, null],
  ['private: true admits IPv6 loopback', '::1', PRIVATE, null],
  ['private: true admits link-local', 'fe80::1', PRIVATE, null],
  ['private: true admits cloud metadata', '169.254.169.254', PRIVATE, null],
  ['private: true admits CGNAT', '100.64.0.1', PRIVATE, null],
  ['private: true admits unique local', 'fd00::1', PRIVATE, null],
  ['private: true admits NAT64 of a private address', '64:ff9b::10.0.0.1', PRIVATE, null],
  ['private: true admits 6to4', '2002:808:808::1', PRIVATE, null],
  ['private: true does not admit unspecified', '0.0.0.0', PRIVATE, 'unspecified (RFC 1122), which private does not admit'],
  ['private: true does not admit this network', '0.1.2.3', PRIVATE, 'this network (RFC 791), which private does not admit'],
  ['private: true does not admit IPv6 unspecified', '::', PRIVATE, 'unspecified (RFC 4291), which private does not admit'],
  ['private: true does not admit multicast', '224.0.0.1', PRIVATE, 'multicast (RFC 5771), which private does not admit'],
  ['private: true does not admit IPv6 multicast', 'ff02::1', PRIVATE, 'multicast (RFC 4291), which private does not admit'],
  ['private: true does not admit class E', '240.0.0.1', PRIVATE, 'reserved, class E (RFC 1112), which private does not admit'],
  ['private: true does not admit broadcast', '255.255.255.255', PRIVATE, 'limited broadcast (RFC 919), which private does not admit'],
  ['private: true does not admit unassigned IPv6', '4000::1', PRIVATE, 'not global unicast (RFC 4291), which private does not admit'],
  ['private: true does not admit unspecified inside IPv4-mapped', '::ffff:0.0.0.0', PRIVATE,
    'IPv4-mapped form of 0.0.0.0: unspecified (RFC 1122), which private does not admit'],
  ['private: true does not admit multicast inside NAT64', '64:ff9b::224.0.0.1', PRIVATE,
    'NAT64 of 224.0.0.1: multicast (RFC 5771), which private does not admit'],

  ['a CIDR admits what it holds', '10.1.2.3', rules(false, '192.168.0.0/16', '10.0.0.0/8'), null],
  ['a CIDR does not admit what it does not hold', '10.1.2.3', rules(false, '10.2.0.0/16', 'fd00::/8'), 'private use (RFC 1918)'],
  ['a CIDR admits what private does not', '224.0.0.251', rules(false, '224.0.0.0/24'), null],
  ['a CIDR admits loopback', '::1', rules(false, '::1'), null],
  ['an IPv4 CIDR admits the IPv4-mapped form, which is sent as IPv4', '::ffff:10.0.0.1', rules(false, '10.0.0.0/8'), null],
  ['an IPv6 CIDR does not admit the IPv4-mapped form', '::ffff:10.0.0.1', rules(false, '::/0'),
    'IPv4-mapped form of 10.0.0.1: private use (RFC 1918)'],
  ['an IPv4 CIDR does not admit the NAT64 form, which is sent as IPv6', '64:ff9b::10.0.0.1', rules(false, '10.0.0.0/8'),
    'NAT64 of 10.0.0.1: private use (RFC 1918)'],
  ['an IPv6 CIDR admits the NAT64 form', '64:ff9b::10.0.0.1', rules(false, '64:ff9b::/96'), null],
  ['a CIDR of the other family with the same number admits nothing', '::7f00:1', rules(false, '127.0.0.1'),
    'IPv4-compatible form of 127.0.0.1: loopback (RFC 1122)'],
];

for (const [sentence, address, rules, reason] of verdicts) {
  test(`${sentence}: ${address}`, (t) => {
    t.deepEqual(guard(at(address), rules), reason === null ? { admitted: true } : { admitted: false, reason });
  });
}

const address = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.oneof(fc.bigInt({ min: 0n, max: maxValue(family) }), fc.bigInt({ min: 0n, max: maxValue(4) }), fc.bigInt({ min: 0n, max: maxValue(4) }).map((low) => low | (family === 6 ? 0xffffn << 32n : 0n)))
    .map((value) => ({ family, value })));

test('without leave, what is admitted is exactly what has no special use', (t) => {
  fc.assert(fc.property(address, (of) => {
    t.is(guard(of, STRICT).admitted, specialUse(of) === null);
  }), { numRuns: 1000 });
});

test('leave never takes away what was admitted, and a CIDR of the very address always admits it', (t) => {
  fc.assert(fc.property(address, fc.boolean(), (of, isPrivate) => {
    t.true(!guard(of, STRICT).admitted || guard(of, PRIVATE).admitted);
    t.true(guard(of, { private: isPrivate, networks: [networkOf(wireAddress(of))] }).admitted);
  }), { numRuns: 1000 });
});
