/** Whose destinations are read, and when. */
import test from 'ava';
import type { ServiceState } from '../../src/daemon/desired.ts';
import { Traffic } from '../../src/daemon/traffic.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { linkPolicy } from '../../src/policy/rule.ts';
import { confine } from '../../src/ruleset/confinement.ts';
import type { ObservedElement } from '../../src/ruleset/element.ts';

const SERVICES = [['webapp', [1001]], ['worker', [1002, 1003]], ['backup', [1004]]] as const;

function states(): readonly ServiceState[] {
  const text = SERVICES.map(([service, ids]) => `service: ${service}\nmatch: { user: [${ids.join(', ')}] }\ndns: none\n`).join('---\n');
  return parsePolicyFile('/etc/netwall.d/a.yaml', text).policies.map((policy) => {
    const { linked } = linkPolicy(policy, new Map());
    const ids = policy.subjects.map(({ id }) => Number(id));
    const entry = { service: policy.service, at: policy.at, standing: 'good', linked, kind: policy.kind, subjects: policy.subjects, problems: [] } as const;
    return { entry, principals: { ids, missing: [] }, blockedSince: null, confinement: confine(linked, { ids, nameservers: [], addresses: new Map() }), rulesets: [] };
  });
}

/** A kernel in which every principal has sent a packet for each time it was looked at. */
function rig(takes = 0) {
  let now = 0;
  const read: string[] = [];
  let gates = 0;
  const services = states();
  const traffic = new Traffic({
    services: () => services,
    clock: () => now,
    enforcer: {
      async counters() {
        gates += 1;
        return new Map([['user_mode 1001', { packets: gates, bytes: 0 }]]);
      },
      async permissionsOf(principals) {
        now += takes;
        read.push(principals.join(', '));
        return principals.map((principal): ObservedElement => ({ set: 'user_egress4', key: `${principal.split(' ')[1]} . 10.0.0.1 . tcp . 443`, mode: null, timeout: null, expires: null, comment: 'x', counter: { packets: read.length, bytes: 0 } }));
      },
    },
  });
  return { traffic, read, gates: () => gates, pass: (milliseconds: number) => (now += milliseconds) };
}

test('nobody is looked at whom nobody asks for', async (t) => {
  const { traffic, read, gates } = rig();
  const report = await traffic.report([], 1000);
  t.deepEqual(report.services.map(({ service, packets }) => [service, packets]), [['webapp', 1], ['worker', 0], ['backup', 0]]);
  t.deepEqual([report.destinations, read, gates()], [[], [], 1]);
});

test('two who look on are one reading, of the services of both', async (t) => {
  const { traffic, read, gates, pass } = rig();
  await traffic.report(['webapp'], 900);
  pass(1000);
  const [one, other] = await Promise.all([traffic.report(['webapp'], 900), traffic.report(['worker'], 900)]);
  t.deepEqual(one.destinations.map(({ service }) => service), ['webapp']);
  t.deepEqual(other.destinations.map(({ service, destinations }) => [service, destinations[0]?.elements]), [['worker', 2]]);
  t.is(gates(), 2);
  t.deepEqual(read.slice(0, 2), ['user 1001', 'user 1001, user 1002, user 1003']);
});

test('who does not ask any more is not looked at any more', async (t) => {
  const { traffic, read, pass } = rig();
  await traffic.report(['webapp'], 0);
  pass(10_001);
  await traffic.report(['backup'], 0);
  t.deepEqual(read, ['user 1001', 'user 1004']);
});

test('where reading takes long, a new service has to wait, and the others keep what was seen', async (t) => {
  const { traffic, read, pass } = rig(1000);
  await traffic.report(['webapp'], 0);
  pass(100);
  const soon = await traffic.report(['webapp', 'worker'], 0);
  t.deepEqual(soon.destinations.map(({ service, at }) => [service, at]), [['webapp', 0]]);
  pass(9000);
  t.is((await traffic.report(['webapp', 'worker'], 0)).destinations.length, 2);
  t.is(read.length, 2);
});

test('one service in detail is read at once, once for all who ask', async (t) => {
  const { traffic, read } = rig(1000);
  await traffic.report(['webapp'], 0);
  const [first, second] = await Promise.all([traffic.destinations('worker'), traffic.destinations('worker')]);
  t.is(first, second);
  t.deepEqual(read, ['user 1001', 'user 1002, user 1003']);
  t.deepEqual(await traffic.destinations('nobody'), []);
});
