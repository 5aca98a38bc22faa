import { appendFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { link } from './plan.ts';
import { check, passes, worldFor } from './sentences.ts';
import { always, until } from './until.ts';

/** A policy of one user with one network it may reach at port 443, over TCP and UDP. */
const policy = (service: string, network: string, more = ''): string => `
service: ${service}
match:
  user: ${service}
dns: none
egress:
  allow:
    - to: ${network}
      ports: [443, 443/udp]
${more}`;

const world = worldFor(test, async (world) => {
  await world.policy('webapp.yaml', policy('webapp', '45.64.0.0/16'));
  await world.policy('billing.yaml', policy('billing', '45.64.0.0/16'));
  await world.daemon.start();
});

test.serial('an edit that adds an entry is enforced within a second', async (t) => {
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await world().policy('webapp.yaml', policy('webapp', '[45.64.0.0/16, 91.200.0.0/16]'));
  await until('the new entry passes', () => passes(world(), ['webapp', 'tcp', '91.200.0.1', 443]), 1000);
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
});

test.serial('the generation goes up with a change of enforcement', async (t) => {
  const { generation } = await world().status();
  await world().policy('webapp.yaml', policy('webapp', '[45.64.0.0/16, 91.200.0.0/16, 45.65.0.0/24]'));
  await world().waitEnforced(generation + 1, 2000);
  await check(t, world(), ['webapp', 'tcp', '45.65.0.1', 443], 'passes');
});

test.serial('an edit that removes an entry stops its flows at the next packet, and only those', async (t) => {
  const webapp = world().as('webapp');
  const removed = [await webapp.open('tcp', '91.200.0.1', 443), await webapp.open('udp', '91.200.0.1', 443)] as const;
  const kept = [await webapp.open('tcp', '45.64.0.10', 443), await webapp.open('udp', '45.64.0.10', 443)] as const;
  for (const flow of [...removed, ...kept]) t.is((await flow.exchange()).result, 'echoed');
  await world().policy('webapp.yaml', policy('webapp', '45.64.0.0/16'));
  await until('the removed entry is refused', async () => !(await passes(world(), ['webapp', 'tcp', '91.200.0.1', 443])), 1000);
  // whichever comes first: the reset for its next packet, or the daemon that destroys its socket
  t.regex((await removed[0].exchange()).result, /^ECONN(?:RESET|ABORTED)$/);
  t.is((await removed[1].exchange()).result, 'eperm');
  for (const flow of kept) t.is((await flow.exchange()).result, 'echoed');
});

test.serial('an ingress entry that is removed ends the connections that came in by it', async (t) => {
  const server = await world().as('billing').listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080 });
  await world().policy('billing.yaml', policy('billing', '45.64.0.0/16', 'ingress:\n  allow:\n    - ports: [8080]\n'));
  const call = { ...link.host, port: 8080 };
  await until('the call is let in', async () => (await world().internet.client.tcp(call.v4, call.port, { timeout: 300 })).result === 'connected', 3000);
  const flow = await world().internet.client.open('tcp', call.v4, call.port);
  t.is((await flow.exchange()).result, 'echoed');
  await world().policy('billing.yaml', policy('billing', '45.64.0.0/16'));
  await until('the next call is not', async () => (await world().internet.client.tcp(call.v4, call.port, { timeout: 300 })).result !== 'connected', 3000);
  await server.push('more\n');
  t.false(await flow.receives('more', 500));
  await flow.close();
  await server.close();
});

