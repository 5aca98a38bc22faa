import test from 'ava';
import { readElements, readElementsOf, readRuleset } from '../../src/ruleset/listing.ts';
import type { KernelMode } from '../../src/ruleset/skeleton.ts';

/** As nft 1.0.6 answered `-n -j list table inet netwall`, without what is no set; `val` and what stands beside it differ. */
const set = (name: string, ...elem: unknown[]) => ({
  set: { family: 'inet', name, table: 'netwall', type: ['uid', 'ipv4_addr', 'inet_proto', 'inet_service'], handle: 35, flags: ['timeout'], elem, stmt: [{ counter: null }] },
});
const map = (name: string, ...elem: unknown[]) => ({ map: { family: 'inet', name, table: 'netwall', type: 'uid', handle: 33, map: 'verdict', elem, stmt: [{ counter: null }] } });
const listing = (...objects: unknown[]) => ({
  nftables: [
    { metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } },
    { table: { family: 'inet', name: 'netwall', handle: 1 } },
    ...objects,
    { chain: { family: 'inet', table: 'netwall', name: 'output', handle: 32, type: 'filter', hook: 'output', prio: 0, policy: 'accept' } },
    { rule: { family: 'inet', table: 'netwall', chain: 'output', handle: 60, expr: [{ vmap: { key: { meta: { key: 'skuid' } }, data: '@user_mode' } }] } },
  ],
});
const zero = { packets: 0, bytes: 0 };
const concat = (...parts: unknown[]) => ({ concat: parts });

/** One element as nft lists it, and as it is read. */
const KEYS: readonly [what: string, val: unknown, key: string][] = [
  ['an exact key', concat(1001, '1.1.1.1', 6, 443), '1001 . 1.1.1.1 . tcp . 443'],
  ['a network', concat(1001, { prefix: { addr: '10.0.0.0', len: 8 } }, 6, 443), '1001 . 10.0.0.0/8 . tcp . 443'],
  ['everything', concat(1001, { prefix: { addr: '0.0.0.0', len: 0 } }, { range: [0, 255] }), '1001 . 0.0.0.0/0 . 0-255'],
  ['ranges', concat(1001, { range: ['192.168.0.3', '192.168.0.9'] }, 17, { range: [8000, 8191] }), '1001 . 192.168.0.3-192.168.0.9 . udp . 8000-8191'],
  ['ICMP', concat(1002, '9.9.9.9', 1), '1002 . 9.9.9.9 . icmp'],
  ['ICMPv6', concat(1002, { prefix: { addr: '2001:db8::', len: 32 } }, 58), '1002 . 2001:db8::/32 . icmpv6'],
  ['protocol 0', concat(1003, '9.9.9.9', 0), '1003 . 9.9.9.9 . 0'],
  ['a range of protocols', concat(1003, '::ffff:9.9.9.9', { range: [59, 255] }), '1003 . ::ffff:9.9.9.9 . 59-255'],
  ['a port that is the number of a protocol', concat(1001, '1.1.1.1', 17, 6), '1001 . 1.1.1.1 . udp . 6'],
  ['a uid that is the number of a protocol', concat(6, '1.1.1.1', 6, 17), '6 . 1.1.1.1 . tcp . 17'],
  ['an id alone', 1001, '1001'],
];
for (const [what, val, key] of KEYS) {
  test(`the key of ${what}`, (t) => {
    const expected = { set: 'user_egress_net4', key, mode: null, timeout: null, comment: null, expires: null };
    t.deepEqual(readElements(listing(set('user_egress_net4', { elem: { val, counter: zero } }))), [{ ...expected, counter: zero }]);
    t.deepEqual(readElements(listing(set('user_egress_net4', val))), [{ ...expected, counter: null }], 'without anything beside it');
  });
}

test('what stands beside a key', (t) => {
  const elem = { val: concat(1001, '1.1.1.1', 6, 443), timeout: 86400, expires: 86399, comment: 'api.github.com', counter: { packets: 12, bytes: 3456 } };
  t.deepEqual(readElements(listing(set('user_egress4', { elem }))), [
    {
      set: 'user_egress4', key: '1001 . 1.1.1.1 . tcp . 443', mode: null,
      timeout: 86400, expires: 86399, comment: 'api.github.com', counter: { packets: 12, bytes: 3456 },
    },
  ]);
});

test('an element of a record, whose timeout is the set\'s, is told by the time it has left', (t) => {
  const elem = { val: concat(1001, '10.0.0.1', 6, 25), expires: 3599, counter: { packets: 3, bytes: 180 } };
  const [element] = readElements(listing(set('user_denied4', { elem })));
  t.is(element?.timeout, null);
  t.is(element?.expires, 3599);
});

