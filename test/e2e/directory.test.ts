/** Accounts that only a directory service knows, and its outage: getent then says what it says of an account that does not exist. */
import { createHash } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { startFlood } from './flood.ts';
import { matchingPolicy } from './matching-policy.ts';
import type { Account } from './plan.ts';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const SECRET = '91.200.0.1';
const ldapsvc: Account = { uid: 20080, gid: 20099, groups: [] };
const ofTeam: Account = { uid: 20085, gid: 20090, groups: [] };
const newcomer: Account = { uid: 20082, gid: 20099, groups: [] };
const moved: Account = { uid: 20081, gid: 20099, groups: [] };

/** The directory's entries, below /run/directory as getent prints them. */
const entries = { passwd: 'ldapsvc:*:20080:20099::/:/bin/sh\n', group: 'team:*:20090:\n' };
/** Answers as getent does where nsswitch.conf names the directory after the files: 2 for what nobody has, or does not tell. */
const GETENT = `#!/bin/sh
[ "$1" = -- ] && shift
database=$1
shift
code=0
for key; do
  /run/getent -- "$database" "$key" && continue
  [ -e /run/hangs ] && exec sleep 30
  awk -F: -v key="$key" '$1 == key || $3 == key { print; found = 1 } END { exit !found }' "/run/directory/$database" 2>/dev/null || code=2
done
exit "$code"
`;

