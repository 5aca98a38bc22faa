/** `netwallctl allow`: what was refused passes once it is written, and the rest of the file is as it was. */
import { z } from 'zod';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { check, worldFor } from './sentences.ts';

const reportShape = z.looseObject({
  file: z.string(),
  outcome: z.enum(['changed', 'allowed', 'denied']),
  by: z.array(z.looseObject({ file: z.string(), line: z.int(), column: z.int() })),
  diff: z.string(),
  written: z.boolean(),
  generation: z.int().nullable(),
});

const FILE = '/etc/netwall.d/webapp.yaml';
const WEBAPP = `# the shop
service: webapp
match: { user: webapp }   # its own account
dns: none
egress:
  allow:
    # payments
    - to: 45.64.0.0/24
      ports: [443]   # TLS only
  deny:
    - to: 45.64.9.0/24
# the end
`;
const VENDOR = '/etc/vendor.d/worker.yaml';
const WORKER = '# from a package\nservice: worker\nmatch: { user: worker }\ndns: none\n';
const config = { dns: quickDns, policy_dirs: ['/etc/netwall.d', '/run/netwall.d', '/etc/vendor.d'] };

const world = worldFor(test, async (made) => {
  await made.policy('webapp.yaml', WEBAPP, { gid: 20099, mode: 0o640 });
  await made.policy(VENDOR, WORKER);
  await made.policy('loner.yaml', 'service: loner\nmatch: { user: loner }\nmode: block\ndns: none\n');
  await made.host.write('/etc/shared/billing.yaml', 'service: billing\nmatch: { user: billing }\ndns: none\n');
  await made.host.link('/etc/netwall.d/billing.yaml', '/etc/shared/billing.yaml');
});

const allow = (...args: string[]) => world().ctl(['allow', ...args]);
const report = (json: unknown) => reportShape.parse(json);
const ownerAndMode = async (file: string) => (await world().exec('/usr/bin/stat', ['-c', '%u %g %a', file])).stdout.trim();

test.serial('without a daemon and without privilege the change is shown', async (t) => {
  const { exitCode, stdout, stderr } = await world().ctl(['allow', 'billing', '45.64.7.0/24', '443'], { who: 'stranger' });
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^--- \/etc\/netwall\.d\/billing\.yaml\n[^]*\n\+egress:\n\+ {2}allow:\n\+ {4}- to: 45\.64\.7\.0\/24\n\+ {6}ports: \[443\]$/);
  t.regex(stderr, /nothing is changed yet: add --write/);
  t.is((await allow('nobody', '45.64.7.0/24', '443')).exitCode, 1);
  t.regex((await allow('loner', '45.64.7.0/24', '443')).stderr, /"mode: block" of loner lets nothing pass/);
});

