/** Policies on trial, and the emergency stop. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = (network: string) => `service: webapp\nmatch: { user: webapp }\ndns: none\negress:\n  allow:\n    - to: ${network}\n      ports: [443]\n`;
const config = { dns: quickDns };

const world = worldFor(test, async (made) => {
  await made.policy('webapp.yaml', policy('45.64.0.0/16'));
  await made.host.write('/run/new/webapp.yaml', policy('91.200.0.0/16'));
  await made.host.write('/run/new/billing.yaml', 'service: billing\nmatch: { user: billing }\n');
  await made.host.write('/run/bad/webapp.yaml', 'service: webapp\nmatch: { usr: webapp }\n');
  await made.daemon.start({ config });
});

const old = () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 443]);
const tried = () => passes(world(), ['webapp', 'tcp', '91.200.7.1', 443]);
/** On a terminal, where somebody may press a key. */
const begin = async (...args: string[]) => {
  const child = world().spawn('/usr/bin/script', ['-qec', ['exec', `${world().repository}/dist/netwallctl`, 'try', ...args].join(' '), '/dev/null']);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(child, 'exit').then(([code]: unknown[]) => code);
  await until('it is on trial', async () => output.includes('in force until'));
  return { child, ended, output: () => output };
};

test.serial('what nobody confirms is rolled back', async (t) => {
  const { ended, child, output } = await begin('/run/new', '--timeout', '6s');
  t.true((await tried()) && !(await old()));
  t.false(await passes(world(), ['billing', 'udp', '45.64.7.1', 443]));
  t.regex((await world().ctl(['status'])).stdout, /on trial, over (now|in \d+ s): \/run\/new\/billing\.yaml, \/run\/new\/webapp\.yaml/);
  child.stdin?.end(); // the end of input is no confirmation
  t.is(await ended, 8, output());
  t.true((await old()) && !(await tried()));
  t.true(await passes(world(), ['billing', 'udp', '45.64.7.1', 443]));
  t.is((await world().status()).trial, null);
});

test.serial('Ctrl-C, and --cancel from elsewhere, roll back at once', async (t) => {
  const first = await begin('/run/new/webapp.yaml');
  t.true(await tried());
  first.child.stdin?.write('\u0003');
  t.is(await first.ended, 8);
  t.true((await old()) && !(await tried()));
  const second = await begin('/run/new/webapp.yaml');
  t.true(await tried());
  t.is((await world().ctl(['try', '--cancel'])).exitCode, 0);
  t.is(await second.ended, 8);
  t.true(await old());
  t.is((await world().ctl(['try', '--cancel'])).exitCode, 1);
});

test.serial('what is refused is not tried: invalid, already installed, not there, a second one', async (t) => {
  const invalid = await world().ctl(['try', '/run/bad/webapp.yaml']);
  t.is(invalid.exitCode, 4);
  t.regex(invalid.stderr, /\/run\/bad\/webapp\.yaml:2:10: error: /);
  t.is((await world().ctl(['try', '/etc/netwall.d/webapp.yaml'])).exitCode, 1);
  t.is((await world().ctl(['try', '/run/nowhere.yaml'])).exitCode, 1);
  t.is((await world().ctl(['try', '/run/new', '--timeout', '10'])).exitCode, 2);
  t.is((await world().ctl(['try'])).exitCode, 2);
  t.is((await world().ctl(['try', '/run/new'], { who: 'stranger' })).exitCode, 7);
  const { ended } = await begin('/run/new/webapp.yaml', '--timeout', '20s');
  t.regex((await world().ctl(['try', '/run/new'])).stderr, /a trial is running already/);
  await world().ctl(['try', '--cancel']);
  t.is(await ended, 8);
  t.true(await old());
});

test.serial('a daemon that is killed meanwhile comes back without it', async (t) => {
  const { ended } = await begin('/run/new/webapp.yaml', '--timeout', '60s');
  t.true(await tried());
  await world().daemon.kill();
  t.is(await ended, 5);
  t.true(await tried(), 'until then the kernel has it');
  await world().daemon.start({ config });
  t.true((await old()) && !(await tried()));
  t.deepEqual((await world().service('webapp')).state, 'active');
});

test.serial('one that is stopped rolls back, and what is tried is never what boots', async (t) => {
  await begin('/run/new/webapp.yaml', '--timeout', '60s');
  await sleep(500);
  t.notRegex(await world().host.read('/etc/netwall/boot.nft'), /91\.200/);
  await world().daemon.stop();
  t.true((await old()) && !(await tried()));
  await world().daemon.start({ config });
});

