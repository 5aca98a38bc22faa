/** Which units the generator orders after the boot unit. */
import test from 'ava';
import { worldFor } from './sentences.ts';

const UNITS = '/etc/systemd/system';
const WANTED = `${UNITS}/sysinit.target.wants/netwall-boot.service`;

const world = worldFor(test, async (world) => {
  await world.policy('users.yaml', 'service: a\nmatch: { user: [webapp, 20002, someday] }\n');
  await world.policy('groups.yaml', 'service: b\nmatch: { group: ci }\n');
  await world.host.write(`${UNITS}/sysinit.target.wants/.keep`, '');
  await world.host.link(WANTED, '/usr/lib/systemd/system/netwall-boot.service');
});

/** Names of the units that it orders, of those that the tests made and of logins. */
const generate = async (): Promise<readonly string[]> => {
  const { exitCode, stdout, stderr } = await world().exec('/bin/sh', ['-c', `rm -rf /run/generated && mkdir /run/generated && ${world().repository}/systemd/netwall-generator /run/generated /run/x /run/y && cd /run/generated && grep -l "^After=netwall-boot.service$" */50-netwall.conf | xargs -r -d '\\n' grep -l "^Requires=netwall-boot.service$"`]);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.split('\n').filter(Boolean).map((line) => line.replace('.d/50-netwall.conf', ''));
};

const service = (lines: string) => `[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n${lines}\n`;

const units = [
  ['a governed user', 'nw1.service', service('User=webapp'), 'nw1.service'],
  ['… with spaces about', 'nw2.service', service(' User = webapp '), 'nw2.service'],
  ['… by number where the policy has the name', 'nw3.service', service('User=20001'), 'nw3.service'],
  ['… by name where the policy has the number', 'nw4.service', service('User=billing'), 'nw4.service'],
  ['… that does not exist yet', 'nw5.service', service('User=someday'), 'nw5.service'],
  ['… on a continued line', 'nw6.service', service('User=\\\nwebapp'), 'nw6.service'],
  ['another user', 'nw7.service', service('User=worker'), null],
  ['a comment', 'nw8.service', service('#User=webapp'), null],
  ['no user', 'nw9.service', service(''), null],
  ['a governed group', 'nw10.service', service('Group=ci'), 'nw10.service'],
  ['… by number', 'nw11.service', service('Group=20100'), 'nw11.service'],
  ['a user whose primary group is governed', 'nw12.service', service('User=runner'), 'nw12.service'],
  ['a user in it by membership only', 'nw13.service', service('User=helper'), null],
  ['a user that is the name of an instance', 'nw14@.service', service('User=%i'), 'nw14@.service'],
  ['a dynamic user of that name', 'someday.service', service('DynamicUser=yes'), 'someday.service'],
  ['a dynamic user in a template', 'nw15@.service', service('DynamicUser=true'), 'nw15@.service'],
  ['a dynamic user of another name', 'nw16.service', service('DynamicUser=yes'), null],
  ['a unit of that name, which may change its user itself', 'webapp.service', service(''), 'webapp.service'],
  ['a drop-in', 'nw17.service.d/user.conf', '[Service]\nUser=webapp\n', 'nw17.service'],
  ['a drop-in of a template', 'nw18@.service.d/user.conf', '[Service]\nUser=webapp\n', 'nw18@.service'],
  ['a drop-in of one instance', 'nw19@one.service.d/user.conf', '[Service]\nUser=webapp\n', 'nw19@one.service'],
  ['a drop-in of all that begin so', 'nw20-.service.d/user.conf', '[Service]\nUser=webapp\n', 'nw20-.service'],
  ['a socket that runs something before it opens', 'nw21.socket', '[Socket]\nListenStream=1\nExecStartPre=/bin/true\nUser=webapp\n', 'nw21.socket'],
  ['a name with what systemd escapes', 'nw22\\x2dx.service', service('User=webapp'), 'nw22\\x2dx.service'],
  ['the boot unit itself, never', 'netwall-boot.service', service('User=webapp'), null],
] as const;

test.serial('any number of accounts', async (t) => {
  await world().policy('many.yaml', `service: many\nmatch: { user: [${Array.from({ length: 12_000 }, (_, index) => 100_000 + index).join(', ')}] }\n`);
  const ordered = await generate();
  t.true(ordered.includes('user-100000.slice') && ordered.includes('user@111999.service'));
  await world().policy('many.yaml', null);
});

test.serial('units, by what they run as', async (t) => {
  for (const [, name, text] of units) await world().host.write(`${UNITS}/${name}`, text);
  const ordered = await generate();
  for (const [what, name, , expected] of units) {
    if (expected === null) t.false(ordered.includes(name), `${what}: ${name} is not ordered`);
    else t.true(ordered.includes(expected), `${what}: ${expected} is ordered`);
  }
});

test.serial('logins of governed users', async (t) => {
  const ordered = await generate();
  for (const uid of [20001, 20002, 20011, 20012]) t.true(ordered.includes(`user@${uid}.service`) && ordered.includes(`user-${uid}.slice`), `${uid}`);
  t.false(ordered.includes('user@20003.service'));
});

test.serial('a policy that is gone orders nobody', async (t) => {
  await world().policy('groups.yaml', null);
  const ordered = await generate();
  t.false(ordered.includes('nw10.service'));
  t.true(ordered.includes('nw1.service'));
});

test.serial('nothing is generated where the boot unit takes no part in booting', async (t) => {
  await world().host.remove(WANTED);
  t.deepEqual(await generate(), []);
  await world().host.link(WANTED, '/usr/lib/systemd/system/netwall-boot.service');
  t.not((await generate()).length, 0);
});

test.serial('nor without policies', async (t) => {
  await world().policy('users.yaml', null);
  t.deepEqual(await generate(), []);
});