test.serial('refused before, shown, written, passes; comments, owner and mode are as they were', async (t) => {
  await world().daemon.start({ config });
  await check(t, world(), ['webapp', 'tcp', '45.65.7.1', 8443], 'is refused');
  const shown = await allow('webapp', '45.65.0.0/16', '8443', '53/udp', '--comment', 'reports');
  t.is(shown.exitCode, 0, shown.stderr);
  t.is(await world().host.read(FILE), WEBAPP);
  await check(t, world(), ['webapp', 'tcp', '45.65.7.1', 8443], 'is refused');

  const written = await allow('webapp', '45.65.0.0/16', '8443', '53/udp', '--comment', 'reports', '--write');
  t.is(written.exitCode, 0, written.stderr);
  t.true(written.stdout.startsWith(shown.stdout.trimEnd()), written.stdout);
  await check(t, world(), ['webapp', 'tcp', '45.65.7.1', 8443], 'passes');
  await check(t, world(), ['webapp', 'udp', '45.65.7.1', 53], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.65.7.1', 8444], 'is refused');
  t.regex(written.stdout, new RegExp(`in force: generation ${(await world().status()).generation}$`));
  t.is(await world().host.read(FILE), WEBAPP.replace('  deny:', '    - to: 45.65.0.0/16  # reports\n      ports: [8443, 53/udp]\n  deny:'));
  t.is(await ownerAndMode(FILE), '0 20099 640');
});

test.serial('what explain says to run is what makes it pass', async (t) => {
  const refused = await world().ctl(['explain', 'webapp', '91.200.7.1:443']);
  t.is(refused.exitCode, 6);
  const [, command = ''] = /or run: netwallctl (allow [^;\n]*?--write)/.exec(refused.stdout) ?? [];
  const { exitCode, stderr } = await world().ctl(command.split(' '));
  t.is(exitCode, 0, `${command}: ${stderr}`);
  await check(t, world(), ['webapp', 'tcp', '91.200.7.1', 443], 'passes');
  t.true((await world().host.read(FILE)).includes('    - to: [45.64.0.0/24, 91.200.7.1]\n      ports: [443]   # TLS only\n'));
});

test.serial('JSON', async (t) => {
  const shown = report((await allow('webapp', '45.65.0.0/16', '9443', '--json')).json);
  t.like(shown, { file: FILE, outcome: 'changed', written: false, generation: null });
  t.regex(shown.diff, /\n- {6}ports: \[8443, 53\/udp\]\n\+ {6}ports: \[8443, 53\/udp, 9443\]\n/);
  const written = report((await allow('webapp', '45.65.0.0/16', '9443', '--json', '--write')).json);
  t.deepEqual(written, { ...shown, written: true, generation: (await world().status()).generation });
  const again = await allow('webapp', '45.65.1.0/24', '9443', '--json', '--write');
  t.is(again.exitCode, 0);
  t.like(report(again.json), { file: FILE, outcome: 'allowed', written: false, diff: '', by: { 0: { file: FILE, line: 10 } } });
});

test.serial('what is allowed already is said by its line, and nothing is written', async (t) => {
  const before = await world().host.read(FILE);
  const { exitCode, stdout } = await allow('webapp', '45.64.0.7', '443', '--write');
  t.is(exitCode, 0);
  t.regex(stdout, /already allowed by 45\.64\.0\.0\/24 at \/etc\/netwall\.d\/webapp\.yaml:8:12/);
  t.is(await world().host.read(FILE), before);
});

test.serial('6: a deny line wins, and nothing is written', async (t) => {
  const before = await world().host.read(FILE);
  const { exitCode, stderr } = await allow('webapp', '45.64.9.1', '443', '--write');
  t.is(exitCode, 6);
  t.regex(stderr, /^error: 45\.64\.9\.1 at port 443 is denied by 45\.64\.9\.0\/24 at \/etc\/netwall\.d\/webapp\.yaml:\d+:11, and deny wins/);
  t.is(await world().host.read(FILE), before);
  const partly = await allow('webapp', '45.64.0.0/16', '80');
  t.is(partly.exitCode, 0);
  t.regex(partly.stderr, /the entry for 45\.64\.9\.0\/24 at .* still denies a part of it/);
});

test.serial('2: usage; 4: what would not be valid; 7: others may not write', async (t) => {
  const before = await world().host.read(FILE);
  for (const args of [['webapp', '45.64.7.1'], ['webapp'], ['webapp', 'x.example.com', '443', '--inbound'], ['webapp', '45.64.7.1', '70000'], ['webapp', '45.64.7.1', '443', '--private']]) {
    const { exitCode, stderr } = await allow(...args, '--write');
    t.is(exitCode, 2, `${args.join(' ')}: ${stderr}`);
  }
  const group = await allow('webapp', '@nowhere', '443', '--write');
  t.is(group.exitCode, 4);
  t.regex(group.stderr, /webapp\.yaml:\d+:\d+: error: group "@nowhere" is not defined/);
  const wildcard = await allow('webapp', '*.example.com', '443', '--write');
  t.is(wildcard.exitCode, 4);
  t.regex(wildcard.stderr, /webapp\.yaml:\d+:\d+: error: .*wildcards need "dns: filtered"/);
  t.is((await world().ctl(['allow', 'webapp', '45.64.7.1', '443', '--write'], { who: 'stranger' })).exitCode, 7);
  t.is(await world().host.read(FILE), before);
});

test.serial('inbound', async (t) => {
  t.is((await allow('webapp', 'any', '8080', '--from', '--write')).exitCode, 0);
  t.true((await world().host.read(FILE)).includes('ingress:\n  allow:\n    - ports: [8080]\n'));
  t.like(report((await allow('webapp', '10.0.0.0/8', '8080', '--inbound', '--json')).json), { outcome: 'allowed' });
});

test.serial('a file of a package is not edited: a copy takes its place', async (t) => {
  await check(t, world(), ['worker', 'tcp', '45.64.7.1', 443], 'is refused');
  const { exitCode, stderr, stdout } = await allow('worker', '45.64.7.1', '443', '--write');
  t.is(exitCode, 0, stderr);
  t.regex(stderr, /\/etc\/vendor\.d\/worker\.yaml comes with a package: \/etc\/netwall\.d\/worker\.yaml takes its place/);
  t.regex(stdout, /^--- \/etc\/vendor\.d\/worker\.yaml\n\+\+\+ \/etc\/netwall\.d\/worker\.yaml\n/);
  await check(t, world(), ['worker', 'tcp', '45.64.7.1', 443], 'passes');
  t.is(await world().host.read(VENDOR), WORKER);
  t.true((await world().host.read('/etc/netwall.d/worker.yaml')).startsWith(WORKER));
  t.is(await ownerAndMode('/etc/netwall.d/worker.yaml'), '0 0 644');
});

test.serial('a link stays one: what it leads to is edited', async (t) => {
  const { exitCode, stderr } = await allow('billing', '45.64.7.1', '443', '--write');
  t.is(exitCode, 0, stderr);
  t.regex(stderr, /billing\.yaml is a link: \/etc\/shared\/billing\.yaml is what changes/);
  t.is((await world().exec('/usr/bin/readlink', ['/etc/netwall.d/billing.yaml'])).stdout.trim(), '/etc/shared/billing.yaml');
  t.true((await world().host.read('/etc/shared/billing.yaml')).includes('- to: 45.64.7.1\n'));
  await check(t, world(), ['billing', 'tcp', '45.64.7.1', 443], 'passes');
});

test.serial('after unload it is written and the wall stays down', async (t) => {
  await world().ctl(['unload']);
  const { exitCode, stderr } = await allow('billing', '45.64.8.1', '443', '--write');
  t.is(exitCode, 0);
  t.regex(stderr, /enforces nothing now/);
  t.notRegex(await world().nft('list tables'), /netwall/);
  t.is((await world().ctl(['reload'])).exitCode, 0);
  await check(t, world(), ['billing', 'tcp', '45.64.8.1', 443], 'passes');
});
