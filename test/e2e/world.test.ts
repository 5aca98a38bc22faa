import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import anyTest from 'ava';
import { closedPort, link, nameservers } from './plan.ts';
import { attempt } from './run.ts';
import { tell, worldFor } from './sentences.ts';
import { until } from './until.ts';
import { createWorld } from './world.ts';

const test = anyTest;
const world = worldFor(test);

tell(test, world, [
  ['without a wall everything is reachable: TCP', ['webapp', 'tcp', '45.64.0.10', 443], 'passes'],
  ['… UDP', ['webapp', 'udp', '45.64.0.10', 443], 'passes'],
  ['… ping, as an ordinary user', ['webapp', 'icmp', '45.64.0.10'], 'passes'],
  ['… TCP over IPv6', ['webapp', 'tcp', '2a0f:9400::10', 443], 'passes'],
  ['… UDP over IPv6', ['webapp', 'udp', '2a0f:9400::10', 443], 'passes'],
  ['… ping over IPv6', ['webapp', 'icmp', '2a0f:9400::10'], 'passes'],
  ['… the local network', ['webapp', 'tcp', '10.20.0.5', 5432], 'passes'],
  ['… the metadata service', ['webapp', 'tcp', '169.254.169.254', 80], 'passes'],
  ['… a unique local address', ['webapp', 'udp', 'fd00::5', 123], 'passes'],
  ['… a port 53 that is no name server', ['webapp', 'udp', '45.64.0.10', 53], 'passes'],
  ['root and strangers as well', ['stranger', 'tcp', '91.200.3.4', 65535], 'passes'],
]);

test.serial('a port where nobody listens is refused by the far side, and its packets are counted there', async (t) => {
  const { result } = await world().as('webapp').tcp('45.64.0.10', closedPort);
  t.is(result, 'refused');
  t.is(await world().internet.arrived('tcp', '45.64.0.10', closedPort), 1);
});

test.serial('an address without a route and a black hole are told apart from a refusal', async (t) => {
  await world().internet.blackhole('45.64.9.9');
  t.is((await world().as('webapp').tcp('45.64.9.9', 443, { timeout: 300 })).result, 'timeout');
  t.is((await world().as('webapp').udp('45.64.9.9', 443, { timeout: 300 })).result, 'timeout');
  t.is((await world().as('webapp').tcp('203.0.112.200', 443, { timeout: 4000 })).result, 'unreachable');
});

test.serial('hundreds of probes in a row are cheap and none is lost', async (t) => {
  const start = performance.now();
  const results = new Map<string, number>();
  for (let count = 0; count < 500; count += 1) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const { result } = await world().as('worker').probe(protocol, '45.64.3.7', 443);
      results.set(result, (results.get(result) ?? 0) + 1);
    }
  }
  t.deepEqual(Object.fromEntries(results), { connected: 500, echoed: 500 });
  t.true(performance.now() - start < 10_000);
});

test.serial('probes at once do not mix up their answers', async (t) => {
  const reached = await Promise.all(Array.from({ length: 200 }, (_, index) => world().as('worker').tcp('45.64.4.4', 1000 + index)));
  t.deepEqual([...new Set(reached.map(({ result }) => result))], ['connected']);
});

test.serial('DNS answers over UDP and TCP what the zone says', async (t) => {
  await world().internet.zone({
    'api.partner.net': { addresses: ['45.64.7.1', '45.64.7.2', '2a0f:9400:7::1'], ttl: 30 },
    'www.partner.net': { cname: 'api.partner.net' },
    'big.partner.net': { addresses: ['45.64.7.3'], truncate: true },
    'turning.partner.net': { rotate: [['45.64.7.4'], ['45.64.7.5']] },
  });
  const webapp = world().as('webapp');
  await world().internet.queries();
  t.deepEqual(await webapp.resolve('api.partner.net'), ['45.64.7.1', '45.64.7.2']);
  t.deepEqual(await webapp.resolve('API.Partner.Net', { type: 'AAAA' }), ['2a0f:9400:7::1']);
  t.deepEqual(await webapp.resolve('www.partner.net'), ['45.64.7.1', '45.64.7.2']);
  t.deepEqual(await webapp.resolve('big.partner.net'), ['45.64.7.3']);
  t.deepEqual([await webapp.resolve('turning.partner.net'), await webapp.resolve('turning.partner.net')], [['45.64.7.4'], ['45.64.7.5']]);
  t.deepEqual(await webapp.resolve('api.partner.net', { server: nameservers.second }), ['45.64.7.1', '45.64.7.2']);
  t.deepEqual(await webapp.resolve('api.partner.net', { server: nameservers.v6 }), ['45.64.7.1', '45.64.7.2']);
  t.is((await world().internet.queries()).filter(({ transport }) => transport === 'tcp').length, 1);
});

