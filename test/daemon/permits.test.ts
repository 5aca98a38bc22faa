import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { PermitReport } from '../../src/control/api.ts';
import { Permits } from '../../src/daemon/permits.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { buildPolicySet } from '../../src/policy/policy-set.ts';
import { confine } from '../../src/ruleset/confinement.ts';
import { compileService } from '../../src/ruleset/compile.ts';
import { address } from '../ruleset/policies.ts';

const HOUR = 3_600_000;
const text = `service: webapp
match: { user: 1001 }
egress:
  allow:
    - { to: 45.64.7.0/24, ports: [any/tcp] }
    - { to: api.net, ports: [443] }
---
service: other
match: { user: 1002 }
`;
const set = buildPolicySet([{ name: 'a.yaml', path: '/a.yaml', hash: '', text, parsed: parsePolicyFile('/a.yaml', text), refusals: [] }], new Map(), () => null);

function setUp() {
  const clock = { now: 1000, wall: 1_800_000_000_000 };
  const told: string[] = [];
  const make = () => new Permits({ now: () => clock.now, wall: () => clock.wall, onChange: () => told.push('change'), onExpired: ({ id }: PermitReport) => told.push(`expired ${id}`) });
  const permits = make();
  permits.start();
  return { clock, told, make, permits };
}
const wanted = { service: 'webapp', to: '45.64.8.1', ports: ['443'], private: false, reason: 'test', by: 'ann', milliseconds: HOUR };

function elements(permits: Permits, addresses: ReadonlyMap<string, readonly string[]> = new Map()): string[] {
  const [entry] = permits.over(set.services);
  if (entry === undefined || entry.linked === null) throw new Error('no policy');
  const known = new Map([...addresses].map(([name, list]) => [name, list.map(address)]));
  const [ruleset] = compileService(confine(entry.linked, { ids: [1001], nameservers: [], addresses: known, dnsPort: null }), { addressTimeout: 86_400 });
  return (ruleset?.elements ?? []).filter((element) => element.set.includes('egress')).map(({ set: name, key, timeout, until }) => `${name.replace('user_', '')} ${key} ${timeout ?? 'stays'}${until === undefined ? '' : ` until ${until}`}`);
}
const PLAIN = ['egress_proto4 1001 . 45.64.7.0/24 . tcp stays'];

test('nothing granted: the very same services', (t) => {
  t.is(setUp().permits.over(set.services), set.services);
});

test('granted: its own service alone, and the same objects while nothing changes', (t) => {
  const { permits } = setUp();
  permits.add(wanted);
  const [first, second] = [permits.over(set.services), permits.over(set.services)];
  t.is(first[1], set.services[1]);
  t.is(first[0]?.linked, second[0]?.linked);
  t.not(first[0]?.linked, set.services[0]?.linked);
  permits.add({ ...wanted, to: '45.64.8.2' });
  t.not(permits.over(set.services)[0]?.linked, first[0]?.linked);
  permits.close();
});

const COMPILED: readonly [what: string, grant: Partial<typeof wanted>, elements: readonly string[]][] = [
  ['an address', {}, [...PLAIN, 'egress4 1001 . 45.64.8.1 . tcp . 443 3600 until 3601000']],
  ['a range of ports', { ports: ['1-9/udp'] }, [...PLAIN, 'egress_net4 1001 . 45.64.8.1 . udp . 1-9 3600 until 3601000']],
  ['what the policy allows anyway stays as it is', { to: '45.64.7.3' }, PLAIN],
  [
    'everything, where the policy allows some: what is only for a while does not melt into what stays',
    { to: '45.64.7.0/24', ports: ['any'] },
    [
      ...PLAIN,
      'egress_proto4 1001 . 45.64.7.0/24 . udp 3600 until 3601000',
      'egress_proto4 1001 . 45.64.7.0/24 . icmp 3600 until 3601000',
      'egress_proto4 1001 . 45.64.7.0/24 . 0 3600 until 3601000',
      'egress_proto4 1001 . 45.64.7.0/24 . 2-5 3600 until 3601000',
      'egress_proto4 1001 . 45.64.7.0/24 . 7-16 3600 until 3601000',
      'egress_proto4 1001 . 45.64.7.0/24 . 18-255 3600 until 3601000',
    ],
  ],
];
for (const [what, grant, expected] of COMPILED) {
  test(`compiled: ${what}`, (t) => {
    const { permits } = setUp();
    permits.add({ ...wanted, ...grant });
    t.deepEqual(elements(permits).toSorted(), expected.toSorted());
    permits.close();
  });
}

test('compiled: a name has the shorter of both times; the address of a listed one stays', (t) => {
  const { permits } = setUp();
  permits.add({ ...wanted, to: 'db.net' });
  permits.add({ ...wanted, to: 'db.net', ports: ['444'], milliseconds: 48 * HOUR });
  const found = elements(permits, new Map([['db.net', ['45.64.30.1']], ['api.net', ['45.64.30.1']]]));
  t.true(found.includes('egress4 1001 . 45.64.30.1 . tcp . 443 86400'));
  t.true(found.includes(`egress4 1001 . 45.64.30.1 . tcp . 444 86400 until ${1000 + 48 * HOUR}`));
  permits.close();
});

