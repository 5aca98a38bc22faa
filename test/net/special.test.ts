import test from 'ava';
import * as fc from 'fast-check';
import { formatAddress, formatNetwork, maxValue, parseAddress, parseNetwork, type Address, type Network } from '../../src/net/address.ts';
import { embeddedIpv4, specialUse, wireAddress } from '../../src/net/special.ts';
import { oracleOf } from './oracle.ts';

function at(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

function block(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

/** The use of its first and last address, and of the neighbours outside: null is global unicast, 'end' the end of the space. */
const rows: readonly (readonly [cidr: string, rfc: string, first: string, last: string, before: string | null, after: string | null])[] = [
  ['0.0.0.0/8', 'RFC 791', 'unspecified', 'this network', 'end', null],
  ['0.0.0.0/32', 'RFC 1122', 'unspecified', 'unspecified', 'end', 'this network'],
  ['10.0.0.0/8', 'RFC 1918', 'private use', 'private use', null, null],
  ['100.64.0.0/10', 'RFC 6598', 'shared address space of carrier-grade NAT', 'shared address space of carrier-grade NAT', null, null],
  ['127.0.0.0/8', 'RFC 1122', 'loopback', 'loopback', null, null],
  ['169.254.0.0/16', 'RFC 3927', 'link-local', 'link-local', null, null],
  ['169.254.169.254/32', 'RFC 3927', 'link-local, cloud instance metadata', 'link-local, cloud instance metadata', 'link-local', 'link-local'],
  ['172.16.0.0/12', 'RFC 1918', 'private use', 'private use', null, null],
  ['192.0.0.0/24', 'RFC 6890', 'IPv4 service continuity', 'IETF protocol assignments', null, null],
  ['192.0.0.0/29', 'RFC 7335', 'IPv4 service continuity', 'IPv4 service continuity', null, 'IPv4 dummy address'],
  ['192.0.0.8/32', 'RFC 7600', 'IPv4 dummy address', 'IPv4 dummy address', 'IPv4 service continuity', 'port control anycast'],
  ['192.0.0.9/32', 'RFC 7723', 'port control anycast', 'port control anycast', 'IPv4 dummy address', 'TURN anycast'],
  ['192.0.0.10/32', 'RFC 8155', 'TURN anycast', 'TURN anycast', 'port control anycast', 'IETF protocol assignments'],
  ['192.0.0.170/32', 'RFC 8880', 'NAT64 discovery', 'NAT64 discovery', 'IETF protocol assignments', 'NAT64 discovery'],
  ['192.0.0.171/32', 'RFC 8880', 'NAT64 discovery', 'NAT64 discovery', 'NAT64 discovery', 'IETF protocol assignments'],
  ['192.0.2.0/24', 'RFC 5737', 'documentation, TEST-NET-1', 'documentation, TEST-NET-1', null, null],
  ['192.31.196.0/24', 'RFC 7535', 'AS112 sink', 'AS112 sink', null, null],
  ['192.52.193.0/24', 'RFC 7450', 'multicast tunnelling anycast', 'multicast tunnelling anycast', null, null],
  ['192.88.99.0/24', 'RFC 7526', '6to4 relay anycast, deprecated', '6to4 relay anycast, deprecated', null, null],
  ['192.88.99.2/32', 'RFC 6751', '6a44 relay anycast', '6a44 relay anycast', '6to4 relay anycast, deprecated', '6to4 relay anycast, deprecated'],
  ['192.168.0.0/16', 'RFC 1918', 'private use', 'private use', null, null],
  ['192.175.48.0/24', 'RFC 7534', 'AS112 sink', 'AS112 sink', null, null],
  ['198.18.0.0/15', 'RFC 2544', 'benchmarking', 'benchmarking', null, null],
  ['198.51.100.0/24', 'RFC 5737', 'documentation, TEST-NET-2', 'documentation, TEST-NET-2', null, null],
  ['203.0.113.0/24', 'RFC 5737', 'documentation, TEST-NET-3', 'documentation, TEST-NET-3', null, null],
  ['224.0.0.0/4', 'RFC 5771', 'multicast', 'multicast', null, 'reserved, class E'],
  ['240.0.0.0/4', 'RFC 1112', 'reserved, class E', 'limited broadcast', 'multicast', 'end'],
  ['255.255.255.255/32', 'RFC 919', 'limited broadcast', 'limited broadcast', 'reserved, class E', 'end'],
  ['::/3', 'RFC 4291', 'unspecified', 'not global unicast', 'end', null],
  ['4000::/2', 'RFC 4291', 'not global unicast', 'not global unicast', null, 'not global unicast'],
  ['8000::/1', 'RFC 4291', 'not global unicast', 'multicast', 'not global unicast', 'end'],
  ['::/128', 'RFC 4291', 'unspecified', 'unspecified', 'end', 'loopback'],
  ['::1/128', 'RFC 4291', 'loopback', 'loopback', 'unspecified', 'IPv4-compatible form'],
  ['::/96', 'RFC 4291', 'unspecified', 'IPv4-compatible form', 'end', 'not global unicast'],
  ['::ffff:0:0:0/96', 'RFC 2765', 'IPv4-translated form', 'IPv4-translated form', 'not global unicast', 'not global unicast'],
  ['64:ff9b::/96', 'RFC 6052', 'NAT64', 'NAT64', 'not global unicast', 'not global unicast'],
  ['64:ff9b:1::/48', 'RFC 8215', 'local-use NAT64', 'local-use NAT64', 'not global unicast', 'not global unicast'],
  ['100::/64', 'RFC 6666', 'discard-only', 'discard-only', 'not global unicast', 'dummy prefix'],
  ['100:0:0:1::/64', 'RFC 9780', 'dummy prefix', 'dummy prefix', 'discard-only', 'not global unicast'],
  ['2001::/23', 'RFC 2928', 'Teredo', 'IETF protocol assignments', null, null],
  ['2001::/32', 'RFC 4380', 'Teredo', 'Teredo', null, 'IETF protocol assignments'],
  ['2001:1::1/128', 'RFC 7723', 'port control anycast', 'port control anycast', 'IETF protocol assignments', 'TURN anycast'],
  ['2001:1::2/128', 'RFC 8155', 'TURN anycast', 'TURN anycast', 'port control anycast', 'DNS-SD registration anycast'],
  ['2001:1::3/128', 'RFC 9665', 'DNS-SD registration anycast', 'DNS-SD registration anycast', 'TURN anycast', 'IETF protocol assignments'],
  ['2001:2::/48', 'RFC 5180', 'benchmarking', 'benchmarking', 'IETF protocol assignments', 'IETF protocol assignments'],
  ['2001:3::/32', 'RFC 7450', 'multicast tunnelling anycast', 'multicast tunnelling anycast', 'IETF protocol assignments', 'IETF protocol assignments'],
  ['2001:4:112::/48', 'RFC 7535', 'AS112 sink', 'AS112 sink', 'IETF protocol assignments', 'IETF protocol assignments'],
  ['2001:10::/28', 'RFC 4843', 'ORCHID, deprecated', 'ORCHID, deprecated', 'IETF protocol assignments', 'ORCHIDv2'],
  ['2001:20::/28', 'RFC 7343', 'ORCHIDv2', 'ORCHIDv2', 'ORCHID, deprecated', 'drone remote id'],
  ['2001:30::/28', 'RFC 9374', 'drone remote id', 'drone remote id', 'ORCHIDv2', 'IETF protocol assignments'],
  ['2001:db8::/32', 'RFC 3849', 'documentation', 'documentation', null, null],
  ['2002::/16', 'RFC 3056', '6to4', '6to4', null, null],
  ['2620:4f:8000::/48', 'RFC 7534', 'AS112 sink', 'AS112 sink', null, null],
  ['3fff::/20', 'RFC 9637', 'documentation', 'documentation', null, null],
  ['5f00::/16', 'RFC 9602', 'segment routing', 'segment routing', 'not global unicast', 'not global unicast'],
  ['fc00::/7', 'RFC 4193', 'unique local', 'unique local', 'not global unicast', 'not global unicast'],
  ['fe80::/10', 'RFC 4291', 'link-local', 'link-local', 'not global unicast', 'site-local, deprecated'],
  ['fec0::/10', 'RFC 3879', 'site-local, deprecated', 'site-local, deprecated', 'link-local', 'multicast'],
  ['ff00::/8', 'RFC 4291', 'multicast', 'multicast', 'site-local, deprecated', 'end'],
  ['::ffff:0:0/96', 'RFC 4291', 'IPv4-mapped form', 'IPv4-mapped form', 'not global unicast', 'not global unicast'],
];

for (const [cidr, rfc, first, last, before, after] of rows) {
  test(`${cidr} is special (${rfc})`, (t) => {
    const network = block(cidr);
    const name = (value: bigint) =>
      value < 0n || value > maxValue(network.family) ? 'end' : specialUse({ family: network.family, value })?.name ?? null;
    t.deepEqual([name(network.first), name(network.last), name(network.first - 1n), name(network.last + 1n)], [first, last, before, after]);
    // Somewhere in the block its own row is the answer, at whatever place is not a narrower block's.
    const own = [network.first, network.last, network.first + 16n, network.first + (1n << 90n)]
      .map((value) => specialUse({ family: network.family, value }))
      .find((use) => use !== null && formatNetwork(use.network) === formatNetwork(network));
    t.is(own?.rfc, rfc);
    t.regex(own?.reason ?? '', new RegExp(`^${own?.name}( of [0-9.]+: .* \\(RFC [0-9]+\\)| of [0-9.]+ \\(${rfc}\\)| \\(${rfc}\\))$`));
  });
}

test('everything that ipaddr.js does not call unicast is special, and all else outside the IPv6 forms is not', (t) => {
  const near = fc.tuple(fc.constantFrom(...rows), fc.boolean(), fc.bigInt({ min: -3n, max: 3n })).map(([[cidr], atFirst, step]) => {
    const network = block(cidr);
    return { family: network.family, value: BigInt.asUintN(network.family === 4 ? 32 : 128, (atFirst ? network.first : network.last) + step) };
  });
  const anywhere = fc.constantFrom(4 as const, 6 as const).chain((family) =>
    fc.bigInt({ min: 0n, max: maxValue(family) }).map((value) => ({ family, value })));
  const unicast = fc.bigInt({ min: 0n, max: (1n << 125n) - 1n }).map((low) => ({ family: 6, value: (1n << 125n) | low }) as const);
  fc.assert(fc.property(fc.oneof(near, anywhere, unicast), (address) => {
    const parsed = oracleOf(address);
    const inside = embeddedIpv4(address);
    const special = specialUse(address) !== null;
    if (inside !== null && wireAddress(address).family === 4) {
      t.is(special, specialUse(inside) !== null);
    } else if (parsed.range() === 'rfc6052' && inside !== null) {
      t.is(special, oracleOf(inside).range() !== 'unicast');
    } else {
      t.is(special, parsed.range() !== 'unicast' || (address.family === 6 && address.value >> 125n !== 1n), formatAddress(address));
    }
  }), { numRuns: 5000 });
});

const reasons: readonly (readonly [address: string, reason: string | null, host?: boolean])[] = [
  ['8.8.8.8', null],
  ['1.1.1.1', null],
  ['2606:4700::1111', null],
  ['168.63.129.16', null],
  ['127.0.0.1', 'loopback (RFC 1122)', true],
  ['::1', 'loopback (RFC 4291)', true],
  ['0.0.0.0', 'unspecified (RFC 1122)', false],
  ['0.1.2.3', 'this network (RFC 791)', false],
  ['::', 'unspecified (RFC 4291)', false],
  ['169.254.169.254', 'link-local, cloud instance metadata (RFC 3927)', true],
  ['fd00:ec2::254', 'unique local (RFC 4193)', true],
  ['239.1.2.3', 'multicast (RFC 5771)', false],
  ['ff02::1', 'multicast (RFC 4291)', false],
  ['250.1.2.3', 'reserved, class E (RFC 1112)', false],
  ['255.255.255.255', 'limited broadcast (RFC 919)', false],
  ['4000::1', 'not global unicast (RFC 4291)', false],
  ['::ffff:8.8.8.8', null],
  ['::ffff:10.0.0.1', 'IPv4-mapped form of 10.0.0.1: private use (RFC 1918)', true],
  ['::ffff:127.0.0.1', 'IPv4-mapped form of 127.0.0.1: loopback (RFC 1122)', true],
  ['::ffff:0.0.0.0', 'IPv4-mapped form of 0.0.0.0: unspecified (RFC 1122)', false],
  ['64:ff9b::8.8.8.8', null],
  ['64:ff9b::10.0.0.1', 'NAT64 of 10.0.0.1: private use (RFC 1918)', true],
  ['64:ff9b::169.254.169.254', 'NAT64 of 169.254.169.254: link-local, cloud instance metadata (RFC 3927)', true],
  ['64:ff9b::224.0.0.1', 'NAT64 of 224.0.0.1: multicast (RFC 5771)', false],
  ['64:ff9b::1:808:808', 'not global unicast (RFC 4291)', false], // outside the /96
  ['64:ff9b:1::8.8.8.8', 'local-use NAT64 (RFC 8215)', true],
  ['::8.8.8.8', 'IPv4-compatible form of 8.8.8.8 (RFC 4291)', false],
  ['::127.0.0.1', 'IPv4-compatible form of 127.0.0.1: loopback (RFC 1122)', false],
  ['::ffff:0:8.8.8.8', 'IPv4-translated form of 8.8.8.8 (RFC 2765)', true],
  ['2002:808:808::1', '6to4 of 8.8.8.8 (RFC 3056)', true],
  ['2002:a00:1:ffff::1', '6to4 of 10.0.0.1: private use (RFC 1918)', true],
  ['2002:ffff:ffff::', '6to4 of 255.255.255.255: limited broadcast (RFC 919)', false],
  // The example of RFC 4380 §4: client 192.0.2.45 behind server 65.54.227.120, the client's address with all bits inverted.
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo of 192.0.2.45: documentation, TEST-NET-1 (RFC 5737)', true],
  ['2001:0:4136:e378:8000:63bf:f7f7:f7f7', 'Teredo of 8.8.8.8 (RFC 4380)', true],
];

for (const [text, reason, host] of reasons) {
  test(`${text} is ${reason ?? 'global unicast'}`, (t) => {
    const use = specialUse(at(text));
    t.is(use?.reason ?? null, reason);
    t.is(use?.host, host);
  });
}

const embedded: readonly (readonly [address: string, inside: string | null, wire: string])[] = [
  ['8.8.8.8', null, '8.8.8.8'],
  ['2606:4700::1111', null, '2606:4700::1111'],
  ['::1', null, '::1'],
  ['::', null, '::'],
  ['::ffff:1.2.3.4', '1.2.3.4', '1.2.3.4'],
  ['::1.2.3.4', '1.2.3.4', '::1.2.3.4'],
  ['::ffff:0:1.2.3.4', '1.2.3.4', '::ffff:0:1.2.3.4'],
  ['64:ff9b::1.2.3.4', '1.2.3.4', '64:ff9b::1.2.3.4'],
  ['64:ff9b:1::1.2.3.4', null, '64:ff9b:1::1.2.3.4'],
  ['2002:102:304::5', '1.2.3.4', '2002:102:304::5'],
  ['2001::fefd:fcfb', '1.2.3.4', '2001::fefd:fcfb'],
];

for (const [text, inside, wire] of embedded) {
  test(`${text} has ${inside ?? 'nothing'} inside and goes out as ${wire}`, (t) => {
    t.deepEqual(embeddedIpv4(at(text)), inside === null ? null : at(inside));
    t.deepEqual(wireAddress(at(text)), at(wire));
  });
}