const sh = async (script: string): Promise<void> => {
  const { exitCode, stderr } = await world().exec('/bin/sh', ['-c', script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
};
const down = () => sh('mv /run/directory /run/directory.down');
const up = () => sh('mv /run/directory.down /run/directory');
const hang = () => sh('touch /run/hangs');
const answer = () => sh('rm /run/hangs');
/** netwalld looks at all accounts again. */
const reload = () => world().ctl(['reload']);

const world = worldFor(test, async (made) => {
  for (const [database, text] of Object.entries(entries)) await made.host.write(`/run/directory/${database}`, text);
  await made.host.write('/run/wrapper', GETENT, { mode: 0o755 });
  await made.exec('/bin/sh', ['-c', 'cp /usr/bin/getent /run/getent && mount --bind /run/wrapper /usr/bin/getent']);
  await made.policy('ldapsvc.yaml', matchingPolicy('ldapsvc', 'user: ldapsvc'));
  await made.policy('team.yaml', matchingPolicy('team', 'group: team'));
  await made.policy('loner.yaml', matchingPolicy('loner', 'user: loner'));
  await made.daemon.start();
});

const identities = async () => (await world().status()).drift.open.filter(({ kind }) => kind === 'identity').map(({ detail }) => detail);
const told = (what: RegExp) => until(`${what} is told`, async () => (await identities()).some((detail) => what.test(detail)));
const nothingTold = () => until('no account is doubtful', async () => (await identities()).length === 0);
const remembered = async (): Promise<unknown> => JSON.parse(await world().host.read('/var/lib/netwall/accounts.json')).data;

const governed = async (t: ExecutionContext): Promise<void> => {
  for (const who of [ldapsvc, ofTeam]) {
    await check(t, world(), [who, 'tcp', SECRET, 443], 'is refused');
    await check(t, world(), [who, 'tcp', '45.64.0.10', 443], 'passes');
  }
  t.is((await world().service('ldapsvc')).state, 'active');
  t.deepEqual((await world().service('ldapsvc')).uids, [20080]);
};

test.serial('who is only in the directory is governed', async (t) => {
  await governed(t);
  t.deepEqual(await identities(), []);
});

test.serial('it stays governed while the directory does not answer, which is told', async (t) => {
  await down();
  await reload();
  await governed(t);
  await told(/user ldapsvc \(uid 20080\), group team \(gid 20090\)/);
  t.is((await world().ctl(['drift'])).exitCode, 3);
});

test.serial('when the directory answers again, all is as before, within seconds', async (t) => {
  await up();
  await nothingTold();
  await governed(t);
});

test.serial('it is governed from the boot on, and from the first run on, when the directory does not answer yet', async (t) => {
  const boot = '/etc/netwall/boot.nft';
  await until('it is in the boot file', async () => /20080/.test(await world().host.read(boot)));
  await until('it is saved', async () => JSON.stringify(await remembered()).includes('20080'));
  await world().daemon.stop();
  await down();
  await sh('/usr/sbin/nft flush ruleset');
  t.is((await world().exec(`${world().repository}/systemd/netwall-boot`, [])).exitCode, 0);
  const flood = await startFlood(world(), ldapsvc, SECRET);
  await world().daemon.start();
  await governed(t);
  await told(/user ldapsvc \(uid 20080\)/);
  await world().daemon.stop();
  t.is((await flood.stop()).arrived, 0);
  t.like(await remembered(), { user: { ldapsvc: 20080 }, group: { team: 20090 } });
  t.regex(await world().host.read(boot), /20080/);
});

test.serial('… also when it was saved by a version that did not keep where it was found', async (t) => {
  const data = { user: { ldapsvc: 20080, loner: 20004 }, group: { team: 20090 } };
  const checksum = createHash('sha256').update(JSON.stringify(data)).digest('hex');
  await world().host.write('/var/lib/netwall/accounts.json', JSON.stringify({ version: 1, checksum, data }), { mode: 0o600 });
  await world().daemon.start();
  await governed(t);
  await up();
  await nothingTold();
  await governed(t);
});

test.serial('a local account that is new while the directory hangs is governed, and one that only the directory knows as soon as it answers', async (t) => {
  await until('it is in the boot file', async () => /20080/.test(await world().host.read('/etc/netwall/boot.nft')));
  await world().daemon.stop();
  await world().policy('webapp.yaml', matchingPolicy('webapp', 'user: webapp'));
  await world().policy('newcomer.yaml', matchingPolicy('newcomer', 'user: newcomer'));
  await sh(`echo 'newcomer:*:${newcomer.uid}:20099::/:/bin/sh' >>/run/directory/passwd`);
  await hang();
  await sh('/usr/sbin/nft flush ruleset');
  t.is((await world().exec(`${world().repository}/systemd/netwall-boot`, [])).exitCode, 0);
  const flood = await startFlood(world(), 'webapp', SECRET);
  await world().daemon.start();
  t.is((await world().status()).state, 'enforcing');
  t.is((await flood.stop()).arrived, 0);
  await check(t, world(), ['webapp', 'tcp', SECRET, 443], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await governed(t);
  await told(/account look-ups fail: .*did not answer/);
  await answer();
  await world().waitState('newcomer', 'active', 15_000);
  await check(t, world(), [newcomer, 'tcp', SECRET, 443], 'is refused');
  await nothingTold();
  await world().policy('newcomer.yaml', null);
});

test.serial('where nothing is remembered and the directory hangs, nobody is released', async (t) => {
  await world().daemon.stop();
  await world().host.write('/var/lib/netwall/accounts.json', 'nothing', { mode: 0o600 });
  await hang();
  const flood = await startFlood(world(), ldapsvc, SECRET);
  await world().daemon.start();
  const { state, message } = await world().status();
  t.is(state, 'degraded');
  t.regex(String(message), /did not answer.*user ldapsvc, group team/);
  for (const who of [ldapsvc, ofTeam, 'webapp', 'loner'] as const) await check(t, world(), [who, 'tcp', SECRET, 443], 'is refused');
  await answer();
  await until('it is enforced', async () => (await world().status()).state === 'enforcing', 15_000);
  t.is((await flood.stop()).arrived, 0);
  await governed(t);
  await nothingTold();
});

test.serial('… but without a table those are governed who are known', async (t) => {
  await world().daemon.stop();
  await world().host.write('/var/lib/netwall/accounts.json', 'nothing', { mode: 0o600 });
  await hang();
  await sh('/usr/sbin/nft flush ruleset');
  await world().daemon.start();
  t.is((await world().status()).state, 'enforcing');
  for (const who of ['webapp', 'loner'] as const) await check(t, world(), [who, 'tcp', SECRET, 443], 'is refused');
  await answer();
  await world().waitState('ldapsvc', 'active', 15_000);
  await governed(t);
  await world().policy('webapp.yaml', null);
});

test.serial('a local account that is deleted while netwalld does not run is gone', async (t) => {
  await until('where it was found is saved', async () => JSON.stringify(await remembered()).includes('"files"'));
  await world().daemon.stop();
  await sh("sed -i '/^loner:/d' /etc/passwd");
  await world().daemon.start();
  await world().waitState('loner', 'pending');
  await check(t, world(), ['loner', 'tcp', SECRET, 443], 'passes');
  t.deepEqual(await identities(), []);
});

test.serial('another id in the directory counts as soon as it answers', async (t) => {
  await down();
  await reload();
  await sh("sed -i 's/20080/20081/' /run/directory.down/passwd");
  await up();
  await until('the new uid is governed', async () => (await world().service('ldapsvc')).uids[0] === 20081);
  await check(t, world(), [moved, 'tcp', SECRET, 443], 'is refused');
  await check(t, world(), [ldapsvc, 'tcp', SECRET, 443], 'passes');
});

test.serial("when the directory says that the id is somebody else's, it is released", async (t) => {
  await sh("sed -i 's/ldapsvc/renamed/' /run/directory/passwd");
  await reload();
  await world().waitState('ldapsvc', 'pending');
  await check(t, world(), [moved, 'tcp', SECRET, 443], 'passes');
  t.deepEqual(await identities(), []);
});

test.serial('one that was deleted from the directory stays governed until no policy names it', async (t) => {
  await sh("sed -i '/^team:/d' /run/directory/group");
  await reload();
  await told(/group team \(gid 20090\)/);
  await check(t, world(), [ofTeam, 'tcp', SECRET, 443], 'is refused');
  await world().policy('team.yaml', null);
  await reload();
  await check(t, world(), [ofTeam, 'tcp', SECRET, 443], 'passes');
  await nothingTold();
});
