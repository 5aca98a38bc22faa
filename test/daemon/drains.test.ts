import test from 'ava';
import { Drains } from '../../src/daemon/drains.ts';
import type { ServiceState } from '../../src/daemon/desired.ts';
import type { LiveSocket } from '../../src/host/sockets.ts';
import { compileService } from '../../src/ruleset/compile.ts';
import type { Element } from '../../src/ruleset/element.ts';
import { ADDRESS_TIMEOUT, confinements } from '../ruleset/policies.ts';

type Answers = Readonly<Record<string, readonly string[]>>;

/** Services in force: policies, and what DNS says. */
function states(yaml: string, addresses: Answers = {}): readonly ServiceState[] {
  return confinements(yaml, { addresses }).map((confinement) => ({
    entry: { service: confinement.service, at: confinement.dns.at, standing: 'good', linked: null, kind: confinement.kind, subjects: [], problems: [] },
    principals: { ids: confinement.ids, missing: [] },
    blockedSince: null,
    confinement,
    rulesets: compileService(confinement, { addressTimeout: ADDRESS_TIMEOUT }),
  }));
}

const policy = (to: string, { ports = '443/tcp', match = 'user: 1001', rest = '', deny = '' } = {}) =>
  `service: web\nmatch: { ${match} }\ndns: filtered\n${rest}egress:\n  allow: [{ to: ${to}, ports: ${ports} }]\n${deny === '' ? '' : `  deny: [{ to: ${deny} }]\n`}`;

const NAME = policy('api.example.com');
const FIRST: Answers = { 'api.example.com': ['45.64.7.1', '45.64.7.2'] };
const SECOND: Answers = { 'api.example.com': ['45.64.7.2'] };

const idle = (): readonly LiveSocket[] => [];
function unasked(): never {
  throw new Error('asked for live sockets');
}

type Changes = ReturnType<Drains['changes']>;
const show = ({ set, key, timeout, comment }: Element) => `${set} ${key} ${timeout}s ${comment}`;
const shown = (changes: Changes) =>
  [...changes].flatMap(([principal, { added, removed }]) => [...removed.map((element) => `${principal} - ${show(element)}`), ...added.map((element) => `${principal} + ${show(element)}`)]);

const PRIVATE = NAME.replace('443/tcp }', '443/tcp, private: true }');
const INSIDE: Answers = { 'api.example.com': ['10.0.0.5'] };

const WITH_RANGE = policy('api.example.com', { ports: '8000-8100/tcp' });
const LIVE: readonly LiveSocket[] = [
  { protocol: 'tcp', address: '45.64.7.1', port: 8000 },
  { protocol: 'tcp', address: '45.64.7.1', port: 8100 },
  { protocol: 'tcp', address: '45.64.7.1', port: 7999 },
  { protocol: 'tcp', address: '45.64.7.1', port: 8101 },
  { protocol: 'udp', address: '45.64.7.1', port: 8050 },
  { protocol: 'tcp', address: '45.64.7.9', port: 8050 },
];

