/** What the early unit loads: by the files that the daemon leaves, and by the policies where those are no good. */
import test, { type ExecutionContext } from 'ava';
import { startFlood } from './flood.ts';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const SECRET = '45.64.0.66';
const policy = (user: string) => `service: ${user}\nmatch: { user: [ ${user} ] }\ndns: none\negress:\n  allow:\n    - to: 91.200.0.0/16\n      ports: [443]\n`;
const BOOT = '/etc/netwall/boot.nft';
const CLOSED = '/etc/netwall/closed.nft';

const world = worldFor(test, async (world) => {
  await world.policy('webapp.yaml', policy('webapp'));
  await world.daemon.start();
});

const run = (...args: string[]) => world().exec(`${world().repository}/systemd/netwall-boot`, args);
const sh = async (script: string) => {
  const { exitCode, stderr } = await world().exec('/bin/sh', ['-c', script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
};

/** As a reboot leaves it: no table, nobody runs. */
const boots = async (t: ExecutionContext) => {
  await sh('/usr/sbin/nft flush ruleset');
  const { exitCode, stdout, stderr } = await run();
  t.is(exitCode, 0, stdout + stderr);
  t.notRegex(stderr, /netwall-boot|awk|not found/, 'nothing but what nft says of a file');
  return stdout;
};
const waits = async (t: ExecutionContext, who: 'webapp' | 'billing' | 'worker') => {
  for (const address of ['91.200.0.1', SECRET, '127.0.0.1']) {
    const before = await world().internet.arrived('tcp', address, 443);
    t.is((await world().as(who).probe('tcp', address, 443, { timeout: 300 })).result, 'timeout', `${who} to ${address}`);
    t.is(await world().internet.arrived('tcp', address, 443), before);
  }
};
const asPolicySays = async (t: ExecutionContext) => {
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', SECRET, 443], 'is refused');
};
const stranger = (t: ExecutionContext) => check(t, world(), ['stranger', 'tcp', SECRET, 443], 'passes');

test.serial('what the daemon leaves is the wall at the next boot', async (t) => {
  await until('both files are written', async () => (await world().host.read(BOOT)).includes('91.200') && (await world().host.read(CLOSED)).includes('user_hold'));
  await world().daemon.stop();
  await sh(`cp -p ${BOOT} /run/boot.good && cp -p ${CLOSED} /run/closed.good`);
  t.regex(await boots(t), /boot\.nft is in force/);
  await asPolicySays(t);
  await stranger(t);
});

test.serial('once more it does nothing: the table is there', async (t) => {
  t.regex((await run()).stdout, /is there already/);
  await asPolicySays(t);
});

test.serial('the daemon takes the table over without a gap', async (t) => {
  const flood = await startFlood(world(), 'webapp', SECRET);
  await world().daemon.start();
  await world().daemon.stop();
  const { tried, arrived } = await flood.stop();
  t.true(tried > 100, `${tried}`);
  t.is(arrived, 0);
});

const GOOD = `rm -f ${BOOT} ${CLOSED}; cp -p /run/boot.good ${BOOT}; cp -p /run/closed.good ${CLOSED}; chmod 755 /etc/netwall`;
const broken = [
  ['is missing', `rm ${BOOT}`],
  ['is empty', `: >${BOOT}`],
  ['was cut between two lines', `sed -i '/^add element/,$d' ${BOOT}`],
  ['lacks its last line', `sed -i '$d' ${BOOT}`],
  ['was changed', `sed -i 's/goto user_enforce/goto user_audit/' ${BOOT}`],
  ["is somebody else's", `chown 20099 ${BOOT}`],
  ['can be written by others', `chmod 666 ${BOOT}`],
  ['is a link', `mv ${BOOT} /run/elsewhere; ln -s /run/elsewhere ${BOOT}`],
  // a check of its own, as what loads would stay
  ['is of another table', `sed -i 's/inet netwall/inet other/; $d' ${BOOT}; echo "# end $(sha256sum <${BOOT} | cut -d ' ' -f 1)" >>${BOOT}`],
  ['does not load', `printf 'add table inet netwall\\nnonsense\\n' >${BOOT}; echo "# end $(sha256sum <${BOOT} | cut -d ' ' -f 1)" >>${BOOT}`],
] as const;

for (const [what, command] of broken) {
  test.serial(`a boot file that ${what}: closed.nft stands in`, async (t) => {
    await sh(`${GOOD}; ${command}`);
    t.regex(await boots(t), /<4>netwall-boot: everybody who was governed is closed/);
    await waits(t, 'webapp');
    await stranger(t);
  });
  test.serial(`both files, each of which ${what}: whom the policies name is shut`, async (t) => {
    await sh(`${GOOD}; ${command}; rm -f ${CLOSED}; cp -a ${BOOT} ${CLOSED} 2>/dev/null || true`);
    t.regex(await boots(t), /closed until netwalld runs: users 20001$/m);
    await waits(t, 'webapp');
    await stranger(t);
  });
}

test.serial('the daemon takes that over without a gap as well', async (t) => {
  const flood = await startFlood(world(), 'webapp', SECRET);
  await world().daemon.start();
  await asPolicySays(t);
  t.is((await flood.stop()).arrived, 0);
  await world().daemon.stop();
});

test.serial('files in a directory behind a link are believed', async (t) => {
  await sh(`${GOOD}; mv /etc/netwall /etc/netwall.real; ln -s netwall.real /etc/netwall`);
  t.regex(await boots(t), /boot\.nft is in force$/m);
  await asPolicySays(t);
  await sh('rm /etc/netwall; mv /etc/netwall.real /etc/netwall');
});

test.serial('where nothing can be loaded and nobody is known by a number, who is to be confined is not started', async (t) => {
  await world().policy('webapp.yaml', policy('someday'));
  await sh(`rm -f ${CLOSED}; printf 'add table inet netwall\nnonsense\n' >${BOOT}; echo "# end $(sha256sum <${BOOT} | cut -d ' ' -f 1)" >>${BOOT}; /usr/sbin/nft flush ruleset`);
  const { exitCode, stdout } = await run();
  t.is(exitCode, 1);
  t.regex(stdout, /nothing could be loaded, and nobody is known by a number/);
  await world().policy('webapp.yaml', policy('webapp'));
});

test.serial('a policy that came while the daemon did not run: its user waits, the others are as they were', async (t) => {
  await sh(GOOD);
  await world().policy('billing.yaml', policy('billing'));
  await sh('touch -d 2020-01-01 /etc/netwall.d/billing.yaml');
  t.regex(await boots(t), /newly governed, closed until netwalld runs: user 20002$/m);
  await waits(t, 'billing');
  await asPolicySays(t);
  await world().daemon.start();
  await check(t, world(), ['billing', 'tcp', '91.200.0.1', 443], 'passes');
  await world().daemon.stop();
  await world().policy('billing.yaml', null);
});

test.serial('… and so does a group, the first that is governed', async (t) => {
  await sh(GOOD);
  await world().policy('ci.yaml', policy('ci').replace('user: [ ci ]', 'group: ci'));
  t.regex(await boots(t), /newly governed, closed until netwalld runs: group 20100$/m);
  t.is((await world().as('runner').probe('tcp', SECRET, 443, { timeout: 300 })).result, 'timeout');
  await asPolicySays(t);
  await world().policy('ci.yaml', null);
});

test.serial('… and several of each at once', async (t) => {
  await sh(GOOD);
  await world().policy('billing.yaml', policy('billing').replace('user: [ billing ]', 'user: [ billing, worker ]'));
  await world().policy('ci.yaml', policy('ci').replace('user: [ ci ]', 'group: [ ci, 4711 ]'));
  const said = await boots(t);
  t.regex(said, /newly governed, closed until netwalld runs: user 20002, 20003$/m);
  t.regex(said, /newly governed, closed until netwalld runs: group 20100, 4711$/m);
  for (const who of ['billing', 'worker'] as const) await waits(t, who);
  t.is((await world().as('runner').probe('tcp', SECRET, 443, { timeout: 300 })).result, 'timeout');
  await asPolicySays(t);
  await world().policy('billing.yaml', null);
  await world().policy('ci.yaml', null);
});

test.serial('who has another uid since waits under that one', async (t) => {
  await sh(GOOD);
  await sh(`cp -p /etc/passwd /run/passwd; sleep 0.05; touch ${BOOT}; sleep 0.05; sed -i '/^worker:/d; s/^webapp:x:20001:/webapp:x:20003:/' /etc/passwd`);
  t.regex(await boots(t), /newly governed, closed until netwalld runs: user 20003$/m);
  await waits(t, 'worker');
  await asPolicySays(t);
  await sh('cat /run/passwd > /etc/passwd');
});

test.serial('a table and a boot file of another name, as the configuration has it', async (t) => {
  await sh(`rm -f ${BOOT} ${CLOSED}`);
  await world().host.write('/etc/netwall/netwalld.yaml', 'boot_file: /etc/other.nft   # elsewhere\ntable: "second"\npolicy_dirs:\n  - /run/policies\n');
  await world().host.write('/run/policies/worker.yaml', policy('worker'));
  t.regex(await boots(t), /\/etc\/other\.nft is missing/);
  t.regex(await world().nft('list tables'), /^table inet second$/m);
  await waits(t, 'worker');
  await check(t, world(), ['webapp', 'tcp', SECRET, 443], 'passes');
  await world().host.remove('/etc/netwall/netwalld.yaml');
});

test.serial('without policies there is nothing to do', async (t) => {
  await world().policy('webapp.yaml', null);
  t.regex(await boots(t), /no policy names anybody/);
  await check(t, world(), ['webapp', 'tcp', SECRET, 443], 'passes');
});

const named = [
  ['block form', 'match:\n  user: webapp # one\n', ['user 20001 webapp']],
  ['a block list', 'match:\n  user:\n    # two\n    - webapp\n    - "billing"\nmode: block\n', ['user 20001 webapp', 'user 20002 billing']],
  ['a list at the indentation of its key', "match:\n  user:\n  - 'webapp'\n  - 4711\n", ['user 20001 webapp', 'user 4711 4711']],
  ['flow form', 'match: { user: [webapp, billing], x: y }\n', ['user 20001 webapp', 'user 20002 billing']],
  ['flow over several lines', 'match: { user: [\n  webapp,   # one\n  billing ] }\n', ['user 20001 webapp', 'user 20002 billing']],
  ['JSON', '{"match":{"group":["ci"],"user":"webapp"}}\n', ['group 20100 ci', 'user 20001 webapp']],
  ['a value on the next line', 'match:\n  user:\n    webapp\n', ['user 20001 webapp']],
  ['a tag and an anchor', 'match: { user: !!str &who webapp }\n', ['user 20001 webapp']],
  ['an alias', 'service: &who webapp\nmatch: { user: *who }\n', ['user 20001 webapp']],
  ['several documents', 'match: {user: webapp}\n---\nmatch: {group: 7}\n', ['user 20001 webapp', 'group 7 7']],
  ['a list that was cut', 'match: { user: [webapp, bill', ['user 20001 webapp', 'user - bill']],
  ['a comment', '# user: billing\nmatch: { user: webapp }  # user: worker\n', ['user 20001 webapp']],
  ['an account with a space, or none', 'match: { user: ["CORP\\\\some one"] }\n', ['user - CORP\\\\some one']],
  ['a destination called user', 'groups: { user: [10.0.0.0/8, "fd00::/8"] }\n', []],
  ['what is no id', 'match: { user: 4294967295 }\n', []],
  ['no match at all', 'service: x\n', []],
] as const;

for (const [what, text, expected] of named) {
  test.serial(`who is named: ${what}`, async (t) => {
    await world().policy('named.yaml', text);
    const { stdout } = await run('principals');
    t.deepEqual(stdout.split('\n').filter(Boolean).map((line) => line.replaceAll('\t', ' ')), [...expected]);
  });
}

test.serial('who is named: not by a file that is masked, hidden or none', async (t) => {
  await world().host.write('/run/netwall.d/named.yaml', 'match: { user: billing }\n');
  await world().host.write('/run/netwall.d/other.yml', 'match: { user: worker }\n');
  await world().host.write('/run/netwall.d/.hidden.yaml', 'match: { user: loner }\n');
  await world().host.write('/run/netwall.d/copy.yaml~', 'match: { user: loner }\n');
  await world().policy('named.yaml', '');
  t.is((await run('principals')).stdout, 'user\t20003\tworker');
  // not mounted yet
  await world().policy('named.yaml', null);
  await world().host.link('/etc/netwall.d/named.yaml', '/srv/not/mounted.yaml');
  t.is((await run('principals')).stdout, 'user\t20002\tbilling\nuser\t20003\tworker');
  await world().host.remove('/etc/netwall.d/named.yaml');
  await world().host.remove('/run/netwall.d/other.yml');
  await world().host.write('/run/netwall.d/named.yaml', '');
  await world().host.write('/run/netwall.d/CORP\\backup.yaml', 'match: { user: loner }\n');
  t.is((await run('principals')).stdout, 'user\t20004\tloner\n'.trim());
});
