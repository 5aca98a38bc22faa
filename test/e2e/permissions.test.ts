/** The control socket: root reads and writes, the group netwall reads, others do neither. */
import test from 'ava';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = 'service: loner\nmatch: { user: loner }\nmode: block\n';

const world = worldFor(test, async (world) => {
  await world.exec('/usr/sbin/groupadd', ['--system', '--gid', '20900', 'netwall']);
  await world.policy('loner.yaml', policy);
  await world.daemon.start();
});

const member = { uid: 20003, gid: 20003, groups: [20900] };

test.serial('a member of netwall may ask', async (t) => {
  t.is((await world().ctl(['status'], { who: member })).exitCode, 0);
  t.is((await world().ctl(['explain', 'loner', '45.64.0.1:443'], { who: member })).exitCode, 6);
});

test.serial('… and change nothing', async (t) => {
  for (const command of ['reload', 'unload']) {
    const { exitCode, stderr } = await world().ctl([command], { who: member });
    t.is(exitCode, 7, stderr);
  }
  await check(t, world(), ['loner', 'tcp', '45.64.0.1', 443], 'is refused');
});

test.serial('nobody else may even connect', async (t) => {
  t.is((await world().ctl(['status'], { who: 'stranger' })).exitCode, 7);
});

test.serial('the socket belongs to root and the group, from its first moment', async (t) => {
  t.is((await world().exec('/usr/bin/stat', ['-c', '%u %g %a', '/run/netwall/control.sock'])).stdout.trim(), '0 20900 660');
});

test.serial('root may do both', async (t) => {
  t.is((await world().ctl(['status'])).exitCode, 0);
  t.is((await world().ctl(['reload'])).exitCode, 0);
});

test.serial('requests that make no sense are answered, and the daemon goes on', async (t) => {
  const ask = (target: string, method = 'GET') =>
    world().exec('/bin/sh', ['-c', `printf '%s %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' "$1" "$2" | timeout 5 perl -MIO::Socket::UNIX -e '$s=IO::Socket::UNIX->new("/run/netwall/control.sock");print $s $_ while <STDIN>;print while <$s>'`, 'sh', method, target]);
  t.regex((await ask('//')).stdout, /^HTTP\/1\.1 404/);
  t.regex((await ask('/v1/nothing')).stdout, /^HTTP\/1\.1 404/);
  t.regex((await ask('/v1/__proto__')).stdout, /^HTTP\/1\.1 404/);
  t.regex((await ask('/v1/explain?who=&to=%00')).stdout, /^HTTP\/1\.1 400/);
  t.regex((await ask('/v1/status', 'DELETE')).stdout, /^HTTP\/1\.1 40[45]/);
  t.is((await until('the daemon still answers', () => world().status())).state, 'enforcing');
});