test.serial('DNS fails in the ways it is told to', async (t) => {
  await world().internet.zone({
    'broken.net': { fail: 'servfail' },
    'silent.net': { fail: 'drop' },
    'noise.net': { fail: 'garbage' },
    'spoofed.net': { fail: 'wrong-id' },
    'swapped.net': { fail: 'wrong-question' },
    'empty.net': { fail: 'nodata' },
    'slow.net': { addresses: ['45.64.7.6'], delay: 300 },
  });
  const ask = (name: string): Promise<string[] | string> => world().as('webapp').resolve(name, { timeout: 500 });
  t.is(await ask('broken.net'), 'ESERVFAIL');
  t.is(await ask('silent.net'), 'ETIMEOUT');
  t.is(await ask('spoofed.net'), 'ETIMEOUT');
  t.is(await ask('empty.net'), 'ENODATA');
  t.is(await ask('unheard-of.net'), 'ENOTFOUND');
  t.is(typeof (await ask('noise.net')), 'string');
  t.is(typeof (await ask('swapped.net')), 'string');
  t.deepEqual(await ask('slow.net'), ['45.64.7.6']);
});

test.serial('clients on the internet reach the host, from any address, and servers may speak first', async (t) => {
  const { client } = world().internet;
  for (const [any, address, from] of [['0.0.0.0', link.host.v4, '45.64.0.99'], ['::', link.host.v6, '2a0f:9400::99']] as const) {
    const server = await world().as('webapp').listen({ protocol: 'tcp', address: any, port: 8080, greeting: 'hello\n' });
    const echo = await world().as('webapp').listen({ protocol: 'udp', address: any, port: 5353 });
    const flow = await client.open('tcp', address, 8080, { from });
    t.true(await flow.receives('hello'));
    t.is(await server.push('more\n'), 1);
    t.true(await flow.receives('more'));
    t.is((await flow.exchange()).result, 'echoed');
    t.is((await client.udp(address, 5353, { from })).result, 'echoed');
    await Promise.all([flow.close(), server.close(), echo.close()]);
  }
  t.is((await client.tcp(link.host.v4, 8080)).result, 'refused');
});

test.serial('the far side counts what was sent, by protocol, address and port', async (t) => {
  await world().as('loner').udp('45.64.5.5', 4000);
  await world().as('loner').ping('45.64.5.5');
  await world().as('loner').udp('2a0f:9400:5::5', 4000);
  const { arrived } = world().internet;
  t.is(await arrived('udp', '45.64.5.5', 4000), 1);
  t.is(await arrived('udp', '45.64.5.5'), 1);
  t.is(await arrived('udp', '45.64.5.5', 4001), 0);
  t.is(await arrived('tcp', '45.64.5.5'), 0);
  t.is(await arrived('icmp', '45.64.5.5'), 1);
  t.is(await arrived('udp', '2a0f:9400:5::5', 4000), 1);
});

test.serial('accounts, files and nft on the host are its own', async (t) => {
  t.is((await world().exec('/usr/bin/id', ['-u', 'webapp'])).stdout, '20001');
  t.is((await world().exec('/usr/bin/id', ['-g', 'runner'])).stdout, '20100');
  t.is((await world().exec('/usr/bin/id', ['-Gn'], { who: 'helper' })).stdout, 'helper ci');
  t.is((await world().exec('/usr/sbin/useradd', ['--no-create-home', '--uid', '20050', 'newcomer'])).exitCode, 0);
  t.regex(await world().host.read('/etc/passwd'), /^newcomer:x:20050:/m);
  t.notRegex(await readFile('/etc/passwd', 'utf8'), /newcomer|webapp/);
  await world().policy('a.yaml', 'service: a\n', { uid: 20001, mode: 0o600 });
  t.is((await world().exec('/usr/bin/stat', ['-c', '%n %u %a', '/etc/netwall.d/a.yaml'])).stdout, '/etc/netwall.d/a.yaml 20001 600');
  await world().policy('a.yaml', null);
  t.deepEqual(await readdir(world().host.path('/etc/netwall.d')), []);
  t.is((await world().exec('/usr/bin/head', ['-c', '2', `${world().repository}/package.json`], { who: 'stranger' })).stdout, '{');
  t.is(await world().nft('list ruleset'), '');
});

