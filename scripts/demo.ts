/**
 * The demo: the real daemon confines four services of a made-up host on a made-up internet. Every line of its tables says what
 * the policies promise and what really happened; one difference and the exit code is 1.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { tail } from '../test/e2e/daemon.ts';
import type { Zone } from '../test/e2e/dns-server.ts';
import type { AccountName } from '../test/e2e/plan.ts';
import { passed } from '../test/e2e/sentences.ts';
import type { Protocol } from '../test/e2e/sockets.ts';
import { until } from '../test/e2e/until.ts';
import { createWorld, type World } from '../test/e2e/world.ts';

const webapp = `service: webapp
match:
  user: webapp
egress:
  allow:
    - to: [api.partner.net, metadata.evil.net, "*.cdn.net"]
      ports: [443]
    - to: "@internal"
      ports: [5432]
  deny:
    - to: 10.20.9.0/24
ingress:
  allow:
    - from: [45.64.0.0/16]
      ports: [8080]
`;

const others = `groups:
  internal: [10.20.0.0/16, "fd00::/16"]
---
service: billing
match:
  user: billing
dns: none
egress:
  allow:
    - to: [45.64.30.0/24, "2a0f:9400:30::/48"]
      ports: [443, 8000-8010, 123/udp]
---
service: worker
match:
  user: worker
mode: audit            # still being watched: nothing is refused yet
dns: none
---
service: builds
match:
  group: ci            # everyone whose primary group is ci
dns: none
egress:
  allow:
    - to: 45.64.40.0/24
      ports: [any]
`;

const zone: Zone = {
  'api.partner.net': { addresses: ['45.64.7.1', '2a0f:9400:7::1'] },
  'images.cdn.net': { addresses: ['45.64.8.1', '192.168.7.9'] },
  // A name in someone else's hands that points into this host's own network.
  'metadata.evil.net': { addresses: ['169.254.169.254'] },
};

type Row = readonly [who: AccountName, what: string, protocol: Protocol, address: string, port: number, promised: 'passes' | 'refused'];

const rows: readonly Row[] = [
  ['webapp', 'api.partner.net', 'tcp', '45.64.7.1', 443, 'passes'],
  ['webapp', 'api.partner.net, IPv6', 'tcp', '2a0f:9400:7::1', 443, 'passes'],
  ['webapp', 'api.partner.net, another port', 'tcp', '45.64.7.1', 80, 'refused'],
  ['webapp', 'its neighbour', 'tcp', '45.64.7.2', 443, 'refused'],
  ['webapp', 'the database', 'tcp', '10.20.0.5', 5432, 'passes'],
  ['webapp', 'a denied database', 'tcp', '10.20.9.9', 5432, 'refused'],
  ['webapp', 'metadata.evil.net (guarded)', 'tcp', '169.254.169.254', 443, 'refused'],
  ['webapp', 'an unknown UDP server', 'udp', '45.64.7.1', 4444, 'refused'],
  ['billing', 'a payment partner', 'tcp', '45.64.30.3', 443, 'passes'],
  ['billing', 'a partner, IPv6', 'tcp', '2a0f:9400:30::3', 8005, 'passes'],
  ['billing', "a partner's clock", 'udp', '45.64.30.3', 123, 'passes'],
  ['billing', "webapp's API", 'tcp', '45.64.7.1', 443, 'refused'],
  ['billing', 'a name server', 'udp', '203.0.112.53', 53, 'refused'],
  ['billing', 'ping', 'icmp', '45.64.30.3', 0, 'refused'],
  ['worker', 'anything (audit)', 'tcp', '91.200.1.1', 4444, 'passes'],
  ['runner', 'the build farm (group ci)', 'udp', '45.64.40.4', 9000, 'passes'],
  ['runner', 'ping the build farm', 'icmp', '45.64.40.4', 0, 'passes'],
  ['deployer', 'elsewhere (group ci)', 'tcp', '45.64.41.4', 443, 'refused'],
  ['helper', 'elsewhere (ci is not its primary group)', 'tcp', '45.64.41.4', 443, 'passes'],
  ['stranger', 'anything (no policy)', 'tcp', '91.200.1.1', 4444, 'passes'],
];

/** What was not as promised. */
const broken: string[] = [];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const heading = (text: string): void => say(`\n${styleText('bold', text)}`);

