/** Permissions for a while: in force at once, seen, gone in time whether the daemon lives or not. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const config = { reconcile_interval: '2s', dns: quickDns };
const policy = `service: webapp
match: { user: webapp }
dns: system
egress:
  allow:
    - { to: 45.64.7.0/24, ports: [443] }
  deny:
    - to: 45.64.9.0/24
`;
const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'db.partner.net': { addresses: ['45.64.30.1'], ttl: 60 } });
  await made.policy('webapp.yaml', policy);
  await made.policy('shut.yaml', 'service: shut\nmatch: { user: loner }\nmode: block\n');
  await made.daemon.start({ config });
});

const reaches = (address: string, port = 5432) => passes(world(), ['webapp', 'tcp', address, port]);
const grant = (to: string, ports: readonly string[], time: string, ...more: string[]) => world().ctl(['grant', 'webapp', to, ...ports, '--for', time, '--reason', 'repair of the import', ...more]);
const grants = async (): Promise<{ id: number; to: string; remainingSeconds: number; by: string }[]> => JSON.parse((await world().ctl(['grants', '--json'])).stdout).grants;
const elements = async () => world().nft('list set inet netwall user_egress4');

test.serial('granted, used, listed, over', async (t) => {
  t.false(await reaches('45.64.8.1'));
  const given = await grant('45.64.8.1', ['5432', '53/udp'], '4s');
  t.is(given.exitCode, 0, given.stderr);
  t.regex(given.stdout, /grant 1: webapp may reach 45\.64\.8\.1 at 5432, 53\/udp until/);
  t.true(await reaches('45.64.8.1'));
  t.false(await reaches('45.64.8.1', 5433));
  t.regex(await elements(), /45\.64\.8\.1 \. tcp \. 5432 .*timeout [34]s.*comment "grant 1: 45\.64\.8\.1"/);
  t.regex((await world().ctl(['status'])).stdout, /grant 1: webapp may reach 45\.64\.8\.1 at 5432, 53\/udp for another \ds \(repair of the import\)/);
  t.is((await world().ctl(['diff'])).exitCode, 0);
  t.is((await world().ctl(['explain', 'webapp', '45.64.8.1:5432'])).exitCode, 0);
  await until('it is over', async () => !(await reaches('45.64.8.1')), 8000);
  await until('it is no longer listed', async () => (await grants()).length === 0);
  t.is((await world().ctl(['diff'])).exitCode, 0);
  const { stdout } = await world().ctl(['events', '--json']);
  for (const outcome of ['granted', 'expired']) t.true(stdout.includes(`"outcome":"${outcome}"`), outcome);
  t.deepEqual((await world().status()).drift.repaired, 0);
});

test.serial('a live flow ends with its grant', async (t) => {
  await grant('45.64.8.2', ['5432'], '2s');
  const flow = await world().as('webapp').open('tcp', '45.64.8.2', 5432);
  t.is((await flow.exchange()).result, 'echoed');
  await until('it is over', async () => (await flow.exchange(300)).result !== 'echoed', 8000);
  await flow.close();
});

test.serial('revoked before its time', async (t) => {
  await grant('45.64.8.0/24', ['5432-5440'], '1h');
  t.true(await reaches('45.64.8.77', 5439));
  const [given] = await grants();
  const id = given?.id ?? 0;
  t.is((await world().ctl(['revoke', `${id}`])).exitCode, 0);
  t.false(await reaches('45.64.8.77', 5439));
  t.is((await world().ctl(['revoke', `${id}`])).exitCode, 1);
});

test.serial('a name', async (t) => {
  t.is((await grant('db.partner.net', ['5432'], '1m')).exitCode, 0);
  t.true(await reaches('45.64.30.1'));
  t.is((await world().ctl(['revoke', 'webapp'])).exitCode, 0);
  t.false(await reaches('45.64.30.1'));
});

test.serial('it holds over restarts, and lasts no longer for that', async (t) => {
  await grant('45.64.8.3', ['5432'], '1h');
  await grant('45.64.8.4', ['5432'], '6s');
  await world().daemon.kill();
  await sleep(1100);
  await world().daemon.start({ config });
  t.true(await reaches('45.64.8.3'));
  t.true((await grants()).every(({ remainingSeconds }) => remainingSeconds < 3600));
  await world().nft('flush ruleset');
  await until('it is back', () => reaches('45.64.8.3'), 5000);
  t.regex(await elements(), /45\.64\.8\.3 \. tcp \. 5432 .*timeout 59m5\ds/);
  await until('the short one is over', async () => !(await reaches('45.64.8.4')), 10_000);
  t.is((await world().ctl(['diff'])).exitCode, 0);
});

test.serial('it ends although the daemon is gone', async (t) => {
  await grant('45.64.8.5', ['5432'], '3s');
  await world().daemon.kill();
  t.true(await reaches('45.64.8.5'));
  await until('it is over', async () => !(await reaches('45.64.8.5')), 8000);
  t.true(await reaches('45.64.8.3'), 'the long one goes on');
  await world().daemon.start({ config });
  t.false(await reaches('45.64.8.5'));
  t.is((await world().ctl(['revoke', 'all'])).exitCode, 0);
  t.false(await reaches('45.64.8.3'));
});

test.serial('an address of a name that left DNS ends with the grant, the daemon gone or not', async (t) => {
  t.is((await grant('db.partner.net', ['5432'], '14s')).exitCode, 0);
  const flow = await world().as('webapp').open('tcp', '45.64.30.1', 5432);
  t.is((await flow.exchange()).result, 'echoed');
  await world().internet.zone({ 'db.partner.net': { addresses: ['45.64.30.9'], ttl: 1 } });
  await world().ctl(['resolve', 'db.partner.net']);
  await sleep(6000);
  await world().daemon.kill();
  await until('it is over', async () => (await flow.exchange(500)).result !== 'echoed', 15_000);
  await flow.close();
  await world().daemon.start({ config });
  await world().ctl(['revoke', 'all']);
  t.pass();
});

test.serial('after unload nothing that runs out brings the wall back', async (t) => {
  await grant('45.64.8.7', ['5432'], '2s');
  t.is((await world().ctl(['unload'])).exitCode, 0);
  await sleep(3000);
  t.notRegex(await world().nft('list tables'), /netwall/);
  await world().ctl(['resolve', 'db.partner.net']);
  t.notRegex(await world().nft('list tables'), /netwall/);
  t.is((await world().ctl(['reload'])).exitCode, 0);
  t.false(await reaches('45.64.8.7'));
});

test.serial('it is not in what boots', async (t) => {
  await grant('45.64.8.6', ['5432'], '1h');
  await sleep(600);
  t.notRegex(await world().host.read('/etc/netwall/boot.nft'), /45\.64\.8\.6/);
  t.regex(await world().host.read('/etc/netwall/boot.nft'), /45\.64\.7\.0/);
  await world().ctl(['revoke', 'all']);
});

test.serial('where a policy allows it as well, the policy stays', async (t) => {
  await grant('45.64.7.9', ['443', 'any'], '2s');
  t.true(await reaches('45.64.7.9', 9999));
  await until('it is over', async () => !(await reaches('45.64.7.9', 9999)), 8000);
  t.true(await reaches('45.64.7.9', 443));
});

const REFUSED: readonly [what: string, args: readonly string[], exit: number, error: RegExp][] = [
  ['denied by the policy', ['webapp', '45.64.9.1', '443', '--for', '1h', '--reason', 'x'], 1, /45\.64\.9\.0\/24 is denied at .*webapp\.yaml:8, and deny always holds/],
  ['no such service', ['webap', '45.64.8.1', '443', '--for', '1h', '--reason', 'x'], 1, /no service "webap"/],
  ['blocked', ['shut', '45.64.8.1', '443', '--for', '1h', '--reason', 'x'], 1, /is blocked/],
  ['no time', ['webapp', '45.64.8.1', '443', '--reason', 'x'], 2, /--for/],
  ['no reason', ['webapp', '45.64.8.1', '443', '--for', '1h'], 2, /--reason/],
  ['an empty reason', ['webapp', '45.64.8.1', '443', '--for', '1h', '--reason', ' '], 2, /a reason/],
  ['for ever', ['webapp', '45.64.8.1', '443', '--for', '365d', '--reason', 'x'], 2, /too long/],
  ['no address', ['webapp', '45.64.8.256', '443', '--for', '1h', '--reason', 'x'], 2, /45\.64\.8\.256/],
  ['no port', ['webapp', '45.64.8.1', '70000', '--for', '1h', '--reason', 'x'], 2, /70000/],
  ['a wildcard that nothing resolves', ['webapp', '*.partner.net', '443', '--for', '1h', '--reason', 'x'], 2, /filtered/],
  ['a group', ['webapp', '@internal', '443', '--for', '1h', '--reason', 'x'], 2, /groups of policy files cannot be granted/],
];
for (const [what, args, exit, error] of REFUSED) {
  test.serial(`refused: ${what}`, async (t) => {
    const { exitCode, stderr } = await world().ctl(['grant', ...args]);
    t.is(exitCode, exit, stderr);
    t.regex(stderr, error);
    t.deepEqual(await grants(), []);
  });
}
