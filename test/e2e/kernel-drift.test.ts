/** Somebody else changes the table: it is put right within milliseconds, not at the next full check, and who did it is recorded. */
import test from 'ava';
import { passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const world = worldFor(test, async (made) => {
  await made.policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\ndns: none\negress:\n  allow:\n    - to: 45.64.7.0/24\n      ports: [443]\n');
  // the full check must not be what repairs
  await made.daemon.start({ config: { reconcile_interval: '10m' } });
});

const refused = async () => !(await passes(world(), ['webapp', 'tcp', '91.200.1.1', 443]));
const allowed = () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 443]);
const intact = async () => (await world().ctl(['diff'])).exitCode === 0;

const CHANGES: readonly (readonly [what: string, script: string, detail: RegExp])[] = [
  ['flush ruleset', 'flush ruleset', /the table is gone/],
  ['delete table', 'delete table inet netwall', /the table is gone/],
  ['a rule that lets everything pass', 'insert rule inet netwall user_enforce accept', /the rules were changed/],
  ['a chain that is emptied', 'flush chain inet netwall output', /the rules were changed/],
  ['a chain of its own', 'add chain inet netwall foreign', /the rules were changed/],
  ['a foreign element', 'add element inet netwall user_egress_net4 { 20001 . 91.200.0.0/16 . tcp . 443 }', /91\.200\.0\.0/],
  ['an element that is deleted', 'delete element inet netwall user_egress_net4 { 20001-20001 . 45.64.7.0/24 . tcp . 443 }', /45\.64\.7\.0/],
  ['a mode that is deleted', 'delete element inet netwall user_mode { 20001 }', /20001/],
  ['a mode that is replaced', 'delete element inet netwall user_mode { 20001 }\nadd element inet netwall user_mode { 20001 : goto user_audit }', /changed element user_mode \{ 20001 \}/],
  ['the modes flushed', 'flush map inet netwall user_mode', /20001/],
];
for (const [what, script, detail] of CHANGES) {
  test.serial(`repaired at once: ${what}`, async (t) => {
    t.true((await refused()) && (await allowed()));
    await world().nft(script);
    await until('the wall is as it was', async () => (await intact()) && (await refused()) && (await allowed()), 3000);
    const { drift } = await world().status();
    t.regex(drift.last?.detail ?? '', detail);
    t.is(drift.last?.kind, 'kernel');
    t.is(drift.last?.process?.name, 'nft');
    t.true((drift.last?.openMilliseconds ?? 0) < 1000, `${drift.last?.openMilliseconds} ms`);
  });
}

test.serial('a rule that comes just after a flush is not taken for one of ours', async (t) => {
  const inserting = 'nft=/usr/sbin/nft; $nft flush ruleset; for i in $(seq 1000); do $nft insert rule inet netwall refuse accept 2>/dev/null && exit 0; done; exit 1';
  t.is((await world().exec('/bin/sh', ['-c', inserting], { timeout: 20_000 })).exitCode, 0);
  await until('the wall is as it was', async () => (await intact()) && (await refused()) && (await allowed()), 5000);
  t.notRegex((await world().exec('/usr/sbin/nft', ['list', 'chain', 'inet', 'netwall', 'refuse'])).stdout, /^\t\taccept/m);
});

test.serial('who stops being governed in the run that builds the table anew leaves the guard, too', async (t) => {
  await until('the guard is held', async () => (await world().status()).guard.state === 'held');
  const old = await world().host.read('/etc/netwall.d/webapp.yaml');
  await world().host.write('/run/new.yaml', old.replaceAll('webapp', 'billing'));
  await world().exec('/bin/sh', ['-c', 'mv /run/new.yaml /etc/netwall.d/webapp.yaml; /usr/sbin/nft flush ruleset']);
  await until('it passes', () => passes(world(), ['webapp', 'tcp', '91.200.1.1', 443]), 5000);
  t.false(await passes(world(), ['billing', 'tcp', '91.200.1.1', 443]));
  await world().policy('webapp.yaml', old);
  await until('the wall is as it was', async () => (await intact()) && (await refused()) && (await allowed()), 5000);
});

test.serial('what others do with their own tables is not ours', async (t) => {
  const { generation, drift } = await world().status();
  await world().nft('table inet other {\nchain c {\ntype filter hook output priority 5; policy accept;\n}\n}\ntable ip netwall {\n}');
  await world().nft('delete table inet other');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = await world().status();
  t.is(after.generation, generation);
  t.is(after.drift.repaired, drift.repaired);
});

test.serial('a fight: whoever flushes over and over is answered each time, and in the end the wall stands', async (t) => {
  for (let round = 0; round < 60; round += 1) await world().nft('flush ruleset');
  await until('the wall stands', async () => (await intact()) && (await refused()) && (await allowed()), 5000);
  t.pass();
});

test.serial('a monitor that is killed comes back', async (t) => {
  const monitor = async () => (await world().exec('/usr/bin/pgrep', ['-f', 'nft monitor'])).stdout.trim();
  const children = (await world().exec('/bin/cat', [`/proc/${world().daemon.pid()}/task/${world().daemon.pid()}/children`])).stdout.trim().split(' ');
  for (const pid of children) {
    const command = (await world().exec('/bin/cat', [`/proc/${pid}/cmdline`])).stdout;
    if (command.includes('monitor')) process.kill(Number(pid), 'SIGKILL');
  }
  await until('another one is there', async () => (await monitor()) !== '' && !children.includes((await monitor()).split('\n')[0] ?? ''), 5000);
  await world().nft('flush ruleset');
  await until('the wall stands', async () => (await intact()) && (await refused()), 3000);
  t.pass();
});

test.serial('in a pid namespace of its own it knows its own changes, too', async (t) => {
  await world().daemon.stop();
  await world().daemon.start({ config: { reconcile_interval: '10m' }, under: ['/usr/bin/unshare', '--pid', '--fork', '--kill-child'] });
  await until('the guard is there', async () => (await world().status()).guard.state === 'held');
  await world().policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\ndns: none\negress:\n  allow:\n    - to: [45.64.7.0/24, 45.64.8.1]\n      ports: [443]\n');
  await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.64.8.1', 443]));
  await world().nft('flush ruleset');
  await until('repaired', async () => (await world().status()).drift.last?.detail === 'the table is gone');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { generation, drift } = await world().status();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = await world().status();
  t.is(after.generation, generation);
  t.is(after.drift.repaired, drift.repaired);
  t.true(after.drift.repaired <= 3, `${after.drift.repaired} repairs`);
  t.true((await intact()) && (await refused()) && (await allowed()));
});
