/** `dns: filtered` in ordinary use. The race of a look-up against the first connection is run longer by RACE_ROUNDS. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { repository } from './namespace.ts';
import { spareServers } from './plan.ts';
import { until } from './until.ts';
import { createWorld, type World } from './world.ts';

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 1000);

let world: World;
const asked: string[] = [];
const config = { dns: { servers: [spareServers.main], timeout: '1s', tries: 2, min_ttl: '1s', hold: '10m' } };

const policy = `service: webapp
match: { user: webapp }
egress:
  allow:
    - to: ["*.fresh.net", turning.partner.net]
      ports: [443]
    - to: "*.ranged.net"
      ports: [443, 8000-8010]
  deny:
    - to: f25599.fresh.net
---
service: watched
match: { user: worker }
mode: audit
egress:
  allow:
    - to: f1.fresh.net
      ports: [443]
---
service: builders
match: { group: ci }
egress:
  allow:
    - to: "*.fresh.net"
      ports: [443]
---
service: deployer
match: { user: deployer }
dns: none
`;

test.before(async () => {
  world = await createWorld();
  const server = world.spawnOnInternet(process.execPath, [fileURLToPath(new URL('hostile-server.ts', import.meta.url)), spareServers.main, spareServers.other]);
  const lines = createInterface({ input: server.stdout ?? process.stdin });
  await once(lines, 'line');
  lines.on('line', (line) => asked.push(line));
  await world.policy('webapp.yaml', policy);
  await world.daemon.start({ config });
});
test.after.always(() => world.destroy());

const node = () => process.execPath.replace(repository, world.repository);
const race = async (pattern: string, rounds: number, concurrency: number) => {
  const { stdout, stderr } = await world.exec(node(), [`${world.repository}/test/e2e/race-client.ts`, pattern, `${rounds}`, `${concurrency}`], { who: 'webapp', timeout: 170_000 });
  return stdout.trim() === '' ? stderr : stdout.trim();
};
const NONE = JSON.stringify({ failures: 0, first: [] });
const resolve = (who: 'webapp' | 'worker' | 'runner' | 'deployer' | 'stranger', name: string, server = '9.9.9.9') => world.as(who).resolve(name, { server, timeout: 2000 });

test.serial('fresh names: the first connection right after the look-up never fails', async (t) => {
  t.timeout(175_000);
  t.is(await race('f#.fresh.net', ROUNDS, 1), NONE);
});

test.serial('… nor does it with fifty at a time', async (t) => {
  t.timeout(175_000);
  t.is(await race('f#.a.fresh.net', ROUNDS, 50), NONE);
});

test.serial('… nor with a name whose addresses turn', async (t) => {
  t.timeout(175_000);
  t.is(await race('turning.partner.net', ROUNDS, 50), NONE);
});

test.serial('… nor where the ports are a range', async (t) => {
  t.is(await race('f#.ranged.net', 50, 10), NONE);
});

test.serial('a flow to an address that turned away goes on', async (t) => {
  const found = await resolve('webapp', 'turning.partner.net');
  const flow = await world.as('webapp').open('tcp', typeof found === 'string' ? found : (found[0] ?? ''), 443);
  t.is(await race('turning.partner.net', 60, 1), NONE);
  t.is((await flow.exchange()).result, 'echoed');
  await flow.close();
});

test.serial('equal questions at the same time are one question upstream', async (t) => {
  const before = asked.length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => resolve('webapp', 'f24000.fresh.net')));
  t.true(answers.every((answer) => Array.isArray(answer)));
  t.is(asked.slice(before).filter((name) => name === 'f24000.fresh.net').length, 1);
});

test.serial('an answer is kept for its TTL, and no longer', async (t) => {
  await resolve('webapp', 'f24001.fresh.net');
  await resolve('webapp', 'f24001.fresh.net');
  t.is(asked.filter((name) => name === 'f24001.fresh.net').length, 1);
  await sleep(1100);
  await resolve('webapp', 'f24001.fresh.net');
  t.is(asked.filter((name) => name === 'f24001.fresh.net').length, 2);
});

test.serial('a name that is denied is refused, whatever wildcard covers it', async (t) => {
  t.is(await resolve('webapp', 'f25599.fresh.net'), 'EREFUSED');
});

test.serial('mode audit: names that are not listed are answered, and recorded', async (t) => {
  t.deepEqual(await resolve('worker', 'f9.unlisted.net'), ['45.64.0.9']);
  t.is((await world.as('worker').tcp('45.64.0.9', 443)).result, 'connected');
  t.regex(JSON.stringify(await world.service('watched')), /"refusedNames":\[\{"name":"f9\.unlisted\.net"/);
});

test.serial('a group has its listener, and a user policy is asked first', async (t) => {
  t.deepEqual(await resolve('runner', 'f10.fresh.net'), ['45.64.0.10']);
  t.is((await world.as('runner').tcp('45.64.0.10', 443)).result, 'connected');
  t.is(await resolve('runner', 'f10.other.net'), 'EREFUSED');
  t.is(await resolve('deployer', 'f10.fresh.net'), 'ECONNREFUSED');
});

test.serial('who is not governed asks whom it likes', async (t) => {
  t.deepEqual(await resolve('stranger', 'f11.whatever.net', spareServers.main), ['45.64.0.11']);
});

test.serial('nobody has an answer from the port of another service, nor the service itself but by way of the kernel', async (t) => {
  const port = Number(/"port":(\d+)/.exec(JSON.stringify((await world.service('webapp'))['dns']))?.[1]);
  const listeners = async () => (await world.exec('/usr/sbin/nft', ['list', 'set', 'inet', 'netwall_guard', 'listeners'])).stdout;
  await until('the guard knows the port', async () => new RegExp(`\\b${port}\\b`).test(await listeners()));
  for (const who of ['stranger', 'webapp'] as const) {
    for (const server of [`127.0.0.1:${port}`, `[::1]:${port}`]) t.is(await world.as(who).resolve('f70.fresh.net', { server, timeout: 300 }), 'ETIMEOUT', `${who} ${server}`);
    t.is((await world.as(who).tcp('127.0.0.1', port, { timeout: 300 })).result, 'timeout', who);
  }
  t.deepEqual(await world.as('webapp').resolve('f70.fresh.net', { server: '127.0.0.1' }), await world.as('stranger').resolve('f70.fresh.net', { server: spareServers.main }));
});

test.serial('a query is not mistaken for that of another user who asked from the same port', async (t) => {
  const dig = async (who: 'webapp' | 'worker' | 'stranger', name: string) =>
    (await world.exec('/usr/bin/dig', ['+short', '+tries=1', '+time=2', '-b', '0.0.0.0#45678', `@${spareServers.main}`, name], { who })).stdout.trim();
  t.is(await dig('webapp', 'f24010.fresh.net'), '45.64.93.202');
  t.is(await dig('stranger', 'f12.whatever.net'), '45.64.0.12');
  t.is(await dig('webapp', 'f24011.fresh.net'), '45.64.93.203');
  t.is(await dig('worker', 'f13.unlisted.net'), '45.64.0.13');
});

test.serial('explain, status and resolve know names that a wildcard covers', async (t) => {
  t.regex((await world.ctl(['explain', 'webapp', 'f20000.fresh.net:443'])).stdout, /^allow: allowed by \*\.fresh\.net/);
  t.is((await world.ctl(['explain', 'webapp', 'f20000.fresh.net:22'])).exitCode, 6);
  t.is((await world.ctl(['explain', 'webapp', 'f20000.other.net:443'])).exitCode, 6);
  await resolve('webapp', 'f24002.fresh.net');
  t.true(await until('so', async () => (await world.service('webapp')).names.some(({ name, addresses }) => name === 'f24002.fresh.net' && addresses.includes('45.64.93.194')), 5000));
  const { stdout } = await world.ctl(['resolve', 'f24003.fresh.net', '--json']);
  t.like(JSON.parse(stdout), { name: 'f24003.fresh.net', services: ['webapp', 'builders'], addresses: ['45.64.93.195'] });
});

test.serial('a restart cuts nothing: addresses, flows and the port of the listener stay', async (t) => {
  const flow = await world.as('webapp').open('tcp', '45.64.93.194', 443);
  await sleep(5500); // state is saved every five seconds
  const { dns } = JSON.parse((await world.ctl(['status', '--json'])).stdout).services[0];
  await world.daemon.kill();
  t.is((await flow.exchange()).result, 'echoed');
  t.true(typeof (await resolve('webapp', 'f24002.fresh.net')) === 'string', 'without the daemon there is no DNS');
  await world.daemon.start({ config });
  t.is((await flow.exchange()).result, 'echoed');
  t.is((await world.as('webapp').tcp('45.64.93.194', 443)).result, 'connected');
  t.deepEqual(await resolve('webapp', 'f24004.fresh.net'), ['45.64.93.196']);
  t.is(JSON.parse((await world.ctl(['status', '--json'])).stdout).services[0].dns.port, dns.port);
  await flow.close();
});

test.serial('an edit that takes the wildcard away takes its addresses and names away', async (t) => {
  t.is((await world.as('webapp').tcp('45.64.93.196', 443)).result, 'connected');
  await world.policy('webapp.yaml', policy.replace('"*.fresh.net", turning', 'turning'));
  t.true(await until('its address is refused', async () => (await world.as('webapp').tcp('45.64.93.196', 443)).result === 'refused', 10_000));
  t.is(await resolve('webapp', 'f24004.fresh.net'), 'EREFUSED');
  await world.policy('webapp.yaml', policy);
  t.true(await until('the wildcard is back', async () => Array.isArray(await resolve('webapp', 'f24004.fresh.net')), 10_000));
});

test.serial('a change from filtered to none and back', async (t) => {
  await world.policy('webapp.yaml', policy.replace('service: webapp\n', 'service: webapp\ndns: none\n').replace('"*.fresh.net", ', '').replace('    - to: "*.ranged.net"\n      ports: [443, 8000-8010]\n', ''));
  // a query that is under way when its listener closes has no answer, and its client waits for seconds
  t.true(await until('names are refused', async () => (await resolve('webapp', 'turning.partner.net')) === 'ECONNREFUSED', 10_000));
  await world.policy('webapp.yaml', policy);
  t.true(await until('names are found', async () => Array.isArray(await resolve('webapp', 'turning.partner.net')), 10_000));
});

for (const [index, mode] of (['enforce', 'audit', 'block'] as const).entries()) {
  test.serial(`a policy for root does not come between the daemon and its name servers: ${mode}`, async (t) => {
    await world.policy('root.yaml', `service: root\nmatch: { user: root }\nmode: ${mode}\n`);
    t.true(await until('so', async () => (await world.status()).services.some((service) => service.service === 'root' && service.state === 'active' && service.mode === mode), 3000));
    const number = 24005 + index;
    const address = `45.64.${number >> 8}.${number & 255}`;
    t.deepEqual(await resolve('webapp', `f${number}.fresh.net`), [address]);
    t.is((await world.as('root').tcp(address, 443)).result === 'refused', mode !== 'audit');
    await world.policy('root.yaml', null);
  });
}

test.serial('a governed resolver that the daemon itself asks ends in a failure, not in a loop', async (t) => {
  // forwards what it is asked, as the governed user: its own query comes back to the daemon
  const forwarder = world.spawn(node(), [`${world.repository}/test/e2e/forwarder.ts`, '127.0.0.1', '5355', '203.0.112.66'], 'loner');
  const lines: string[] = [];
  const output = createInterface({ input: forwarder.stdout ?? process.stdin });
  await once(output, 'line');
  output.on('line', (line) => lines.push(line));
  await world.policy('resolver.yaml', 'service: resolver\nmatch: { user: loner }\negress:\n  allow:\n    - to: "*.fresh.net"\n      ports: [443]\n');
  await world.daemon.stop();
  await world.daemon.start({ config: { dns: { ...config.dns, servers: ['udp://127.0.0.1:5355'] } } });
  t.is(await world.as('webapp').resolve('f24006.fresh.net', { server: '9.9.9.9', timeout: 6000 }), 'ESERVFAIL');
  await sleep(1500);
  t.true(lines.length > 0 && lines.length < 100, `${lines.length} queries`);
  await world.policy('resolver.yaml', null);
});
