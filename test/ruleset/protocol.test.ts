import test from 'ava';
import type { Family } from '../../src/net/address.ts';
import { parsePorts } from '../../src/policy/ports.ts';
import {
  ALL_PORTS, isAllPorts, portsInClass, PROTOCOL_CLASSES, protocolClass, protocolKeys, protocolName, type ProtocolClass,
} from '../../src/ruleset/protocol.ts';

const FAMILIES: readonly Family[] = [4, 6];

const CLASSES: readonly [protocol: number, v4: ProtocolClass, v6: ProtocolClass][] = [
  [6, 'tcp', 'tcp'],
  [17, 'udp', 'udp'],
  [1, 'icmp', 'other'], // ICMP over IPv6 is no protocol of IPv6
  [58, 'other', 'icmp'],
  [0, 'other', 'other'],
  [47, 'other', 'other'],
  [132, 'other', 'other'],
  [255, 'other', 'other'],
];
for (const [protocol, v4, v6] of CLASSES) {
  test(`protocol ${protocol} is ${v4} over IPv4 and ${v6} over IPv6`, (t) => {
    t.is(protocolClass(protocol, 4), v4);
    t.is(protocolClass(protocol, 6), v6);
  });
}

/** What an item of `ports` covers in each class, as `first-last`. */
const COVERED: readonly [item: string, covered: Partial<Record<ProtocolClass, string>>][] = [
  ['443', { tcp: '443-443' }],
  ['8000-8010', { tcp: '8000-8010' }],
  ['53/udp', { udp: '53-53' }],
  ['any/tcp', { tcp: '0-65535' }],
  ['any/udp', { udp: '0-65535' }],
  ['icmp', { icmp: '0-65535' }],
  ['any', { tcp: '0-65535', udp: '0-65535', icmp: '0-65535', other: '0-65535' }],
];
for (const [item, covered] of COVERED) {
  test(`ports: ${item} covers ${Object.keys(covered).join(', ')} alone`, (t) => {
    const match = parsePorts(item);
    if (!match.ok) return t.fail(match.fault);
    for (const wanted of PROTOCOL_CLASSES) {
      const ports = portsInClass(match.value, wanted);
      t.is(ports === null ? undefined : `${ports.first}-${ports.last}`, covered[wanted], wanted);
    }
    return undefined;
  });
}

test('all ports are 0 to 65535, and nothing less', (t) => {
  t.true(isAllPorts(ALL_PORTS));
  t.false(isAllPorts({ first: 1, last: 65535 }));
  t.false(isAllPorts({ first: 0, last: 65534 }));
});

/** The protocol numbers that a key stands for; names as /etc/protocols and nft have them. */
function numbers(key: string): number[] {
  const named: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };
  const [first = '', last = first] = key.split('-');
  const number = (text: string) => named[text] ?? Number(text);
  return Array.from({ length: number(last) - number(first) + 1 }, (_, index) => number(first) + index);
}

for (const family of FAMILIES) {
  test(`over IPv${family} the keys of the four classes are every protocol once`, (t) => {
    for (const wanted of PROTOCOL_CLASSES) {
      for (const number of protocolKeys(wanted, family).flatMap(numbers)) t.is(protocolClass(number, family), wanted, `${number}`);
    }
    const all = PROTOCOL_CLASSES.flatMap((wanted) => protocolKeys(wanted, family)).flatMap(numbers);
    t.deepEqual(all.toSorted((a, b) => a - b), Array.from({ length: 256 }, (_, number) => number));
  });
}

test('a number of a listing reads as the key it was written with', (t) => {
  for (const family of FAMILIES) {
    for (const key of PROTOCOL_CLASSES.flatMap((wanted) => protocolKeys(wanted, family)).filter((key) => !key.includes('-'))) {
      t.is(protocolName(numbers(key)[0] ?? -1), key);
    }
  }
  t.is(protocolName(47), '47');
});
