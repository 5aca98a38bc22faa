import { isIP } from 'node:net';
import test from 'ava';
import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import {
  addressInNetwork, formatAddress, formatInterval, formatNetwork, maxValue, networkAt, networkOf, parseAddress, parseNetwork,
  type Address, type Family, type Network,
} from '../../src/net/address.ts';
import { oracleOf } from './oracle.ts';

const family = fc.constantFrom<Family>(4, 6);
const wide = (family: Family) => fc.bigInt({ min: 0n, max: maxValue(family) });
/** Groups that are often zero, so that compression has something to do. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
const fromGroups = (list: readonly number[]) => list.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
const address: fc.Arbitrary<Address> = fc.oneof(
  wide(4).map((value) => ({ family: 4, value }) as const),
  groups.map((list) => ({ family: 6, value: fromGroups(list) }) as const),
  wide(4).map((value) => ({ family: 6, value: value | (0xffffn << 32n) }) as const),
);
const network: fc.Arbitrary<Network> = fc
  .tuple(address, fc.nat(128))
  .map(([of, prefix]) => networkAt(of, of.family === 4 ? prefix % 33 : prefix));

function read<T>(parsed: { ok: true; value: T } | { ok: false; fault: string }): T {
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

// ── accepted ──

const spellings: readonly (readonly [text: string, canonical: string])[] = [
  ['0.0.0.0', '0.0.0.0'],
  ['10.1.2.3', '10.1.2.3'],
  ['128.0.0.1', '128.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['2001:DB8::0:7', '2001:db8::7'],
  ['2001:0db8:0000:0000:0000:0000:0000:0007', '2001:db8::7'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // RFC 5952 §4.2.3: the first of two runs
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // the longest of two runs
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // §4.2.2: one group is not shortened
  ['0:1:2:3:4:5:6:7', '0:1:2:3:4:5:6:7'],
  ['0:0:2:3:4:5:6:7', '::2:3:4:5:6:7'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'], // RFC 4291 §2.2: `::` may stand for one group
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['::FFFF:102:304', '::ffff:1.2.3.4'],
  ['0:0:0:0:0:ffff:255.255.255.255', '::ffff:255.255.255.255'],
  ['::1.2.3.4', '::1.2.3.4'],
  ['64:ff9b::8.8.8.8', '64:ff9b::808:808'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ['::fffe:1.2.3.4', '::fffe:102:304'],
  ['1:0:0:0:0:ffff:1.2.3.4', '1::ffff:102:304'],
  ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
];

for (const [text, canonical] of spellings) {
  test(`address ${text} is ${canonical}`, (t) => {
    t.is(formatAddress(read(parseAddress(text))), canonical);
    t.is(formatNetwork(read(parseNetwork(text))), canonical);
  });
}

const networks: readonly (readonly [text: string, canonical: string, first: string, last: string])[] = [
  ['0.0.0.0/0', '0.0.0.0/0', '0.0.0.0', '255.255.255.255'],
  ['10.0.0.0/8', '10.0.0.0/8', '10.0.0.0', '10.255.255.255'],
  ['10.1.2.2/31', '10.1.2.2/31', '10.1.2.2', '10.1.2.3'],
  ['10.1.2.3/32', '10.1.2.3', '10.1.2.3', '10.1.2.3'],
  ['::/0', '::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['FD00::/8', 'fd00::/8', 'fd00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2001:db8::/33', '2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'],
  ['2001:db8::7/128', '2001:db8::7', '2001:db8::7', '2001:db8::7'],
  ['::ffff:10.0.0.0/104', '::ffff:10.0.0.0/104', '::ffff:10.0.0.0', '::ffff:10.255.255.255'],
];

for (const [text, canonical, first, last] of networks) {
  test(`network ${text} is ${canonical}, ${first} to ${last}`, (t) => {
    const parsed = read(parseNetwork(text));
    t.is(formatNetwork(parsed), canonical);
    t.is(formatAddress({ family: parsed.family, value: parsed.first }), first);
    t.is(formatAddress({ family: parsed.family, value: parsed.last }), last);
  });
}

// ── refused, each for its own reason ──

const RULE4 = 'an IPv4 prefix length is 0 to 32';
const RULE6 = 'an IPv6 prefix length is 0 to 128';

/** `hint` is what `parseNetwork` gives. */
const refusals: readonly (readonly [text: string, fault: RegExp, hint: string | undefined])[] = [
  ['', /^an IP address is missing$/, undefined],
  ['example.com', /^"example\.com" is not an IP address$/, undefined],
  ['face', /^"face" is not an IP address$/, undefined],
  ['１.2.3.4', /is not an IP address$/, undefined],
  ['-1.2.3.4', /is not an IP address$/, undefined],
  ['1.2.3.4\0', /^"1\.2\.3\.4\\u0000" is not an IP address$/, undefined],
  ['\u009b31m', /^"\\u009b31m" is not an IP address$/, undefined],
  ['010.1.2.3', /octet "010" has a leading zero, which some programs read as octal/, 'did you mean 10.1.2.3?'],
  ['10.1.2.00', /octet "00" has a leading zero/, 'did you mean 10.1.2.0?'],
  ['0300.1.2.3', /octet "0300" has a leading zero/, 'write four decimal octets without leading zeros'],
  ['0x7f.1', /octet "0x7f" is hexadecimal/, 'write four decimal octets'],
  ['127.0.0.0X1', /octet "0X1" is hexadecimal/, 'did you mean 127.0.0.1?'],
  ['10', /it has 1 of 4 octets/, 'did you mean 10.0.0.0/8?'],
  ['10.1', /it has 2 of 4 octets/, 'did you mean 10.1.0.0/16?'],
  ['10.1.2', /it has 3 of 4 octets/, 'did you mean 10.1.2.0/24?'],
  ['10.1/16', /it has 2 of 4 octets/, 'did you mean 10.1.0.0/16?'],
  ['10.1.2/8', /it has 3 of 4 octets/, 'write all four octets'],
  ['1.2.3.4.5', /it has 5 octets, IPv4 has 4/, 'write all four octets'],
  ['1.2.3.256', /octet "256" is greater than 255/, undefined],
  ['3232235777', /octet "3232235777" is greater than 255/, undefined],
  ['1..2.3', /it has an empty octet/, undefined],
  ['1.2.3.4.', /it has an empty octet/, 'did you mean 1.2.3.4?'],
  ['.1.2.3.4', /it has an empty octet/, 'did you mean 1.2.3.4?'],
  ['1.2.3.4a', /octet "4a" is not a decimal number/, undefined],
  [' 1.2.3.4', /it has a space in it/, 'did you mean 1.2.3.4?'],
  ['1.2.3.4\n', /it has a space in it/, 'did you mean 1.2.3.4?'],
  ['10.0.0.0 /8', /it has a space in it/, 'did you mean 10.0.0.0/8?'],
  [':: 1', /it has a space in it/, 'did you mean ::1?'],
  ['[::1]', /brackets belong to URLs/, 'did you mean ::1?'],
  ['[fd00::]/8', /brackets belong to URLs/, 'did you mean fd00::/8?'],
  ['fe80::1%eth0', /a zone id names an interface of one host/, 'did you mean fe80::1?'],
  ['fe80::%eth0/64', /a zone id names an interface of one host/, 'did you mean fe80::/64?'],
  ['1.2.3.4%1', /a zone id names an interface of one host/, 'did you mean 1.2.3.4?'],
  [':', /begins or ends with a single colon/, undefined],
  [':1', /begins or ends with a single colon/, undefined],
  ['::1:', /begins or ends with a single colon/, undefined],
  [':1::', /begins or ends with a single colon/, undefined],
  [':::', /"::" may stand for zeros once only/, 'write the other zeros out'],
  ['1::2::3', /"::" may stand for zeros once only/, 'write the other zeros out'],
  ['1:::2', /"::" may stand for zeros once only/, 'write the other zeros out'],
  ['12345::', /group "12345" has more than 4 hexadecimal digits/, undefined],
  ['::00001', /group "00001" has more than 4 hexadecimal digits/, undefined],
  ['g::', /"g" is not a hexadecimal digit/, undefined],
  ['::-1', /"-" is not a hexadecimal digit/, undefined],
  ['::１', /"１" is not a hexadecimal digit/, undefined],
  ['1:2:3', /it has 3 groups, IPv6 has 8/, 'write "::" where zeros were left out'],
  ['1:2:3:4:5:6:7', /it has 7 groups, IPv6 has 8/, 'write "::" where zeros were left out'],
  ['1:2:3:4:5:6:7:8:9', /it has 9 groups, IPv6 has 8/, undefined],
  ['1:2:3:4:5:6:7:1.2.3.4', /it has 9 groups, IPv6 has 8/, undefined],
  ['1:2:3:4:5:6:7::8', /"::" stands for at least one group, and 8 of 8 are written out/, undefined],
  ['::1:2:3:4:5:6:7:8', /"::" stands for at least one group, and 8 of 8 are written out/, undefined],
  ['::ffff:010.1.2.3', /octet "010" has a leading zero/, 'did you mean ::ffff:10.1.2.3?'],
  ['::ffff:10.1', /it has 2 of 4 octets/, undefined],
  ['::ffff:1.2.3.256', /octet "256" is greater than 255/, undefined],
  ['1.2.3.4::', /an IPv4 address may only stand at its end/, undefined],
  ['::1.2.3.4:5', /an IPv4 address may only stand at its end/, undefined],
  ['/8', /nothing stands before the slash/, undefined],
  ['1.2.3.4/', /is not a network: nothing follows the slash/, 'did you mean 1.2.3.4?'],
  ['1.2.3.4/033', /prefix length "033" is greater than 32/, RULE4],
  ['10.0.0.0/08', /its prefix length has a leading zero/, 'did you mean 10.0.0.0/8?'],
  ['1.2.3.4/032', /its prefix length has a leading zero/, 'did you mean 1.2.3.4?'],
  ['1.2.3.4/ 8', /its prefix length has a space/, 'did you mean 1.0.0.0/8?'],
  ['10.0.0.0/8 ', /its prefix length has a space/, 'did you mean 10.0.0.0/8?'],
  ['1.2.3.4/33', /prefix length "33" is greater than 32/, RULE4],
  ['1.2.3.4/4294967296', /prefix length "4294967296" is greater than 32/, RULE4],
  ['1.2.3.4/-1', /prefix length "-1" is not a number/, RULE4],
  ['1.2.3.4/+8', /prefix length "\+8" is not a number/, RULE4],
  ['1.2.3.4/8.0', /prefix length "8\.0" is not a number/, RULE4],
  ['1.2.3.4/0x8', /prefix length "0x8" is not a number/, RULE4],
  ['1.2.3.4/8/9', /prefix length "8\/9" is not a number/, RULE4],
  ['::/129', /prefix length "129" is greater than 128/, RULE6],
  ['::/x', /prefix length "x" is not a number/, RULE6],
  ['::/255.255.0.0', /prefix length "255\.255\.0\.0" is not a number/, RULE6],
  ['1.2.3.4/255.255.255.0', /"255\.255\.255\.0" is a netmask, not a prefix length/, 'did you mean 1.2.3.0/24?'],
  ['1.2.3.4/255.255.255.255', /is a netmask/, 'did you mean 1.2.3.4?'],
  ['1.2.3.4/0.0.0.0', /is a netmask/, 'did you mean 0.0.0.0/0?'],
  ['1.2.3.4/0.0.0.255', /is a netmask/, RULE4],
  ['10.1.2.3/16', /^"10\.1\.2\.3\/16" has host bits set: its network begins at 10\.1\.0\.0$/, 'did you mean 10.1.0.0/16?'],
  ['10.0.0.1/0', /has host bits set/, 'did you mean 0.0.0.0/0?'],
  ['10.0.0.1/31', /has host bits set/, 'did you mean 10.0.0.0/31?'],
  ['2001:db8::1/32', /has host bits set: its network begins at 2001:db8::$/, 'did you mean 2001:db8::/32?'],
];

