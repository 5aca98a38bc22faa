import test from 'ava';
import { matchingPolicy } from './matching-policy.ts';
import type { Account } from './plan.ts';
import { check, passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const account = (id: number): Account => ({ uid: id, gid: id, groups: [] });
const newcomer = account(20050);
const moved = account(20061);
/** Primary group 20100, which is `ci`; a new account of that group. */
const apprentice: Account = { uid: 20070, gid: 20100, groups: [] };

const world = worldFor(test, async (world) => {
  await world.policy('webapp.yaml', matchingPolicy('webapp', 'user: webapp'));
  await world.policy('newcomer.yaml', matchingPolicy('newcomer', 'user: newcomer'));
  await world.policy('loner.yaml', matchingPolicy('loner', 'user: loner'));
  await world.policy('ci.yaml', matchingPolicy('ci', 'group: ci'));
  await world.policy('late.yaml', matchingPolicy('late', 'group: late-group'));
  await world.daemon.start();
});

const noticed = 5000;

test.serial('a user whose name is the number of another is not taken for that one', async (t) => {
  const passwd = await world().host.read('/etc/passwd');
  const group = await world().host.read('/etc/group');
  await world().daemon.stop();
  await world().nft('delete table inet netwall');
  await world().host.write('/etc/passwd', `20001:x:20333:20333::/nonexistent:/bin/false\n0:x:20333:20333::/nonexistent:/bin/false\n${passwd}`);
  await world().host.write('/etc/group', `20100:x:20333:\n4294967290:x:20333:\n${group}`);
  await world().daemon.start();
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), [apprentice, 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), [account(20333), 'tcp', '91.200.0.1', 443], 'passes');
  t.is((await world().ctl(['diff'])).exitCode, 0);
  // its guard, and its removal
  await world().nft('flush ruleset');
  await until('the table is back', () => passes(world(), ['webapp', 'tcp', '45.64.0.10', 443]));
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await world().policy('webapp.yaml', null);
  await until('it is free', () => passes(world(), ['webapp', 'tcp', '91.200.0.1', 443]));
  await world().policy('webapp.yaml', matchingPolicy('webapp', 'user: webapp'));
  await until('it is governed again', async () => !(await passes(world(), ['webapp', 'tcp', '91.200.0.1', 443])));
  await world().host.write('/etc/passwd', passwd);
  await world().host.write('/etc/group', group);
});

test.serial('a policy for a user that does not exist is pending, and does not hold up the others', async (t) => {
  const service = await world().waitState('newcomer', 'pending');
  t.regex(service.message ?? '', /newcomer/);
  t.deepEqual(service.uids, []);
  t.is((await world().service('webapp')).state, 'active');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('it becomes active within 5 s of useradd', async (t) => {
  await check(t, world(), [newcomer, 'tcp', '91.200.0.1', 443], 'passes');
  t.is((await world().exec('/usr/sbin/useradd', ['--no-create-home', '--uid', '20050', 'newcomer'])).exitCode, 0);
  await world().waitState('newcomer', 'active', noticed);
  t.deepEqual((await world().service('newcomer')).uids, [20050]);
  await check(t, world(), [newcomer, 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), [newcomer, 'tcp', '45.64.0.10', 443], 'passes');
});

test.serial('so does a policy for a group within 5 s of groupadd', async (t) => {
  await world().waitState('late', 'pending');
  t.is((await world().exec('/usr/sbin/groupadd', ['--gid', '20066', 'late-group'])).exitCode, 0);
  await world().waitState('late', 'active', noticed);
  await check(t, world(), [account(20066), 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('when a uid changes, the new one is governed within 5 s and the old one is free', async (t) => {
  await check(t, world(), ['loner', 'tcp', '91.200.0.1', 443], 'is refused');
  // usermod refuses while the user has processes, and the one that probes is; vipw would not.
  const passwd = await world().host.read('/etc/passwd');
  await world().host.write('/etc/passwd', passwd.replace('loner:x:20004:', 'loner:x:20061:'));
  await until('the new uid is governed', async () => !(await passes(world(), [moved, 'tcp', '91.200.0.1', 443])), noticed);
  await check(t, world(), [moved, 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['loner', 'tcp', '91.200.0.1', 443], 'passes');
  t.deepEqual((await world().service('loner')).uids, [20061]);
});

test.serial('a new account of a governed group is governed from its first packet', async (t) => {
  await check(t, world(), [apprentice, 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), [apprentice, 'tcp', '45.64.0.10', 443], 'passes');
});

test.serial('a user that is deleted leaves its policy pending', async (t) => {
  t.is((await world().exec('/usr/sbin/userdel', ['--force', 'newcomer'])).exitCode, 0);
  await world().waitState('newcomer', 'pending', noticed);
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});