test('compiled: a granted network lets no name lead to a special-use address', (t) => {
  const { permits } = setUp();
  permits.add({ ...wanted, to: '10.0.0.0/8', ports: ['22'] });
  t.false(elements(permits, new Map([['api.net', ['10.1.1.1']]])).some((element) => element.includes('10.1.1.1')));
  permits.close();
});

test('compiled: where two overlap, the longer one has the ground', (t) => {
  const { permits } = setUp();
  permits.add(wanted);
  permits.add({ ...wanted, milliseconds: 2 * HOUR });
  t.deepEqual(elements(permits).toSorted(), [...PLAIN, 'egress4 1001 . 45.64.8.1 . tcp . 443 7200 until 7201000'].toSorted());
  permits.close();
});

test('over: of itself, and told', async (t) => {
  const { permits, clock, told } = setUp();
  permits.add({ ...wanted, milliseconds: 20 });
  permits.add(wanted);
  clock.now += 20;
  for (let round = 0; round < 200 && told.length === 0; round += 1) await sleep(5);
  t.deepEqual(told, ['expired 1', 'change']);
  t.deepEqual(permits.report.map(({ id }) => id), [2]);
  permits.close();
});

const REOPENED: readonly [what: string, later: number, remaining: number | null][] = [
  ['at once', 0, 3600],
  ['half an hour later', HOUR / 2, 1800],
  ['too late', HOUR, null],
  ['with a clock that was set back: no longer than was left', -24 * HOUR, 3600],
];
for (const [what, later, remaining] of REOPENED) {
  test(`read again ${what}`, (t) => {
    const { permits, clock, make } = setUp();
    permits.add(wanted);
    const saved = permits.save();
    clock.wall += later;
    clock.now = 5;
    const again = make();
    again.load(saved);
    t.deepEqual(again.report.map(({ remainingSeconds }) => remainingSeconds), remaining === null ? [] : [remaining]);
    t.is(again.add(wanted).id, 2, 'numbers are not used again');
    permits.close();
    again.close();
  });
}

test('what was left is not made more by a clock that is set back', (t) => {
  const { permits, clock, make } = setUp();
  permits.add(wanted);
  clock.now += HOUR - 100_000;
  const saved = permits.save();
  clock.wall -= 24 * HOUR;
  const again = make();
  again.load(saved);
  t.deepEqual(again.report.map(({ remainingSeconds }) => remainingSeconds), [100]);
  permits.close();
});

test('nothing runs out, and nothing is told, before the start', async (t) => {
  const { permits, told, make } = setUp();
  permits.add({ ...wanted, milliseconds: 1 });
  const again = make();
  again.load(permits.save());
  permits.close();
  await sleep(30);
  t.deepEqual(told, []);
});

test('a service that is gone takes its grants along', (t) => {
  const { permits } = setUp();
  permits.add(wanted);
  permits.add({ ...wanted, service: 'other' });
  t.deepEqual(permits.retain(new Set(['webapp', 'other'])), []);
  t.deepEqual(permits.retain(new Set(['other'])).map(({ id }) => id), [1]);
  t.deepEqual([...permits.counts], [['other', 1]]);
  permits.close();
});

test('what was taken back is not in force, whatever was asked in between', (t) => {
  const { permits } = setUp();
  permits.add(wanted);
  const { id } = permits.add({ ...wanted, to: '45.64.8.2' });
  permits.over(set.services);
  permits.revoke((permit) => permit.id === id);
  t.false(elements(permits).some((element) => element.includes('45.64.8.2')));
  permits.close();
});

test('compiled: a granted network takes nothing from what lasts', (t) => {
  const { permits } = setUp();
  permits.add({ ...wanted, to: '45.64.30.0/24', ports: ['440-450'] });
  const found = elements(permits, new Map([['api.net', ['45.64.30.1']]]));
  t.true(found.includes('egress4 1001 . 45.64.30.1 . tcp . 443 86400'));
  t.deepEqual(
    found.filter((element) => element.includes('until')).toSorted(),
    ['45.64.30.0 . tcp . 440-450', '45.64.30.1 . tcp . 440-442', '45.64.30.1 . tcp . 444-450', '45.64.30.2-45.64.30.255 . tcp . 440-450'].map((key) => `egress_net4 1001 . ${key} 3600 until 3601000`),
  );
  permits.close();
});

test('revoked: by number, by service', (t) => {
  const { permits } = setUp();
  for (const service of ['webapp', 'webapp', 'other']) permits.add({ ...wanted, service });
  t.deepEqual(permits.revoke(({ id }) => id === 1).map(({ id }) => id), [1]);
  t.deepEqual(permits.revoke(({ id }) => id === 1), []);
  t.deepEqual(permits.revoke(({ service }) => service === 'other').map(({ id }) => id), [3]);
  t.deepEqual(permits.report.map(({ id }) => id), [2]);
  permits.close();
});

test('over by the wall clock, too: the other one stands still while the host is suspended', (t) => {
  const { permits, clock, told } = setUp();
  permits.add(wanted);
  permits.look();
  t.deepEqual(told, []);
  clock.wall += HOUR;
  t.deepEqual(elements(permits), PLAIN);
  permits.look();
  t.deepEqual(told, ['expired 1', 'change']);
  t.deepEqual(permits.report, []);
});