const CASES: readonly [what: string, before: readonly ServiceState[], after: readonly ServiceState[], sockets: () => readonly LiveSocket[], changes: readonly string[]][] = [
  ['nothing', [], [], unasked, []],
  ['a newcomer', [], states(NAME, FIRST), unasked, []],
  ['an address that left DNS', states(NAME, FIRST), states(NAME, SECOND), unasked, ['user 1001 + user_drain4 1001 . 45.64.7.1 . tcp . 443 300s api.example.com']],
  ['an address that came', states(NAME, SECOND), states(NAME, FIRST), unasked, []],
  [
    'an IPv6 address that left DNS',
    states(NAME, { 'api.example.com': ['2606:2800::1'] }),
    states(NAME),
    unasked,
    ['user 1001 + user_drain6 1001 . 2606:2800::1 . tcp . 443 300s api.example.com'],
  ],
  [
    'for a group',
    states(policy('api.example.com', { match: 'group: 27' }), FIRST),
    states(policy('api.example.com', { match: 'group: 27' }), SECOND),
    unasked,
    ['group 27 + group_drain4 27 . 45.64.7.1 . tcp . 443 300s api.example.com'],
  ],
  [
    'for every principal of a service',
    states(policy('api.example.com', { match: 'user: [1001, 1002]' }), FIRST),
    states(policy('api.example.com', { match: 'user: [1001, 1002]' }), SECOND),
    unasked,
    [1001, 1002].map((id) => `user ${id} + user_drain4 ${id} . 45.64.7.1 . tcp . 443 300s api.example.com`),
  ],
  [
    'an address of a name that a wildcard covers',
    states(policy('"*.example.com"'), FIRST),
    states(policy('"*.example.com"'), SECOND),
    unasked,
    ['user 1001 + user_drain4 1001 . 45.64.7.1 . tcp . 443 300s *.example.com'],
  ],
  ['an address that the policy lists by itself', states(policy('45.64.7.1')), states(policy('45.64.7.2')), unasked, []],
  ['a name that the policy no longer lists', states(NAME, FIRST), states(policy('other.example.com'), FIRST), unasked, []],
  ['a port that the policy no longer allows', states(NAME, FIRST), states(policy('api.example.com', { ports: '80/tcp' }), FIRST), unasked, []],
  ['a name that is denied now', states(NAME, FIRST), states(policy('api.example.com', { deny: '45.64.7.1' }), FIRST), unasked, []],
  ['a private address that the name may no longer lead to', states(PRIVATE, INSIDE), states(NAME, INSIDE), unasked, []],
  ['… or that a network let through', states(policy('[api.example.com, 10.0.0.0/8]'), INSIDE), states(NAME, INSIDE), unasked, []],
  ['… and one that it may lead to', states(PRIVATE, INSIDE), states(PRIVATE), unasked, ['user 1001 + user_drain4 1001 . 10.0.0.5 . tcp . 443 300s api.example.com']],
  ['a policy that blocks now', states(NAME, FIRST), states(policy('api.example.com', { rest: 'mode: block\n' }), FIRST), unasked, []],
  ['a policy that is gone', states(NAME, FIRST), [], unasked, []],
  ['a range of ports: one key for each live flow', states(WITH_RANGE, FIRST), states(WITH_RANGE, SECOND), () => LIVE, [8000, 8100].map((port) => `user 1001 + user_drain4 1001 . 45.64.7.1 . tcp . ${port} 300s api.example.com`)],
  ['a range of ports without flows', states(WITH_RANGE, FIRST), states(WITH_RANGE, SECOND), idle, []],
  [
    'all protocols: one key for each live flow',
    states(policy('api.example.com', { ports: 'any' }), FIRST),
    states(policy('api.example.com', { ports: 'any' }), SECOND),
    () => LIVE.slice(3),
    ['tcp . 8101', 'udp . 8050'].map((flow) => `user 1001 + user_drain4 1001 . 45.64.7.1 . ${flow} 300s api.example.com`),
  ],
  [
    'all ports of one protocol',
    states(policy('api.example.com', { ports: '1-65535/udp' }), FIRST),
    states(policy('api.example.com', { ports: '1-65535/udp' }), SECOND),
    () => LIVE,
    ['user 1001 + user_drain4 1001 . 45.64.7.1 . udp . 8050 300s api.example.com'],
  ],
];

for (const [what, before, after, sockets, changes] of CASES) {
  test(`drains: ${what}`, (t) => t.deepEqual(shown(new Drains().changes(before, after, sockets)), changes));
}

const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `45.64.${(from + index) >> 8}.${(from + index) & 255}`);
const drained = (drains: Drains, before: readonly string[], after: readonly string[], sockets: () => readonly LiveSocket[]) =>
  drains.changes(states(NAME, { 'api.example.com': before }), states(NAME, { 'api.example.com': after }), sockets).get('user 1001')?.added.map(({ key }) => key) ?? [];

test('of very many addresses that leave only those drain that a socket is connected to', (t) => {
  const drains = new Drains();
  t.is(drained(drains, many(1000), [], unasked).length, 1000);
  const live: readonly LiveSocket[] = [{ protocol: 'tcp', address: '45.64.4.1', port: 443 }, { protocol: 'tcp', address: '45.64.4.2', port: 444 }];
  t.deepEqual(drained(drains, many(1000, 1000), [], () => live), ['1001 . 45.64.4.1 . tcp . 443']);
});

test('those of all together fit into what the kernel takes', (t) => {
  const ids = Array.from({ length: 70 }, (_, index) => 2000 + index);
  const of = (addresses: readonly string[]) => states(policy('api.example.com', { match: `user: [${ids.join(', ')}]` }), { 'api.example.com': addresses });
  const live = (): readonly LiveSocket[] => many(1000).map((address) => ({ protocol: 'tcp', address, port: 443 }));
  const changes = new Drains().changes(of(many(1000)), of([]), live);
  t.is([...changes.values()].reduce((sum, { added }) => sum + added.length, 0), 60_000);
});

const DRAINED = '1001 . 45.64.7.1 . tcp . 443 300s api.example.com';