/** Records and shows one fact. */
const expectThat = (fact: string, holds: boolean): void => {
  say(`  ${holds ? styleText('green', 'ok   ') : styleText('red', 'WRONG')} ${fact}`);
  if (!holds) broken.push(fact);
};

const showTable = async (world: World, when: string): Promise<void> => {
  say(`  ${'user'.padEnd(9)}${'tries'.padEnd(42)}${'address'.padEnd(30)}${'happened'.padEnd(13)}${'ms'.padStart(8)}  policy`);
  for (const row of rows) await showRow(world, row, when);
};

const showRow = async (world: World, [who, what, protocol, address, port, promised]: Row, when: string): Promise<void> => {
  const { result, ms } = await world.as(who).probe(protocol, address, port, { timeout: protocol === 'icmp' ? 300 : 1000 });
  const happened = result === passed[protocol] ? 'passes' : 'refused';
  // Silence would be a lost packet, not a refusal.
  const right = happened === promised && (protocol === 'icmp' || result !== 'timeout');
  // A refused ping only gives up when its time is over.
  const took = protocol === 'icmp' && happened === 'refused' ? '-' : ms.toFixed(1);
  const where = protocol === 'icmp' ? `${address} icmp` : `${address} ${port}/${protocol}`;
  const line = `  ${who.padEnd(9)}${what.padEnd(42)}${where.padEnd(30)}${result.padEnd(13)}${took.padStart(8)}  ${promised}`;
  say(right ? line : styleText('red', `${line}   <- WRONG`));
  if (!right) broken.push(`${when}: ${who} ${where} should be "${promised}" and was "${result}"`);
};

/** Milliseconds from `change` until `look` is true. */
const measure = async (what: string, change: () => Promise<void>, look: () => Promise<boolean>): Promise<number> => {
  await change();
  const start = performance.now();
  await until(what, look, 10_000);
  return Math.round(performance.now() - start);
};

const reaches = async (world: World, who: AccountName, address: string): Promise<boolean> =>
  (await world.as(who).tcp(address, 443, { timeout: 300 })).result === 'connected';

const showPolicies = async (world: World): Promise<void> => {
  heading('1. Policies are dropped into /etc/netwall.d, and the daemon is started');
  say(webapp.replaceAll(/^/gm, '     ').trimEnd());
  await world.internet.zone(zone);
  await world.policy('webapp.yaml', webapp);
  await world.policy('others.yaml', others);
  const start = performance.now();
  await world.daemon.start({ config: { dns: { timeout: '1s', min_ttl: '1s', hold: '4s' } } });
  await until('api.partner.net is resolved', async () => (await world.domain('webapp', 'api.partner.net')).state === 'resolved', 10_000);
  say(`  enforced ${Math.round(performance.now() - start)} ms after its start`);
};

const showNames = async (world: World): Promise<void> => {
  heading('   Names: a wildcard opens what is asked for, and nothing else leaves the host');
  const ask = (name: string) => world.as('webapp').resolve(name, { server: '8.8.8.8', timeout: 2000 });
  await world.internet.queries();
  expectThat('before: webapp does not reach 45.64.8.1', !(await reaches(world, 'webapp', '45.64.8.1')));
  const answer = await ask('images.cdn.net');
  expectThat(`it asks 8.8.8.8 for images.cdn.net and is told ${String(answer)}, without the private address`, String(answer) === '45.64.8.1');
  expectThat('… which it reaches at once', await reaches(world, 'webapp', '45.64.8.1'));
  const secret = await ask('c2VjcmV0.tunnel.evil.net');
  expectThat(`it asks for c2VjcmV0.tunnel.evil.net and is told ${String(secret)}`, secret === 'EREFUSED');
  const asked = (await world.internet.queries()).map(({ name }) => name);
  expectThat('… and no name server has seen that question', !asked.some((name) => name.includes('tunnel')));
};

const showStatus = async (world: World): Promise<void> => {
  heading('3. netwallctl status');
  const { exitCode, stdout } = await world.ctl(['status']);
  say(stdout.replaceAll(/^/gm, '  '));
  // The guarded name is an open drift, which status must not hide.
  expectThat(`netwallctl status exits with 3 while metadata.evil.net is guarded (it said ${exitCode})`, exitCode === 3);
};

