/** The daemon comes and goes; the wall stays. */
import test from 'ava';
import { quickDns } from './daemon.ts';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = (network: string): string => `
service: webapp
match:
  user: webapp
dns: none
egress:
  allow:
    - to: ${network}
      ports: [443]
`;

const world = worldFor(test);

const table = async (): Promise<boolean> => (await world().nft('list tables')).includes('table inet netwall');

/** Not an orderly end, not a time-out, not a signal. */
const failed = (exitCode: number): boolean => exitCode !== 0 && exitCode < 124;

test.serial('--check says 0 of good policies and touches nothing', async (t) => {
  await world().policy('webapp.yaml', policy('45.64.0.0/16'));
  const { exitCode, stderr } = await world().daemon.run(['--check'], { config: { dns: quickDns } });
  t.is(exitCode, 0, stderr);
  t.false(await table());
});

test.serial('--check says 4 of a bad one, and where', async (t) => {
  await world().policy('bad.yaml', `${policy('45.64.0.0/16').replace('webapp', 'bad').replace('webapp', 'billing')}unheard: of\n`);
  const { exitCode, stdout, stderr } = await world().daemon.run(['--check']);
  t.is(exitCode, 4);
  t.regex(`${stdout}${stderr}`, /bad\.yaml:\d+:\d+: error: /);
  t.false(await table());
  await world().policy('bad.yaml', null);
});

test.serial('a bad configuration is refused with its place, not guessed', async (t) => {
  await world().host.write('/etc/netwall/bad.yaml', 'reconcile_intervall: 30s\n');
  const { exitCode, stdout, stderr } = await world().daemon.run(['--check'], { configFile: '/etc/netwall/bad.yaml' });
  t.true(failed(exitCode));
  t.regex(`${stdout}${stderr}`, /reconcile_intervall/);
  t.false(await table());
});