test.serial('with a wall by hand, probes report refusals as a program sees them', async (t) => {
  const webapp = world().as('webapp');
  const server = await webapp.listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080 });
  const inbound = await world().internet.client.open('tcp', link.host.v4, 8080);
  const outbound = await webapp.open('tcp', '45.64.0.10', 443);
  const exchange = await webapp.open('udp', '45.64.0.10', 443);
  t.is((await exchange.exchange()).result, 'echoed');
  await world().nft(`table inet by-hand {
    chain refuse {
      meta l4proto tcp reject with tcp reset
      reject with icmpx admin-prohibited
    }
    chain output {
      type filter hook output priority filter; policy accept
      meta skuid 20001 ip daddr 45.64.1.0/24 accept
      meta skuid 20001 goto refuse
      meta skgid 20100 goto refuse
    }
  }`);
  t.is((await outbound.exchange()).result, 'ECONNRESET');
  t.is((await exchange.exchange()).result, 'eperm');
  t.is((await inbound.exchange(500)).result, 'timeout');
  t.is((await world().internet.client.tcp(link.host.v4, 8080, { timeout: 500 })).result, 'timeout');
  t.is(await webapp.resolve('api.partner.net'), 'ECONNREFUSED');
  await Promise.all([inbound.close(), outbound.close(), exchange.close(), server.close()]);
});

tell(test, world, [
  ['… its TCP', ['webapp', 'tcp', '45.64.0.10', 443], 'is refused'],
  ['… its UDP', ['webapp', 'udp', '45.64.0.10', 443], 'is refused'],
  ['… its ping', ['webapp', 'icmp', '45.64.0.10'], 'is refused'],
  ['… its TCP over IPv6', ['webapp', 'tcp', '2a0f:9400::10', 443], 'is refused'],
  ['… its UDP over IPv6', ['webapp', 'udp', '2a0f:9400::10', 443], 'is refused'],
  ['… its ping over IPv6', ['webapp', 'icmp', '2a0f:9400::10'], 'is refused'],
  ['… its loopback', ['webapp', 'tcp', '127.0.0.1', 8080], 'is refused'],
  ['… not what is allowed by hand', ['webapp', 'tcp', '45.64.1.10', 443], 'passes'],
  ['… not other users', ['billing', 'tcp', '45.64.0.10', 443], 'passes'],
  ['… everyone whose primary group it is', ['runner', 'tcp', '45.64.0.10', 443], 'is refused'],
  ['… nobody who has the group as a supplementary one', ['helper', 'tcp', '45.64.0.10', 443], 'passes'],
]);

test.serial('a program in the host that does not exist is reported, not ignored', async (t) => {
  t.is((await world().exec('/usr/bin/no-such-program', [])).exitCode, 127);
  await t.throwsAsync(world().nft('add rule inet nowhere nothing accept'), { message: /No such file or directory/ });
});

/** What a world of this prefix has left on the machine. */
const leftovers = async (name: string): Promise<string[]> => {
  const namespaces = (await readdir('/run/netns').catch(() => [])).filter((entry) => entry.startsWith(`${name}-`));
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(`${name}-`));
  const processes = (await attempt(['/bin/ps', '-eo', 'args'])).stdout.split('\n').filter((line) => line.includes(`${name}-`) || line.includes(`keeper.sh ${name} `));
  return [...namespaces, ...mounts, ...processes];
};

const rootRuleset = async (): Promise<string> => (await attempt(['/usr/sbin/nft', '--stateless', 'list', 'ruleset'])).stdout;

test.serial('removing a world leaves nothing behind, whatever still runs in it', async (t) => {
  const before = await rootRuleset();
  const other = await createWorld();
  const stubborn = other.spawn('/bin/sh', ['-c', 'trap "" TERM HUP INT; /usr/bin/sleep 1000 & wait']);
  t.is((await other.as('webapp').tcp('45.64.0.10', 443)).result, 'connected');
  t.not((await leftovers(other.name)).length, 0);
  await other.destroy();
  await other.destroy();
  await until('the stubborn process has ended', async () => stubborn.signalCode !== null);
  t.deepEqual(await leftovers(other.name), []);
  t.is(await rootRuleset(), before);
});

test.serial('a test that is killed leaves nothing behind either', async (t) => {
  const source = `const { createWorld } = await import(${JSON.stringify(new URL('world.ts', import.meta.url).href)});
    const world = await createWorld(); await world.as('webapp').tcp('45.64.0.10', 443); console.log(world.name); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [name] = await once(createInterface({ input: child.stdout }), 'line');
  t.not((await leftovers(String(name))).length, 0);
  child.kill('SIGKILL');
  await until('the keeper has cleaned up', async () => (await leftovers(String(name))).length === 0);
  t.pass();
});