const showCalls = async (world: World): Promise<void> => {
  heading('4. Calls from the internet to webapp on port 8080');
  const server = await world.as('webapp').listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080, greeting: 'hello\n' });
  const call = async (from: string): Promise<string> => (await world.internet.client.tcp('203.0.112.2', 8080, { from, timeout: 400 })).result;
  expectThat('a call from 45.64.0.99 is let in', (await call('45.64.0.99')) === 'connected');
  expectThat('a call from 91.200.0.5 is not', (await call('91.200.0.5')) !== 'connected');
  await server.close();
};

const showEdit = async (world: World): Promise<void> => {
  heading('5. An edit takes effect');
  const added = webapp.replace('"*.cdn.net"]', '"*.cdn.net", 91.200.7.0/24]');
  expectThat('before: webapp does not reach 91.200.7.1', !(await reaches(world, 'webapp', '91.200.7.1')));
  const opened = await measure('the edit is enforced', () => world.policy('webapp.yaml', added), () => reaches(world, 'webapp', '91.200.7.1'));
  expectThat(`after the edit it does: enforced in ${opened} ms`, true);
  const flow = await world.as('webapp').open('tcp', '91.200.7.1', 443);
  expectThat('a long connection is opened', (await flow.exchange()).result === 'echoed');
  const closed = await measure('the edit is undone', () => world.policy('webapp.yaml', webapp), async () => !(await reaches(world, 'webapp', '91.200.7.1')));
  expectThat(`the edit is undone in ${closed} ms`, true);
  expectThat('… and the long connection ends at its next packet', (await flow.exchange()).result === 'ECONNRESET');
};

const showBadEdit = async (world: World): Promise<void> => {
  heading('6. A bad edit never loosens the wall');
  await world.policy('webapp.yaml', webapp.replace('egress:', 'egres:'));
  const { message } = await world.waitState('webapp', 'stale');
  say(styleText('dim', (message ?? '').replaceAll(/^/gm, '     ')));
  expectThat('the last good policy stays: its API passes', await reaches(world, 'webapp', '45.64.7.1'));
  expectThat('… the rest is refused', !(await reaches(world, 'webapp', '91.200.7.1')));
  await world.policy('webapp.yaml', webapp);
  await world.waitState('webapp', 'active');
};

const showMove = async (world: World): Promise<void> => {
  heading('7. api.partner.net moves to another address');
  const flow = await world.as('webapp').open('tcp', '45.64.7.1', 443);
  expectThat('a long connection to the old address is open', (await flow.exchange()).result === 'echoed');
  const moved = { ...zone, 'api.partner.net': { addresses: ['45.64.7.9'] } };
  const followed = await measure('the new address passes', () => world.internet.zone(moved), () => reaches(world, 'webapp', '45.64.7.9'));
  expectThat(`the new address passes after ${followed} ms (its TTL is 1 s)`, true);
  const gone = await measure('the old address is refused', async () => {}, async () => !(await reaches(world, 'webapp', '45.64.7.1')));
  expectThat(`the old one is refused to new connections ${gone} ms later (hold is 4 s)`, true);
  expectThat('… and the long connection to it lives on', (await flow.exchange()).result === 'echoed');
  await world.internet.zone(zone);
  await until('the name is back', async () => (await reaches(world, 'webapp', '45.64.7.1')) && reaches(world, 'webapp', '2a0f:9400:7::1'), 10_000);
};

const showKill = async (world: World): Promise<void> => {
  heading('8. The daemon is killed (SIGKILL); the wall stands');
  await world.daemon.kill();
  await sleep(500);
  expectThat('the daemon is gone', !world.daemon.running());
  await showTable(world, 'without the daemon');
};

const tell = async (world: World): Promise<void> => {
  await showPolicies(world);
  heading('2. Who reaches what');
  await showTable(world, 'with the daemon');
  await showNames(world);
  await showStatus(world);
  await showCalls(world);
  await showEdit(world);
  await showBadEdit(world);
  await showMove(world);
  await showKill(world);
};

const world = await createWorld();
try {
  await tell(world);
} catch (error) {
  broken.push(error instanceof Error ? error.message : String(error));
  say(styleText('dim', `The daemon's last lines:\n${tail(world.daemon.log())}`));
} finally {
  await world.destroy();
}

for (const difference of broken) say(styleText('red', `not as promised: ${difference}`));
say(broken.length === 0 ? styleText('green', '\nEverything was as the policies say.') : styleText('red', `\nNot everything was as the policies say: see the ${broken.length} above.`));
process.exitCode = broken.length === 0 ? 0 : 1;