test.serial('block: nothing out, nothing in, at once and over restarts', async (t) => {
  const flow = await world().as('webapp').open('tcp', '45.64.7.1', 443);
  t.is((await flow.exchange()).result, 'echoed');
  t.is((await world().ctl(['block', 'webapp'])).exitCode, 0);
  t.regex((await flow.exchange()).result, /^ECONN(?:RESET|ABORTED)$/);
  t.false(await old());
  t.like(await world().service('webapp'), { mode: 'block', state: 'active' });
  t.regex((await world().ctl(['status'])).stdout, /blocked since .*: netwallctl unblock webapp/);
  await world().daemon.kill();
  await world().daemon.start({ config });
  t.false(await old());
  await world().policy('webapp.yaml', policy('[45.64.0.0/16, 45.65.0.0/16]'));
  await sleep(300);
  t.false(await old(), 'an edit does not end it');
  await world().policy('webapp.yaml', policy('[45.64.0.0/16, 45.65.0.0/16]').replace('service: webapp', 'service: web-app'));
  await until('the new name is shut', async () => (await world().service('web-app')).mode === 'block');
  t.false(await old(), 'nor does another name');
  await world().policy('webapp.yaml', policy('[45.64.0.0/16, 45.65.0.0/16]'));
  await until('the old name is back', async () => (await world().status()).services.some(({ service }) => service === 'webapp'));
  t.false(await old());
  t.is((await world().ctl(['unblock', 'webapp'])).exitCode, 0);
  t.true(await old());
  t.is((await world().ctl(['unblock', 'webapp'])).exitCode, 1);
  t.is((await world().ctl(['block', 'nobody'])).exitCode, 1);
  t.is((await world().ctl(['block', 'webapp'], { who: 'stranger' })).exitCode, 7);
});

test.serial('what stands on another input is no answer: the next line of a script', async (t) => {
  const { exitCode, stderr } = await world().exec('/bin/sh', ['-c', `printf '\\nyes\\n' | ${world().repository}/dist/netwallctl try /run/new/webapp.yaml --timeout 2s`], { timeout: 20_000 });
  t.is(exitCode, 8, stderr);
  t.regex(stderr, /keep it with: netwallctl try --confirm/);
});

test.serial('another answer than Enter rolls back', async (t) => {
  const { ended, child } = await begin('/run/new/webapp.yaml', '--timeout', '20s');
  child.stdin?.write('no\n');
  t.is(await ended, 8);
});

test.serial('what nobody would read, or is against what is installed, is not tried', async (t) => {
  const refused = async (args: readonly string[], exit: number, error: RegExp) => {
    for (const command of ['try', 'check', 'plan']) {
      const { exitCode, stderr } = await world().ctl([command, ...args]);
      t.is(exitCode, exit, `${command}: ${stderr}`);
      t.regex(stderr, error);
    }
  };
  const other = 'service: other\nmatch: { user: worker }\n';
  await world().host.write('/run/odd/worker.conf', other);
  await world().host.write('/run/odd/a/p.yaml', other);
  await world().host.write('/run/odd/b/p.yaml', 'service: second\nmatch: { user: loner }\n');
  await refused(['/run/odd/worker.conf'], 1, /policy files are called NAME\.yaml or NAME\.yml/);
  await refused(['/run/odd/a/p.yaml', '/run/odd/b/p.yaml'], 1, /have one name/);
  await world().host.write('/run/odd/aaa.yaml', policy('91.200.0.0/16'));
  await refused(['/run/odd/aaa.yaml'], 4, /service "webapp" is already defined/);
  await world().host.write('/run/odd/number.yaml', 'service: number\nmatch: { user: 20001 }\n');
  const { exitCode, stderr } = await world().ctl(['try', '/run/odd/number.yaml']);
  t.is(exitCode, 4);
  t.regex(stderr, /uid 20001 is already governed by service "webapp"/);
  t.is((await world().status()).trial, null);
  t.true(await old());
});

test.serial('what cannot be installed whole is not installed at all', async (t) => {
  const before = await world().host.read('/etc/netwall.d/webapp.yaml');
  await world().host.write('/run/moved/webapp.yaml', policy('91.200.0.0/16'));
  await world().host.write('/run/moved/zeta.yaml', 'service: zeta\nmatch: { user: worker }\n');
  await world().host.write('/etc/netwall.d/zeta.yaml/in-the-way', '');
  const { ended } = await begin('/run/moved', '--timeout', '60s');
  t.true(await tried());
  const { exitCode, stderr } = await world().ctl(['try', '--confirm']);
  t.not(exitCode, 0);
  t.regex(stderr, /\/etc\/netwall\.d\/zeta\.yaml: EISDIR/);
  t.true(await tried(), 'the trial goes on');
  t.is(await world().host.read('/etc/netwall.d/webapp.yaml'), before);
  await world().ctl(['try', '--cancel']);
  t.is(await ended, 8);
  await world().ctl(['reload']);
  t.true((await old()) && !(await tried()));
  await world().exec('/bin/rm', ['-r', '/etc/netwall.d/zeta.yaml']);
  await world().ctl(['reload']);
});

test.serial('what is confirmed is installed', async (t) => {
  const { ended, child } = await begin('/run/new', '--timeout', '20s');
  child.stdin?.write('\n');
  t.is(await ended, 0);
  await world().ctl(['reload']);
  t.true((await tried()) && !(await old()));
  t.is(await world().host.read('/etc/netwall.d/webapp.yaml'), policy('91.200.0.0/16'));
  t.is((await world().exec('/usr/bin/stat', ['-c', '%a %u', '/etc/netwall.d/billing.yaml'])).stdout.trim(), '644 0');
  t.is((await world().status()).trial, null);
  t.true((await world().host.read('/etc/netwall/boot.nft')).includes('91.200.0.0'));
});