for (const [text, fault, hint] of refusals) {
  test(`refuses ${JSON.stringify(text)}`, (t) => {
    const parsed = parseNetwork(text);
    t.false(parsed.ok);
    if (parsed.ok) return;
    t.regex(parsed.fault, fault);
    t.is(parsed.hint, hint);
    const single = parseAddress(text);
    t.false(single.ok);
    if (single.ok || text.includes('/')) return;
    t.regex(single.fault, fault);
  });
}

test('an address with a prefix length is refused where one address is wanted', (t) => {
  t.deepEqual(parseAddress('10.0.0.0/8'), {
    ok: false, fault: '"10.0.0.0/8" is not an IP address: it is a network', hint: 'write one address, without a prefix length',
  });
});

test('a short IPv4 form is no guess at one address, which inet_aton would read differently', (t) => {
  t.like(parseAddress('10.1'), { ok: false, hint: 'write all four octets' });
});

test('long and nested texts are refused with a short message', (t) => {
  for (const text of ['1'.repeat(1e6), ':'.repeat(1e6), '['.repeat(1e5) + ']'.repeat(1e5), '1.'.repeat(1e6), '::/'.repeat(1e5)]) {
    const parsed = parseNetwork(text);
    t.true(!parsed.ok && parsed.fault.length < 400);
  }
});