const ENDS: readonly [what: string, after: readonly ServiceState[], removed: boolean][] = [
  ['goes on while the name is listed', states(NAME, { 'api.example.com': ['45.64.7.3'] }), false],
  ['goes on while the name is listed, whatever else is', states(policy('[10.0.0.1, api.example.com]')), false],
  ['goes on in mode audit', states(policy('api.example.com', { rest: 'mode: audit\n' })), false],
  ['goes on while its port is in a range', states(policy('api.example.com', { ports: '400-500/tcp' })), false],
  ['goes on while all protocols are allowed', states(policy('api.example.com', { ports: 'any' })), false],
  ['ends when the name is not listed', states(policy('other.example.com')), true],
  ['ends when only a wildcard covers the name', states(policy('"*.example.com"')), true],
  ['ends when its port is not allowed', states(policy('api.example.com', { ports: '444/tcp' })), true],
  ['ends when its protocol is not allowed', states(policy('api.example.com', { ports: '443/udp' })), true],
  ['ends when the address is denied', states(policy('api.example.com', { deny: '45.64.0.0/16' })), true],
  ['ends when the policy blocks', states(policy('api.example.com', { rest: 'mode: block\n' })), true],
  ['ends when another user is governed', states(policy('api.example.com', { match: 'user: 1002' })), true],
  ['ends when nobody is governed', [], true],
];

for (const [what, after, removed] of ENDS) {
  test(`what drains ${what}`, (t) => {
    const drains = new Drains();
    const now = states(NAME, SECOND);
    drains.changes(states(NAME, FIRST), now, unasked);
    t.deepEqual(shown(drains.changes(now, after, unasked)).filter((line) => line.includes(DRAINED)), removed ? [`user 1001 - user_drain4 ${DRAINED}`] : []);
    t.deepEqual(shown(drains.changes(after, [], unasked)).filter((line) => line.includes(DRAINED)), removed ? [] : [`user 1001 - user_drain4 ${DRAINED}`], 'it ends once');
  });
}

test('services that stay the same objects change nothing', (t) => {
  const drains = new Drains();
  const now = states(NAME, SECOND);
  drains.changes(states(NAME, FIRST), now, unasked);
  t.deepEqual(shown(drains.changes(now, now, unasked)), []);
});

test('what the kernel holds from an earlier run ends like what began in this one', (t) => {
  const held = (key: string, set = 'user_drain4'): Element => ({ set, key, mode: null, timeout: 300, comment: 'api.example.com' });
  const elements = [held('1001 . 45.64.7.1 . tcp . 443'), held('1001 . 45.64.7.1 . tcp . 80'), held('1002 . 45.64.7.1 . tcp . 443'), held('27 . 2606:2800::1 . udp . 53', 'group_drain6')];
  const drains = new Drains();
  drains.observe(elements);
  t.deepEqual(shown(drains.changes([], states(NAME, FIRST), unasked)), [
    'user 1001 - user_drain4 1001 . 45.64.7.1 . tcp . 80 300s api.example.com',
    'user 1002 - user_drain4 1002 . 45.64.7.1 . tcp . 443 300s api.example.com',
    'group 27 - group_drain6 27 . 2606:2800::1 . udp . 53 300s api.example.com',
  ]);
  drains.observe([]);
  t.deepEqual(shown(drains.changes(states(NAME, FIRST), [], unasked)), []);
});

test('what drains is in a table that is built anew as well, as far as it is allowed', (t) => {
  const drains = new Drains();
  const now = states(NAME, SECOND);
  drains.changes(states(NAME, FIRST), now, unasked);
  drains.lose();
  t.deepEqual(shown(drains.changes(now, now, unasked)), [`user 1001 + user_drain4 ${DRAINED}`]);
  t.deepEqual(shown(drains.changes(now, now, unasked)), [], 'once');
  drains.lose();
  t.deepEqual(shown(drains.changes(now, states(policy('other.example.com')), unasked)), [`user 1001 - user_drain4 ${DRAINED}`]);
});

test('what makes no sense as a key is no reason to let a flow go on', (t) => {
  for (const key of ['1001 . nowhere . tcp . 443', '1001 . 45.64.7.1 . icmp . 0', '1001 . 45.64.7.1', '1001']) {
    const drains = new Drains();
    drains.observe([{ set: 'user_drain4', key, mode: null, timeout: 300, comment: 'api.example.com' }]);
    t.is(shown(drains.changes([], states(NAME, FIRST), unasked)).length, 1, key);
  }
});