const VERDICTS: readonly [map: string, verdict: unknown, mode: KernelMode | null][] = [
  ['user_mode', { goto: { target: 'user_enforce' } }, 'enforce'],
  ['user_mode', { goto: { target: 'user_audit' } }, 'audit'],
  ['user_mode', { goto: { target: 'user_block' } }, 'block'],
  ['user_mode', { goto: { target: 'user_hold' } }, 'hold'],
  ['group_mode', { goto: { target: 'group_block' } }, 'block'],
  // none of ours: differs from whatever is desired
  ['user_mode', { goto: { target: 'group_enforce' } }, null],
  ['user_mode', { goto: { target: 'user_record' } }, null],
  ['user_mode', { goto: { target: 'elsewhere' } }, null],
  ['user_mode', { jump: { target: 'user_enforce' } }, null],
  ['user_mode', { accept: null }, null],
  ['user_mode', { drop: null }, null],
];
for (const [name, verdict, mode] of VERDICTS) {
  test(`${JSON.stringify(verdict)} in ${name} is ${mode ?? 'no mode of ours'}`, (t) => {
    const [element] = readElements(listing(map(name, [{ elem: { val: 1001, counter: zero } }, verdict])));
    t.is(element?.mode ?? null, mode);
    t.is(element?.key, '1001');
  });
}

test('an empty set has no elements, be it without a list or with an empty one', (t) => {
  t.deepEqual(readElements(listing(set('user_egress4'), { set: { family: 'inet', name: 'user_egress6', table: 'netwall', type: 'uid' } })), []);
});

test('the ruleset is the sets of policies: what the packet path fills, and what is foreign, is not in it', (t) => {
  const element = (port: number) => ({ elem: { val: concat(1001, '1.1.1.1', 6, port), expires: 10, counter: zero } });
  const { elements } = readRuleset(
    listing(
      set('user_egress4', element(1)), set('group_ingress6', element(2)), map('group_mode', [{ elem: { val: 27 } }, { goto: { target: 'group_audit' } }]),
      set('user_denied4', element(3)), set('user_denied_proto6', element(4)), set('group_denied_ingress4', element(5)), set('user_drain6', element(6)), set('foreign', element(7)),
    ),
  );
  t.deepEqual([...elements.keys()], ['user_egress4 1001 . 1.1.1.1 . tcp . 1', 'group_ingress6 1001 . 1.1.1.1 . tcp . 2', 'group_mode 27']);
});

test('every element is read, from whichever set', (t) => {
  t.is(readElements(listing(set('user_drain4', concat(1, '1.1.1.1', 6, 1)), set('foreign', 1, 2, { range: [3, 4] }))).length, 4);
});

/** Unreadable is not the same as empty. */
const UNREADABLE: readonly [what: string, json: unknown][] = [
  ['null', null],
  ['an empty object', {}],
  ['a list', []],
  ['a text', 'nftables'],
  ['no list of objects', { nftables: null }],
  ['a list as part of a key', listing(set('user_egress4', { concat: [1001, ['1.1.1.1'], 6, 443] }))],
  ['an unknown expression as a key', listing(set('user_egress4', { elem: { val: { unknown: 1 } } }))],
  ['a time in words', listing(set('user_egress4', { elem: { val: 1001, expires: 'soon' } }))],
  ['a map without verdicts', listing(map('user_mode', { elem: { val: 1001 } }))],
  ['a set without a name', listing({ set: { family: 'inet' } })],
];
for (const [what, json] of UNREADABLE) {
  test(`not taken for a listing: ${what}`, (t) => {
    t.throws(() => readElements(json), { name: 'ListingError' });
  });
}

// as nft prints: braces, quotes and what looks like another element in comments, which anybody with the right to change the table writes
const MIXED = listing(
  set(
    'user_egress4',
    { elem: { val: concat(1001, '1.1.1.1', 6, 443), timeout: 60, expires: 59, comment: 'a "}]} {"elem": {"val": {"concat": [1001, ', counter: { packets: 7, bytes: 700 } } },
    { elem: { val: concat(10_010, '1.1.1.2', 6, 443), counter: zero } },
    concat(1001, '1.1.1.3', 6, 443),
    { elem: { val: concat(1001, { prefix: { addr: '10.0.0.0', len: 8 } }, 17, { range: [1, 9] }), counter: { packets: 1, bytes: 1 } } },
    { elem: { val: concat(1002, '1.1.1.4', 6, 443), counter: zero } },
  ),
);
for (const [how, text] of [['as nft prints it', JSON.stringify(MIXED)], ['with spaces', JSON.stringify(MIXED, null, 1)]] as const) {
  test(`of some ids alone, from the text: ${how}`, (t) => {
    const keys = (...ids: number[]) => readElementsOf(text, new Set(ids)).map(({ key, counter }) => `${key}: ${counter?.packets}`);
    t.deepEqual(keys(1001), ['1001 . 1.1.1.1 . tcp . 443: 7', '1001 . 10.0.0.0/8 . udp . 1-9: 1']);
    t.deepEqual(keys(1002, 10_010), ['10010 . 1.1.1.2 . tcp . 443: 0', '1002 . 1.1.1.4 . tcp . 443: 0']);
    t.deepEqual(keys(1), []);
    t.deepEqual(keys(), []);
  });
}

test('of some ids alone: no set, and one that is cut off', (t) => {
  t.deepEqual(readElementsOf('', new Set([1001])), []);
  const text = JSON.stringify(MIXED);
  t.throws(() => readElementsOf(text.slice(0, text.indexOf('expires')), new Set([1001])), { name: 'ListingError' });
});