test.serial('removing a file lifts its policy and leaves the others', async (t) => {
  await check(t, world(), ['billing', 'tcp', '91.200.0.1', 443], 'is refused');
  await world().policy('billing.yaml', null);
  await until('billing is free', () => passes(world(), ['billing', 'tcp', '91.200.0.1', 443]), 2000);
  await check(t, world(), ['billing', 'udp', '91.200.0.1', 1], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  t.false((await world().status()).services.some(({ service }) => service === 'billing'));
});

const bad: readonly (readonly [string, string, RegExp])[] = [
  ['an unknown key', policy('webapp', '91.200.0.0/16', 'egres: {}\n'), /webapp\.yaml:\d+:\d+.*egres/s],
  ['text that is no YAML', `${policy('webapp', '91.200.0.0/16')}\n  - [unclosed`, /webapp\.yaml:\d+:\d+/],
  ['an address with leading zeros', policy('webapp', '[91.200.0.0/16, 010.1.2.3]'), /webapp\.yaml:\d+:\d+/],
  ['a CIDR with host bits', policy('webapp', '[91.200.0.0/16, 10.1.2.3/8]'), /webapp\.yaml:\d+:\d+/],
  ['a port out of range', policy('webapp', '91.200.0.0/16').replace('443/udp', '70000'), /webapp\.yaml:\d+:\d+/],
  ['a key twice', policy('webapp', '91.200.0.0/16', 'dns: none\n'), /webapp\.yaml:\d+:\d+/],
  ['a group that does not exist', policy('webapp', '["@nowhere", 91.200.0.0/16]'), /webapp\.yaml:\d+:\d+.*nowhere/s],
  ['a wildcard under dns: system', policy('webapp', '"*.partner.net"').replace('dns: none', 'dns: system'), /webapp\.yaml:\d+:\d+.*filtered/s],
];

for (const [what, text, message] of bad) {
  test.serial(`a bad edit keeps the last good policy in force: ${what}`, async (t) => {
    await world().policy('webapp.yaml', policy('webapp', '45.64.0.0/16'));
    await world().waitState('webapp', 'active');
    await world().policy('webapp.yaml', text);
    t.regex((await world().waitState('webapp', 'stale')).message ?? '', message);
    await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
    await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  });
}

test.serial('a bad file is an open drift of kind "file"', async (t) => {
  t.true((await world().status()).drift.open.some(({ kind }) => kind === 'file'));
});

test.serial('the last good policy outlives a restart of the daemon', async (t) => {
  await world().daemon.stop();
  await world().daemon.start();
  t.is((await world().service('webapp')).state, 'stale');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('… also where the file names nobody any more', async (t) => {
  await world().policy('webapp.yaml', 'hello: world\n');
  await world().daemon.stop();
  await world().daemon.start();
  t.like(await world().service('webapp'), { state: 'stale', uids: [20001] });
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('… and a reboot, which leaves nothing in the kernel', async (t) => {
  await world().daemon.stop();
  await world().nft('delete table inet netwall');
  await world().daemon.start();
  t.is((await world().service('webapp')).state, 'stale');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('where nobody knows whom a file names, whoever was governed is shut for as long as it is there', async (t) => {
  const refused = async () => {
    await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
    await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  };
  await world().daemon.stop();
  await world().exec('/bin/rm', ['/var/lib/netwall/last-good.json']);
  await world().daemon.start();
  t.like(await world().service('webapp'), { state: 'rejected', uids: [] });
  await refused();
  await check(t, world(), ['billing', 'tcp', '45.64.0.10', 443], 'passes');
  t.is((await world().ctl(['reload'])).exitCode, 4);
  await refused();
  t.regex((await world().ctl(['diff'])).stdout, /^no differences/);
  await world().nft('flush ruleset');
  await until('the table is back', async () => (await world().status()).drift.last?.detail === 'the table is gone');
  await refused();
  await world().policy('webapp.yaml', null);
  await until('nobody is shut for it any more', () => passes(world(), ['webapp', 'tcp', '91.200.0.1', 443]));
  await world().policy('webapp.yaml', policy('webapp', '45.64.0.0/16'));
  await world().waitState('webapp', 'active');
});

test.serial('a corrected file is active at once', async (t) => {
  await world().policy('webapp.yaml', policy('webapp', '91.200.0.0/16'));
  t.is((await world().waitState('webapp', 'active', 2000)).message, null);
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'is refused');
});

test.serial('a bad file without a last good version is rejected, and the users it names are blocked', async (t) => {
  await world().policy('worker.yaml', policy('worker', '45.64.0.0/16', 'unheard: of\n'));
  t.regex((await world().waitState('worker', 'rejected')).message ?? '', /worker\.yaml:\d+:\d+/);
  await check(t, world(), ['worker', 'tcp', '45.64.0.10', 443], 'is refused');
  await check(t, world(), ['worker', 'udp', '91.200.0.1', 1], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'passes');
});

test.serial('so are those of a file that is good by itself and not with the others', async (t) => {
  await world().policy('worker.yaml', policy('worker', '"@nobody-knows"'));
  await until('it is rejected for that', async () => /group "@nobody-knows" is not defined/.test((await world().waitState('worker', 'rejected')).message ?? ''));
  await check(t, world(), ['worker', 'tcp', '45.64.0.10', 443], 'is refused');
});

test.serial('… until it is corrected', async (t) => {
  await world().policy('worker.yaml', policy('worker', '45.64.0.0/16'));
  await world().waitState('worker', 'active');
  await check(t, world(), ['worker', 'tcp', '45.64.0.10', 443], 'passes');
});

test.serial('a file that no longer belongs to root keeps its last good policy', async (t) => {
  await world().policy('worker.yaml', policy('worker', '91.200.0.0/16'), { uid: 20003 });
  t.regex((await world().waitState('worker', 'stale')).message ?? '', /root|own/i);
  await check(t, world(), ['worker', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['worker', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('so does a file that others may write', async (t) => {
  await world().policy('worker.yaml', policy('worker', '45.64.0.0/16'));
  await world().waitState('worker', 'active');
  await world().policy('worker.yaml', policy('worker', '91.200.0.0/16'), { mode: 0o646 });
  await world().waitState('worker', 'stale');
  await check(t, world(), ['worker', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('a new file that root does not own permits nothing', async (t) => {
  await world().policy('worker.yaml', policy('worker', '45.64.0.0/16'));
  await world().waitState('worker', 'active');
  await world().policy('loner.yaml', policy('loner', '45.64.0.0/16'), { uid: 20004 });
  await until('the file is reported', async () => (await world().status()).drift.open.some(({ kind, detail }) => kind === 'file' && detail.includes('loner.yaml')));
  t.false((await world().status()).services.some(({ service, state }) => service === 'loner' && state === 'active'));
  await world().policy('loner.yaml', null);
});

test.serial('a directory that others may write is refused as a whole, and its policies stay in force', async (t) => {
  await world().exec('/bin/chmod', ['0777', '/etc/netwall.d']);
  await world().policy('worker.yaml', policy('worker', '91.200.0.0/16'));
  await world().waitState('worker', 'stale');
  await check(t, world(), ['worker', 'tcp', '91.200.0.1', 443], 'is refused');
  await world().exec('/bin/chmod', ['0755', '/etc/netwall.d']);
  await until('the directory is trusted again', () => passes(world(), ['worker', 'tcp', '91.200.0.1', 443]), 40_000);
  t.is((await world().waitState('worker', 'active')).message, null);
});

test.serial('a user governed twice is an error that names both places, and opens nothing', async (t) => {
  await world().policy('second.yaml', policy('second', '45.64.0.0/16').replace('user: second', 'user: worker'));
  const message = await until('the duplicate is reported', async () => {
    const { services } = await world().status();
    return services.map(({ message }) => message).find((text) => text?.includes('worker.yaml') === true && text.includes('second.yaml'));
  });
  t.regex(message, /worker\.yaml:\d+/);
  t.regex(message, /second\.yaml:\d+/);
  await check(t, world(), ['worker', 'tcp', '45.64.0.10', 443], 'is refused');
  await world().policy('second.yaml', null);
  await world().waitState('worker', 'active');
});

test.serial('a file in /etc masks one of the same name in /run', async (t) => {
  await world().policy('/run/netwall.d/loner.yaml', policy('loner', '91.200.0.0/16'));
  await until('the file in /run is in force', () => passesOnly('91.200.0.1'), 5000);
  await world().policy('loner.yaml', policy('loner', '45.64.0.0/16'));
  await until('the file in /etc is in force', () => passesOnly('45.64.0.10'), 5000);
  t.regex((await world().service('loner')).source.file, /^\/etc\/netwall\.d\/loner\.yaml$/);
});

test.serial('an empty file masks it entirely', async (t) => {
  await world().policy('loner.yaml', '');
  await until('loner is free', async () => (await passes(world(), ['loner', 'tcp', '45.64.0.10', 1])) && passes(world(), ['loner', 'tcp', '91.200.0.1', 1]), 5000);
  t.false((await world().status()).services.some(({ service }) => service === 'loner'));
});

test.serial('without the mask the lower file is in force again', async (t) => {
  await world().policy('loner.yaml', null);
  await until('the file in /run is in force', () => passesOnly('91.200.0.1'), 5000);
  t.regex((await world().service('loner')).source.file, /^\/run\/netwall\.d\/loner\.yaml$/);
});

test.serial('a link to /dev/null masks as well', async (t) => {
  await world().host.link('/etc/netwall.d/loner.yaml', '/dev/null');
  await until('loner is free', () => passes(world(), ['loner', 'tcp', '45.64.0.10', 1]), 5000);
  t.false((await world().status()).services.some(({ service }) => service === 'loner'));
});

test.serial('a file that is neither .yaml nor .yml is no policy', async (t) => {
  await world().policy('notes.txt', 'not: [a policy');
  await world().policy('billing.yml', policy('billing', '45.64.0.0/16'));
  await world().waitState('billing', 'active');
  t.false((await world().status()).drift.open.some(({ detail }) => detail.includes('notes.txt')));
});

test.serial('while files are rewritten with the same content nothing is refused and no generation passes', async (t) => {
  const { generation } = await world().status();
  const rewriting = (async () => {
    for (let count = 0; count < 40; count += 1) await world().policy('webapp.yaml', policy('webapp', '91.200.0.0/16'));
  })();
  await always('webapp reaches its network', () => passes(world(), ['webapp', 'tcp', '91.200.0.1', 443]), 1500);
  await rewriting;
  t.is((await world().status()).generation, generation);
});

test.serial('a policy directory that cannot be read when the daemon starts opens nothing: it is tried again', async (t) => {
  const directory = world().host.path('/etc/netwall.d');
  await world().policy('webapp.yaml', policy('webapp', '45.64.0.0/16'));
  await until('webapp has its own policy', async () => !(await passes(world(), ['webapp', 'tcp', '91.200.0.1', 443])));
  await world().daemon.stop();
  await rename(directory, `${directory}.away`);
  await writeFile(directory, '');
  await world().daemon.start();
  const status = await until('it says so', async () => {
    const report = await world().status();
    return report.state === 'degraded' && report;
  });
  t.regex(JSON.stringify(status['message']), /policy directory: ENOTDIR.*\/etc\/netwall\.d/);
  await always('webapp is confined as before', async () => !(await passes(world(), ['webapp', 'tcp', '91.200.0.1', 443])) && (await passes(world(), ['webapp', 'tcp', '45.64.0.10', 443])), 1000);
  t.is((await world().status()).state, 'degraded', 'tried again, it fares no better');
  const tried = await world().daemon.run(['--check']);
  t.is(tried.exitCode, 1);
  t.regex(tried.stderr, /policy directory: ENOTDIR/);
  t.regex((await world().ctl(['check'])).stderr, /policy directory: ENOTDIR/);
  await rm(directory);
  await rename(`${directory}.away`, directory);
  await until('it enforces', async () => (await world().status()).state === 'enforcing', 12_000);
  t.like(await world().service('webapp'), { state: 'active' });
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
});

test.serial('a link to nowhere keeps the last good policy in force, over a restart too', async (t) => {
  await world().host.write('/srv/store/webapp.yaml', policy('webapp', '45.64.0.0/16'));
  await world().host.link('/etc/netwall.d/webapp.yaml', '/srv/store/webapp.yaml');
  await world().waitState('webapp', 'active');
  await world().exec('/bin/mv', ['/srv/store', '/srv/away']);
  t.regex((await world().waitState('webapp', 'stale')).message ?? '', /link to nowhere: \/srv\/store/);
  await world().daemon.stop();
  await world().daemon.start();
  t.is((await world().service('webapp')).state, 'stale');
  t.true((await world().status()).drift.open.some(({ kind, detail }) => kind === 'file' && detail.includes('a link to nowhere')));
  await check(t, world(), ['webapp', 'tcp', '91.200.0.1', 443], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await world().exec('/bin/mv', ['/srv/away', '/srv/store']);
  await world().waitState('webapp', 'active');
});

test.serial('while a file is written slowly in place nobody is let go', async (t) => {
  const other = policy('billing', '45.64.0.0/16');
  await world().policy('billing.yml', null);
  await world().policy('webapp.yaml', `${policy('webapp', '45.64.0.0/16')}\n---\n${other}`);
  await until('both are confined', async () => !(await passes(world(), ['billing', 'tcp', '91.200.0.1', 443])) && (await world().service('billing')).source.file.endsWith('webapp.yaml'));
  const path = world().host.path('/etc/netwall.d/webapp.yaml');
  const text = policy('webapp', '[45.64.0.0/16, 45.65.0.0/24]');
  const writing = (async () => {
    await writeFile(path, text);
    await sleep(200);
    await appendFile(path, `\n---\n${other}`);
  })();
  await always('billing is confined', async () => !(await passes(world(), ['billing', 'tcp', '91.200.0.1', 443])), 1000);
  await writing;
  await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.65.0.1', 443]), 2000);
  await check(t, world(), ['billing', 'tcp', '91.200.0.1', 443], 'is refused');
});

/** Whether loner reaches this one of the two networks and not the other. */
const passesOnly = async (address: '45.64.0.10' | '91.200.0.1'): Promise<boolean> => {
  const other = address === '91.200.0.1' ? '45.64.0.10' : '91.200.0.1';
  return (await passes(world(), ['loner', 'tcp', address, 443])) && !(await passes(world(), ['loner', 'tcp', other, 443]));
};