// ── properties ──

test('what is written reads back as the same address', (t) => {
  fc.assert(fc.property(address, (of) => {
    t.deepEqual(parseAddress(formatAddress(of)), { ok: true, value: of });
    t.deepEqual(parseNetwork(formatAddress(of)), { ok: true, value: networkOf(of) });
  }), { numRuns: 1000 });
});

test('what is written reads back as the same network', (t) => {
  fc.assert(fc.property(network, (of) => {
    t.deepEqual(parseNetwork(formatNetwork(of)), { ok: true, value: of });
  }), { numRuns: 1000 });
});

test('a network and one bit of its host part is refused, and the hint is the network', (t) => {
  fc.assert(fc.property(network, fc.nat(127), (of, bit) => {
    const bits = of.family === 4 ? 32 : 128;
    fc.pre(of.prefix < bits);
    const stray = of.first | (1n << BigInt(bit % (bits - of.prefix)));
    const parsed = parseNetwork(`${formatAddress({ family: of.family, value: stray })}/${of.prefix}`);
    t.like(parsed, { ok: false, hint: `did you mean ${formatNetwork(of)}?` });
  }));
});

test('reading accepts exactly the texts that are an address to node:net', (t) => {
  const piece = fc.constantFrom('0', '1', '00', '10', '255', '256', '010', 'f', 'ffff', 'FFFF', '12345', '::', ':', ':', ':', '.', '.', '1.2.3.4');
  const soup = fc.oneof(
    fc.array(piece, { maxLength: 16 }).map((pieces) => pieces.join('')),
    fc.tuple(groups, fc.nat(40), fc.constantFrom('', ':', '::', '0', '.', 'g', ' '))
      .map(([list, at, text]) => list.map((group) => group.toString(16)).join(':').replace(new RegExp(`^(.{${at}})`), `$1${text}`)),
    fc.tuple(address, fc.nat(40), fc.nat(3)).map(([of, at, count]) => {
      const text = formatAddress(of);
      return text.slice(0, at) + text.slice(at + count);
    }),
  );
  let [accepted, refused] = [0, 0];
  fc.assert(fc.property(soup, (text) => {
    const parsed = parseAddress(text);
    t.is(parsed.ok ? parsed.value.family : 0, isIP(text), text);
    if (parsed.ok) {
      accepted += 1;
      // By way of URL, as ipaddr.js takes `::1.2.3.4` for `::ffff:1.2.3.4`.
      const plain = text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
      t.is(ipaddr.parse(plain).toByteArray().reduce((value, byte) => (value << 8n) | BigInt(byte), 0n), parsed.value.value);
    } else {
      refused += 1;
      t.notRegex(parsed.fault, /it is a network/, 'every fault of an address has a name');
    }
  }), { numRuns: 5000 });
  t.true(accepted > 500 && refused > 500, `the texts are of both kinds: ${accepted} accepted, ${refused} refused`);
});

