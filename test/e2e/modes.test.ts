import test from 'ava';
import { type Account, ci } from './plan.ts';
import { tell, worldFor } from './sentences.ts';

/** An account that exists by number only. */
const numbered: Account = { uid: 20077, gid: 20077, groups: [] };
/** Its primary group exists by number only, and a policy names that. */
const inNumberedGroup: Account = { uid: 20078, gid: 20079, groups: [] };
/** Primary group of its own, `ci` and the numbered group as supplementary ones. */
const supplementary: Account = { uid: 20080, gid: 20080, groups: [ci, 20079] };

const policies = `
service: worker
match:
  user: worker
mode: audit
dns: none
egress:
  allow:
    - to: 45.64.0.10
      ports: [443]
---
service: loner
match:
  user: [loner]
mode: block
dns: none
egress:
  allow:
    - to: [45.64.0.10, "2a0f:9400::10"]
      ports: [443]
ingress:
  allow:
    - ports: [8080]
---
service: ci
match:
  group: [ci, 20079]
dns: none
egress:
  allow:
    - to: [45.64.2.0/24, "2a0f:9400:2::/48"]
      ports: [443]
---
service: runner
match:
  user: runner
dns: none
egress:
  allow:
    - to: [45.64.3.0/24, "2a0f:9400:3::/48"]
      ports: [443]
---
service: batch
match:
  user: [billing, 20077]
dns: none
egress:
  allow:
    - to: 45.64.4.0/24
      ports: [443]
`;

const world = worldFor(test, async (world) => {
  await world.as('loner').listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080 });
  await world.as('worker').listen({ protocol: 'tcp', address: '0.0.0.0', port: 8081 });
  await world.policy('services.yaml', policies);
  await world.daemon.start();
});

tell(test, world, [
  ['audit lets through what is allowed', ['worker', 'tcp', '45.64.0.10', 443], 'passes'],
  ['… and what is not: TCP', ['worker', 'tcp', '45.64.9.9', 1], 'passes'],
  ['… UDP', ['worker', 'udp', '45.64.9.9', 1], 'passes'],
  ['… ping', ['worker', 'icmp', '45.64.9.9'], 'passes'],
  ['… over IPv6', ['worker', 'tcp', '2a0f:9400:9::9', 1], 'passes'],

  ['block refuses what is listed', ['loner', 'tcp', '45.64.0.10', 443], 'is refused'],
  ['… over IPv6', ['loner', 'tcp', '2a0f:9400::10', 443], 'is refused'],
  ['… UDP', ['loner', 'udp', '45.64.0.10', 443], 'is refused'],
  ['… ping', ['loner', 'icmp', '45.64.0.10'], 'is refused'],
  ['… and everything else', ['loner', 'tcp', '127.0.0.1', 8080], 'is refused'],

  ['a group policy governs whose primary group it is', ['deployer', 'tcp', '45.64.2.2', 443], 'passes'],
  ['… over IPv6', ['deployer', 'tcp', '2a0f:9400:2::2', 443], 'passes'],
  ['… and refuses the rest', ['deployer', 'tcp', '45.64.3.3', 443], 'is refused'],
  ['… UDP too', ['deployer', 'udp', '45.64.2.2', 443], 'is refused'],
  ['… over IPv6 too', ['deployer', 'tcp', '2a0f:9400:3::3', 443], 'is refused'],
  ['a group may be a number', [inNumberedGroup, 'tcp', '45.64.2.2', 443], 'passes'],
  ['… and refuses as well', [inNumberedGroup, 'tcp', '45.64.3.3', 443], 'is refused'],

  ['a user policy decides before the group: what it allows', ['runner', 'tcp', '45.64.3.3', 443], 'passes'],
  ['… over IPv6', ['runner', 'tcp', '2a0f:9400:3::3', 443], 'passes'],
  ['… and what only the group allows is refused', ['runner', 'tcp', '45.64.2.2', 443], 'is refused'],
  ['… over IPv6 too', ['runner', 'tcp', '2a0f:9400:2::2', 443], 'is refused'],

  ['a supplementary group is never matched', ['helper', 'tcp', '45.64.3.3', 443], 'passes'],
  ['… by number neither', [supplementary, 'udp', '45.64.3.3', 1], 'passes'],

  ['one policy governs several users: the first', ['billing', 'tcp', '45.64.4.4', 443], 'passes'],
  ['… and refuses the rest', ['billing', 'tcp', '45.64.5.5', 443], 'is refused'],
  ['… a uid without an account', [numbered, 'tcp', '45.64.4.4', 443], 'passes'],
  ['… and refuses that one the rest', [numbered, 'tcp', '45.64.5.5', 443], 'is refused'],
]);

test.serial('block lets nothing in, whatever is listed', async (t) => {
  t.is((await world().internet.client.tcp('203.0.112.2', 8080, { timeout: 500 })).result, 'timeout');
});

test.serial('audit lets everything in', async (t) => {
  t.is((await world().internet.client.tcp('203.0.112.2', 8081)).result, 'connected');
});

test.serial('status counts what audit would have refused, and what enforce refused', async (t) => {
  t.true((await world().service('worker')).counters.deniedPackets >= 4);
  t.true((await world().service('ci')).counters.deniedPackets >= 2);
  t.is((await world().service('worker')).mode, 'audit');
  t.is((await world().service('loner')).mode, 'block');
});

test.serial('status says whom each policy governs', async (t) => {
  const batch = await world().service('batch');
  t.deepEqual([batch.uids.toSorted((a, b) => a - b), batch.gids], [[20002, 20077], []]);
  const group = await world().service('ci');
  t.deepEqual([group.uids, group.gids.toSorted((a, b) => a - b)], [[], [20079, ci]]);
});
