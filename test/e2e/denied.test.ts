/** What was refused: by whom, where to, and why, as the kernel recorded it. */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { DeniedView } from '../../src/cli/denied.ts';
import { controlSocket } from './control.ts';
import { quickDns } from './daemon.ts';
import { link, nameservers } from './plan.ts';
import { worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = `service: webapp
match: { user: webapp }
egress:
  allow:
    - { to: [45.64.0.0/16, api.partner.net, inside.partner.net], ports: [443] }
  deny:
    - to: 45.64.9.0/24
ingress:
  allow:
    - ports: [8080]
`;
const world = worldFor(test, async (made) => {
  await made.internet.zone({
    'api.partner.net': { addresses: ['91.200.30.1'], ttl: 60 },
    'inside.partner.net': { addresses: ['10.20.0.7'], ttl: 60 },
    'elsewhere.net': { addresses: ['91.200.31.1'], ttl: 60 },
  });
  await made.policy('webapp.yaml', policy);
  await made.policy('shut.yaml', 'service: shut\nmatch: { user: loner }\nmode: block\n');
  await made.policy('watched.yaml', 'service: watched\nmatch: { user: worker }\nmode: audit\n');
  await made.policy('builders.yaml', 'service: builders\nmatch: { group: ci }\ndns: none\n');
  await made.daemon.start({ config: { dns: quickDns } });
});

const denied = async (...args: string[]): Promise<DeniedView> => JSON.parse((await world().ctl(['denied', '--json', ...args])).stdout);
const entry = async (address: string): Promise<DeniedView['denied'][number] | undefined> => (await denied()).denied.find((one) => one.address === address);

test.serial('nothing yet', async (t) => {
  t.deepEqual(await denied(), { denied: [], refusedNames: [], total: 0 });
  t.is((await world().ctl(['denied'])).stdout.trim(), 'nothing denied');
});

test.serial('nothing lists it', async (t) => {
  await world().as('webapp').tcp('91.200.1.1', 22);
  await world().as('webapp').tcp('91.200.1.1', 22);
  const found = await entry('91.200.1.1');
  t.like(found, { service: 'webapp', uid: 20001, gid: null, protocol: 'tcp', port: 22, direction: 'out', packets: 2, reason: 'default', rule: null });
  t.true(Date.parse(found?.lastSeen ?? '') > Date.now() - 10_000 && (found?.firstSeen ?? '') <= (found?.lastSeen ?? ''));
  t.true((found?.bytes ?? 0) >= 80);
});

test.serial('IPv6, UDP and ICMP', async (t) => {
  await world().as('webapp').udp('2a0f:9400::1', 53_000);
  await world().as('webapp').ping('91.200.1.9');
  t.like(await entry('2a0f:9400::1'), { protocol: 'udp', port: 53_000, reason: 'default' });
  t.like(await entry('91.200.1.9'), { protocol: 'icmp', port: null, reason: 'default' });
});

test.serial('a deny entry', async (t) => {
  await world().as('webapp').tcp('45.64.9.3', 443);
  const found = await entry('45.64.9.3');
  t.is(found?.reason, 'deny');
  t.is(found?.rule?.line, 7);
});

test.serial('a listed name at another port, with its name', async (t) => {
  await world().as('webapp').resolve('api.partner.net');
  await world().as('webapp').tcp('91.200.30.1', 80);
  t.like(await entry('91.200.30.1'), { reason: 'default', names: ['api.partner.net'] });
});

test.serial('a listed name with a private address', async (t) => {
  await world().as('webapp').tcp('10.20.0.7', 443);
  t.like(await entry('10.20.0.7'), { reason: 'guard', names: ['inside.partner.net'] });
});

test.serial('a service that is blocked', async (t) => {
  await world().as('loner').tcp('45.64.7.1', 443);
  t.like((await denied('shut')).denied[0], { service: 'shut', address: '45.64.7.1', reason: 'mode' });
});

test.serial('a service that is watched: the name that it asked for is known', async (t) => {
  await world().as('worker').resolve('elsewhere.net');
  await world().as('worker').tcp('91.200.31.1', 443);
  t.like((await denied('watched')).denied[0], { address: '91.200.31.1', reason: 'audit', names: ['elsewhere.net'] });
});

test.serial('by group, and DNS where there is none', async (t) => {
  await world().as('runner').udp(nameservers.first, 53);
  t.like((await denied('builders')).denied[0], { service: 'builders', uid: null, gid: 20100, address: nameservers.first, port: 53, reason: 'dns' });
});

test.serial('somebody who connects in', async (t) => {
  const server = await world().as('webapp').listen({ protocol: 'tcp', address: '0.0.0.0', port: 9090 });
  await world().internet.client.tcp(link.host.v4, 9090, { timeout: 300 });
  t.like(await entry(link.internet.v4), { direction: 'in', port: 9090, protocol: 'tcp', reason: 'default' });
  await server.close();
});

test.serial('which process it is, while it has the socket', async (t) => {
  const flow = await world().as('webapp').open('udp', '91.200.1.77', 999);
  await flow.exchange(100);
  const found = await entry('91.200.1.77');
  t.is(found?.processes.length, 1);
  t.regex(found?.processes[0]?.name ?? '', /node|MainThread/);
  await flow.close();
  t.deepEqual((await entry('91.200.1.77'))?.processes, []);
});

test.serial('names that are not listed', async (t) => {
  await world().as('webapp').resolve('evil.net');
  t.like((await denied('webapp')).refusedNames.find(({ name }) => name === 'evil.net'), { service: 'webapp', type: 'A' });
});

test.serial('it would pass by now', async (t) => {
  await world().policy('webapp.yaml', policy.replace('45.64.0.0/16', '[45.64.0.0/16, 91.200.1.1]'.slice(1, -1)).replace('[443]', '[443, 22]'));
  await world().ctl(['reload']);
  t.is((await entry('91.200.1.1'))?.reason, 'allowed by now');
});

test.serial('since when, how many, and in words', async (t) => {
  await sleep(2000);
  await world().as('webapp').tcp('91.200.2.2', 23);
  t.deepEqual((await denied('--since', '2s')).denied.map(({ address }) => address), ['91.200.2.2']);
  const { stdout } = await world().ctl(['denied', 'webapp']);
  t.regex(stdout, /webapp +91\.200\.2\.2:23\/tcp +1 .*nothing lists it/);
  t.regex(stdout, /webapp +from 203\.0\.112\.1 to port 9090\/tcp/);
  t.regex(stdout, /api\.partner\.net 91\.200\.30\.1:80\/tcp/);
  t.regex(stdout, /evil\.net A/);
  t.is((await world().ctl(['denied', 'nobody'])).exitCode, 1);
  t.is((await world().ctl(['denied', '--since', 'long'])).exitCode, 2);
});

test.serial('-f goes on', async (t) => {
  const child = world().spawn(`${world().repository}/dist/netwallctl`, ['--socket', controlSocket, 'denied', 'webapp', '-f']);
  const lines: string[] = [];
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => lines.push(line));
  await until('the first report', async () => lines.length > 3, 10_000);
  await world().as('webapp').tcp('91.200.3.3', 24);
  await until('the news', async () => lines.some((line) => /webapp {2}91\.200\.3\.3:24\/tcp {2}1 packets/.test(line)), 10_000);
  child.kill('SIGTERM');
  t.pass();
});