test('no text makes reading throw, and no hint suggests what would be refused', (t) => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.constantFrom(...'0123456789af:./%[] x'.split('')), { maxLength: 24 }).map((c) => c.join('')));
  fc.assert(fc.property(text, (text) => {
    for (const parse of [parseAddress, parseNetwork]) {
      const parsed = parse(text);
      const suggestion = parsed.ok ? undefined : /^did you mean (.*)\?$/.exec(parsed.hint ?? '')?.[1];
      t.true(suggestion === undefined || parse(suggestion).ok, text);
    }
  }), { numRuns: 3000 });
});

/** Forms with a dotted tail (RFC 5952 §5), which ipaddr.js does not write. */
const isDotted = ({ family, value }: Address) => family === 6 && ((value >> 32n === 0n && value > 0xffffn) || value >> 32n === 0xffffn);

test('writing agrees with ipaddr.js', (t) => {
  fc.assert(fc.property(address, (of) => {
    const parsed = oracleOf(of);
    const oracle = parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString();
    t.is(formatAddress(of), isDotted(of) ? formatAddress(of) : oracle);
    t.deepEqual(read(parseAddress(formatAddress(of))), of);
  }), { numRuns: 1000 });
});

test('membership agrees with ipaddr.js', (t) => {
  fc.assert(fc.property(network, address, fc.boolean(), (net, other, near) => {
    const of = near ? { family: net.family, value: net.first ^ (other.value & maxValue(net.family) & 0xffn) } : other;
    const oracle = of.family === net.family && oracleOf(of).match(oracleOf({ family: net.family, value: net.first }), net.prefix);
    t.is(addressInNetwork(of, net), oracle);
  }), { numRuns: 1000 });
});