test.serial('--once applies, ends, and leaves the rules', async (t) => {
  const { exitCode, stdout, stderr } = await world().daemon.run(['--once'], { config: { dns: quickDns } });
  t.is(exitCode, 0, `${stdout}\n${stderr}`);
  t.true(await table());
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('the daemon takes over what --once left, and cuts nothing', async (t) => {
  const flow = await world().as('webapp').open('tcp', '45.64.0.10', 443);
  t.is((await flow.exchange()).result, 'echoed');
  await world().daemon.start();
  t.is((await flow.exchange()).result, 'echoed');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await flow.close();
});

test.serial('a second daemon on the same table is refused and the first goes on', async (t) => {
  const config = { dns: quickDns, state_dir: '/var/lib/netwall/second', runtime_dir: '/run/netwall/second', boot_file: '/etc/netwall/second.nft' };
  const { exitCode, stdout, stderr } = await world().daemon.run([], { config, configFile: '/etc/netwall/second.yaml', timeout: 15_000 });
  t.true(failed(exitCode), `ended with ${exitCode}`);
  t.regex(`${stdout}${stderr}`, /netwall/);
  t.is((await world().status()).state, 'enforcing');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('a second daemon with the same configuration is refused too, and leaves the control socket alone', async (t) => {
  const { exitCode } = await world().daemon.run([], { timeout: 15_000 });
  t.true(failed(exitCode), `ended with ${exitCode}`);
  t.is((await world().status()).state, 'enforcing');
});

test.serial('SIGHUP reads the policies again and goes on', async (t) => {
  await world().policy('webapp.yaml', policy('[45.64.0.0/16, 91.200.0.0/16]'));
  world().daemon.signal('SIGHUP');
  await until('the edit is in force', async () => (await world().as('webapp').tcp('91.200.0.1', 443)).result === 'connected');
  t.true(world().daemon.running());
  await world().policy('webapp.yaml', policy('45.64.0.0/16'));
  world().daemon.signal('SIGHUP');
  await until('the next edit is in force', async () => (await world().as('webapp').tcp('91.200.0.1', 443)).result === 'refused');
});

test.serial('SIGTERM ends the daemon in order and leaves the wall up', async (t) => {
  const flow = await world().as('webapp').open('tcp', '45.64.0.10', 443);
  t.is(await world().daemon.stop('SIGTERM'), 0);
  t.true(await table());
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), ['webapp', 'udp', '45.64.0.10', 443], 'is refused');
  t.is((await flow.exchange()).result, 'echoed');
  await flow.close();
});

test.serial('… and none of its processes behind', async (t) => {
  t.deepEqual(await nftProcesses(), []);
});

test.serial('started again it cuts nothing', async (t) => {
  const flow = await world().as('webapp').open('tcp', '45.64.0.10', 443);
  await world().daemon.start();
  t.is((await flow.exchange()).result, 'echoed');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await flow.close();
});

test.serial('SIGKILL leaves the wall up', async (t) => {
  await world().daemon.kill();
  t.true(await table());
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('… no process of nft waiting for it', async (t) => {
  await until('its nft children end', async () => (await nftProcesses()).length === 0, 10_000);
  t.pass();
});

test.serial('after SIGKILL it starts again, and an edit made meanwhile is enforced', async (t) => {
  await world().policy('webapp.yaml', policy('91.200.0.0/16'));
  await world().daemon.start();
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
});

test.serial('the boot file says what is enforced, in numbers only', async (t) => {
  const boot = await until('the boot file says so', async () => {
    const text = await world().host.read('/etc/netwall/boot.nft');
    return text.includes('91.200.0.0') && text;
  });
  t.regex(boot, /20001/);
  t.is((await world().exec('/usr/sbin/nft', ['--check', '-f', '/etc/netwall/boot.nft'])).exitCode, 0);
});

test.serial('… and after a reboot it is the wall, before the daemon', async (t) => {
  await world().daemon.stop();
  await world().nft('delete table inet netwall');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  t.is((await world().exec('/usr/sbin/nft', ['-f', '/etc/netwall/boot.nft'])).exitCode, 0);
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
});

test.serial('a boot file for which there is no room is written when there is', async (t) => {
  const sh = (script: string) => world().exec('/bin/sh', ['-c', script]);
  await world().daemon.start({ config: { reconcile_interval: '1s', boot_file: '/run/boot/boot.nft' } });
  const says = async (network: string) => (await sh('cat /run/boot/boot.nft')).stdout.includes(network);
  await until('it is written', () => says('91.200.0.0'));
  await sh('mount -t tmpfs -o size=4k none /run/boot && head -c 4096 /dev/zero >/run/boot/full');
  await world().policy('webapp.yaml', policy('45.64.0.0/16'));
  await until('there is no room', async () => world().daemon.log().some(({ msg }) => msg === 'the boot file is not written'));
  await sh('umount /run/boot');
  t.false(await says('45.64.0.0'));
  await until('it is written after all', () => says('45.64.0.0'));
  await world().daemon.stop();
});

/** What runs of nft in this host's network namespace. */
const nftProcesses = async (): Promise<string[]> => {
  const script = 'me=$(readlink /proc/self/ns/net); for p in /proc/[0-9]*; do [ "$(readlink $p/ns/net)" = "$me" ] && tr "\\0" " " <$p/cmdline && echo; done 2>/dev/null';
  const { stdout } = await world().exec('/bin/sh', ['-c', script]);
  return stdout.split('\n').filter((line) => line.includes('/usr/sbin/nft'));
};

test.serial('where it cannot be read who is blocked, the daemon does not begin, and the wall stays as it is', async (t) => {
  await world().daemon.start();
  t.is((await world().ctl(['block', 'webapp'])).exitCode, 0);
  await world().daemon.stop();
  const file = '/var/lib/netwall/blocks.json';
  const saved = await world().host.read(file);
  await world().host.write(file, saved.slice(0, -5), { mode: 0o600 });
  const { exitCode, stdout, stderr } = await world().daemon.run([], { timeout: 15_000 });
  t.true(failed(exitCode), `ended with ${exitCode}`);
  t.regex(`${stdout}${stderr}`, /blocks\.json: .*Put it right, or remove it/);
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
  await world().host.write(file, saved, { mode: 0o600 });
  await world().daemon.start();
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
  t.is((await world().ctl(['unblock', 'webapp'])).exitCode, 0);
});