// ── intervals ──

function write(first: string, last: string): string {
  const [from, to] = [read(parseAddress(first)), read(parseAddress(last))];
  return formatInterval(from.family, { first: from.value, last: to.value });
}

test('an interval is written as an address, as a network, or as its ends', (t) => {
  t.is(write('10.0.0.1', '10.0.0.1'), '10.0.0.1');
  t.is(write('10.0.0.0', '10.0.0.255'), '10.0.0.0/24');
  t.is(write('10.0.0.0', '10.0.0.1'), '10.0.0.0/31');
  t.is(write('10.0.0.1', '10.0.0.2'), '10.0.0.1-10.0.0.2');
  t.is(write('10.0.0.1', '10.0.0.255'), '10.0.0.1-10.0.0.255');
  t.is(write('10.0.0.0', '10.0.0.254'), '10.0.0.0-10.0.0.254');
  t.is(write('10.0.1.0', '10.0.2.255'), '10.0.1.0-10.0.2.255');
  t.is(write('0.0.0.0', '255.255.255.255'), '0.0.0.0/0');
  t.is(write('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), '::/0');
  t.is(write('::1', '::1'), '::1');
  t.is(write('fd00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), 'fd00::/8');
  t.is(write('fd00::', 'fd00::5'), 'fd00::-fd00::5');
});

test('the interval of a network is written as the network, and no other is', (t) => {
  fc.assert(fc.property(network, fc.boolean(), (of, atFirst) => {
    t.is(formatInterval(of.family, of), formatNetwork(of));
    fc.pre(of.last - of.first > 1n);
    const cut = atFirst ? { first: of.first + 1n, last: of.last } : { first: of.first, last: of.last - 1n };
    t.true(formatInterval(of.family, cut).includes('-'));
  }));
});

test('the widest values', (t) => {
  t.is(maxValue(4), 2n ** 32n - 1n);
  t.is(maxValue(6), 2n ** 128n - 1n);
  fc.assert(fc.property(family, (of) => {
    t.deepEqual(networkAt({ family: of, value: maxValue(of) }, 0), { family: of, prefix: 0, first: 0n, last: maxValue(of) });
  }));
});
