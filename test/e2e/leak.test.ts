/**
 * Whatever happens to the wall, nothing gets past it: a governed user sends to where it must not as fast as it can, and the far side
 * counts; flows that are allowed go on. Longer with LEAK_ROUNDS (scripts/soak).
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { startFlood } from './flood.ts';
import { controlSocket } from './control.ts';
import { quickDns } from './daemon.ts';
import { nameservers } from './plan.ts';
import { passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const ROUNDS = Number(process.env['LEAK_ROUNDS'] ?? 20);
const LONG = 60_000 + ROUNDS * 3000;
const SECRET = '91.200.9.9';

const policy = (more = '', names = 'api.partner.net') => `service: webapp
match: { user: webapp }
dns: system
egress:
  allow:
    - to: [45.64.7.0/24, ${names}]
      ports: [443${more}]
ingress:
  allow:
    - ports: [8080]
`;
const config = { reconcile_interval: '10m', dns: quickDns };

const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'api.partner.net': { addresses: ['45.64.20.1'], ttl: 1 } });
  await made.policy('webapp.yaml', policy());
  await made.daemon.start({ config });
  await until('the guard is there', async () => (await made.status()).guard.state === 'held');
});

const intact = async () => (await passes(world(), ['webapp', 'tcp', '45.64.7.1', 443])) && !(await passes(world(), ['webapp', 'tcp', '91.200.1.1', 443])) && (await world().ctl(['diff'])).exitCode === 0;

/** Does something to the wall over and over while the flood goes on and a flow is in use; nothing may arrive, and the flow must live. */
async function under(t: ExecutionContext, rounds: number, deed: (round: number) => Promise<void>): Promise<void> {
  t.timeout(LONG);
  const flood = await startFlood(world(), 'webapp', SECRET);
  const flow = await world().as('webapp').open('tcp', '45.64.7.1', 443);
  for (let round = 0; round < rounds; round += 1) {
    await deed(round);
    t.is((await flow.exchange(5000)).result, 'echoed', `round ${round}`);
  }
  await until('the wall is as it was', intact, 15_000);
  const { tried, arrived } = await flood.stop();
  t.true(tried > 1000, `${tried} sent`);
  t.is(arrived, 0, `of ${tried}`);
  await flow.close();
  t.log(`${rounds} times, ${tried} datagrams tried, ${arrived} arrived`);
}

test.serial('without the wall the flood would arrive', async (t) => {
  const flood = await startFlood(world(), 'stranger', SECRET);
  await sleep(100);
  const { tried, arrived } = await flood.stop();
  t.true(arrived > 0 && tried >= arrived, `${arrived} of ${tried}`);
});

test.serial('nft flush ruleset', (t) => under(t, ROUNDS, async (round) => {
  await world().nft('flush ruleset');
  await sleep(round % 40);
}));

test.serial('a service that flushes and loads its own at each restart', async (t) => {
  await under(t, Math.ceil(ROUNDS / 5), async () => {
    await world().nft('flush ruleset');
    await world().nft('flush ruleset\ntable inet filter {\nchain input {\ntype filter hook input priority filter; policy accept;\n}\nchain output {\ntype filter hook output priority filter; policy accept;\n}\n}');
    await sleep(50);
  });
  await world().nft('delete table inet filter');
});

test.serial('a foreign rule that accepts everything', (t) => under(t, ROUNDS, async () => {
  await world().nft('insert rule inet netwall user_enforce accept');
  await world().nft('insert rule inet netwall output accept');
  await sleep(10);
}));

test.serial('edits of the policy', (t) => under(t, ROUNDS * 5, async (round) => {
  await world().policy('webapp.yaml', policy(round % 2 === 0 ? `, ${1000 + round}, "53/udp"` : ''));
  await sleep(round % 20);
}));

test.serial('addresses that change', (t) => under(t, ROUNDS * 5, async (round) => {
  await world().internet.zone({ 'api.partner.net': { addresses: [`45.64.20.${(round % 200) + 1}`, `45.64.21.${(round % 100) + 1}`], ttl: 1 } });
  await world().ctl(['resolve', 'api.partner.net']);
}));

test.serial('SIGKILL at any moment, and in the middle of transactions', (t) => under(t, Math.ceil(ROUNDS / 2), async (round) => {
  await world().policy('webapp.yaml', policy(`, ${2000 + round}`));
  await sleep((round * 7) % 30);
  await world().daemon.kill();
  await world().daemon.start({ config });
}));

test.serial('a stop and a start', (t) => under(t, Math.ceil(ROUNDS / 5), async () => {
  await world().daemon.stop();
  await world().daemon.start({ config });
}));

const children = async () => (await world().exec('/bin/cat', [`/proc/${world().daemon.pid()}/task/${world().daemon.pid()}/children`])).stdout.trim().split(' ').filter(Boolean).map(Number);
const interactive = async () => {
  const found: number[] = [];
  for (const pid of await children()) if ((await world().exec('/bin/cat', [`/proc/${pid}/cmdline`])).stdout.includes('nft\0-i')) found.push(pid);
  return found;
};

test.serial('its nft is killed', (t) => under(t, Math.ceil(ROUNDS / 5), async (round) => {
  for (const pid of await interactive()) process.kill(pid, 'SIGKILL');
  await world().policy('webapp.yaml', policy(`, ${3000 + round}`));
  await sleep(20);
}));

const guarded = () => until('the guard is there', async () => (await world().status()).guard.state === 'held', 10_000);

test.serial('its nft hangs', (t) => under(t, Math.ceil(ROUNDS / 10), async (round) => {
  await guarded();
  const pids = await interactive();
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await world().policy('webapp.yaml', policy(`, ${4000 + round}`));
  await world().nft('flush ruleset');
  await sleep(500);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
}));

const host = async (...command: string[]) => {
  const { exitCode, stderr } = await world().exec(command[0] ?? '', command.slice(1));
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
};

test.serial('the state directory is full, then read-only', async (t) => {
  await host('/bin/mount', '-o', 'remount,size=1m', '/var/lib/netwall');
  await world().exec('/bin/dd', ['if=/dev/zero', 'of=/var/lib/netwall/.fill', 'bs=1k']);
  await under(t, 3, async (round) => {
    await world().policy('webapp.yaml', policy(`, ${5000 + round}`));
    await sleep(50);
  });
  await host('/bin/mount', '-o', 'remount,ro', '/var/lib/netwall');
  await under(t, 3, async (round) => {
    await world().policy('webapp.yaml', policy(`, ${5100 + round}`));
    await world().nft('flush ruleset');
    await sleep(50);
  });
  t.true(world().daemon.log().some(({ msg }) => /not saved/.test(String(msg))));
  await world().daemon.kill();
  await world().daemon.start({ config });
  await host('/bin/mount', '-o', 'remount,rw,size=64m', '/var/lib/netwall');
  await host('/bin/rm', '/var/lib/netwall/.fill');
});

test.serial('no room for transactions: what stands stays, and it goes on when there is room', async (t) => {
  await host('/bin/mount', '-o', 'remount,ro', '/run/netwall');
  const flood = await startFlood(world(), 'webapp', SECRET);
  await world().policy('webapp.yaml', policy(', 5200'));
  await until('degraded', async () => (await world().status()).state === 'degraded');
  await host('/bin/mount', '-o', 'remount,rw', '/run/netwall');
  await until('enforcing', async () => (await world().status()).state === 'enforcing', 15_000);
  await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 5200]));
  t.is((await flood.stop()).arrived, 0);
});

test.serial('no file descriptors left', async (t) => {
  const used = (await world().exec('/bin/ls', [`/proc/${world().daemon.pid()}/fd`])).stdout.trim().split('\n').length;
  await world().daemon.stop();
  await world().daemon.start({ config, under: ['/usr/bin/prlimit', `--nofile=${used + 30}`] });
  const flood = await startFlood(world(), 'webapp', SECRET);
  const clients = Array.from({ length: 60 }, () => connect(world().host.path(controlSocket)).on('error', () => {}));
  await sleep(200);
  await world().policy('webapp.yaml', policy(', 5300'));
  await world().nft('flush ruleset');
  await sleep(1500);
  t.true(world().daemon.running());
  for (const client of clients) client.destroy();
  await until('the wall is as it was', intact, 20_000);
  await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 5300]), 10_000);
  t.is((await flood.stop()).arrived, 0);
  await world().daemon.stop();
  await world().daemon.start({ config });
});

test.serial('resolv.conf is replaced, name servers fall silent', async (t) => {
  await under(t, 3, async (round) => {
    await world().host.nameservers(round % 2 === 0 ? nameservers.second : nameservers.first);
    await world().internet.zone({ 'api.partner.net': { fail: round === 1 ? 'servfail' : 'drop' } });
    await world().ctl(['resolve', 'api.partner.net'], { timeout: 20_000 });
  });
  t.true((await world().domain('webapp', 'api.partner.net')).addresses.length > 0, 'what was known is kept');
  await world().host.nameservers(nameservers.first);
  await world().internet.zone({ 'api.partner.net': { addresses: ['45.64.20.1'], ttl: 1 } });
});

test.serial('ten thousand names whose name server is silent do not hold up anything', async (t) => {
  const silent = Array.from({ length: 10_000 }, (_, index) => `n${index}.silent.net`);
  await world().internet.zone({ 'api.partner.net': { addresses: ['45.64.20.1'], ttl: 1 }, ...Object.fromEntries(silent.map((name) => [name, { fail: 'drop' as const }])) });
  await world().policy('billing.yaml', `service: billing\nmatch: { user: billing }\ndns: system\negress:\n  allow:\n    - { to: [${silent.join(', ')}], ports: [443] }\n`);
  await until('it is read', async () => (await world().status()).services.some(({ service }) => service === 'billing'), 10_000);
  await under(t, 5, async (round) => {
    await world().policy('webapp.yaml', policy(`, ${5400 + round}`));
    await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 5400 + round]), 5000);
  });
  await world().policy('billing.yaml', null);
  await until('it is gone', async () => !(await world().status()).services.some(({ service }) => service === 'billing'));
});

/** Starts the daemon with the clock that the file says, as an offset. */
const underFakeClock = [
  '/bin/sh',
  '-c',
  'exec env LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)" FAKETIME_TIMESTAMP_FILE=/run/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 "${0%/*}/lib/node" "${0%/*}/lib/netwalld.mjs" "$@"',
];

test.serial('the clock jumps by years, back and forth', async (t) => {
  const clock = (offset: string) => world().host.write('/run/clock', `${offset}\n`);
  const year = async () => new Date((await world().ctl(['block', 'webapp', '--json'])).exitCode === 0 ? ((await world().status()).services[0]?.message ?? '').replace(/^blocked since (\S+): .*/, '$1') : 0).getFullYear();
  await world().daemon.stop();
  await clock('+0');
  await world().daemon.start({ config, under: underFakeClock });
  const now = new Date().getFullYear();
  const offsets = ['+1y', '-20y', '+10y', '+0'];
  await under(t, offsets.length, async (round) => {
    await clock(offsets[round] ?? '+0');
    await world().policy('webapp.yaml', policy(`, ${5500 + round}`));
    await until('the edit is in force', () => passes(world(), ['webapp', 'tcp', '45.64.7.1', 5500 + round]), 5000);
    await world().internet.zone({ 'api.partner.net': { addresses: [`45.64.22.${round + 1}`], ttl: 1 } });
    await until('DNS is followed', () => passes(world(), ['webapp', 'tcp', `45.64.22.${round + 1}`, 443]), 10_000);
    await world().nft('flush ruleset');
  });
  // what was saved by one clock is read by another
  await clock('+10y');
  t.is(await year(), now + 10);
  await world().ctl(['unblock', 'webapp']);
  await world().daemon.stop();
  for (const offset of ['-20y', '+20y']) {
    await clock(offset);
    await world().daemon.start({ config, under: underFakeClock });
    await until('names are known again', () => passes(world(), ['webapp', 'tcp', '45.64.22.4', 443]), 10_000);
    t.true(await intact());
    await world().daemon.stop();
  }
  await world().daemon.start({ config });
  const { history }: { history: readonly { openMilliseconds: number }[] } = JSON.parse((await world().ctl(['drift', '--json'])).stdout);
  t.deepEqual(history.filter(({ openMilliseconds }) => openMilliseconds < 0 || openMilliseconds > 600_000), []);
});

test.serial('the guard comes back after its holder is gone', async (t) => {
  const losses = () => world().daemon.log().filter(({ msg }) => String(msg).startsWith('no guard: ')).length;
  const before = losses();
  for (const pid of await interactive()) process.kill(pid, 'SIGKILL');
  await until('it is noticed', async () => losses() > before);
  await guarded();
  t.pass();
});

test.serial('another who wants to change the guard cannot', async (t) => {
  await t.throwsAsync(world().nft('delete table inet netwall_guard'), { message: /not permitted/ });
  await t.throwsAsync(world().nft('flush table inet netwall_guard'), { message: /not permitted/ });
});

test.serial('a policy that goes lets its user go, guard included', async (t) => {
  await world().policy('billing.yaml', 'service: billing\nmatch: { user: billing }\n');
  await until('governed', async () => !(await passes(world(), ['billing', 'udp', '91.200.1.1', 443])));
  await world().policy('billing.yaml', null);
  await until('free', () => passes(world(), ['billing', 'udp', '91.200.1.1', 443]));
  await until('free also by TCP', () => passes(world(), ['billing', 'tcp', '91.200.1.1', 443]));
  t.pass();
});

test.serial('the bit is gone before anybody else sees it', async (t) => {
  await world().nft('table inet spy {\nchain post {\ntype filter hook postrouting priority 0; policy accept;\nmeta mark & 0x20000000 != 0 counter\n}\nchain input {\ntype filter hook input priority 0; policy accept;\nmeta mark & 0x20000000 != 0 counter\n}\n}');
  t.true(await passes(world(), ['webapp', 'tcp', '45.64.7.1', 443]));
  const listing = await world().nft('list table inet spy');
  t.regex(listing, /counter packets 0 bytes 0[^]*counter packets 0 bytes 0/);
  await world().nft('delete table inet spy');
});

test.serial('unload opens, and takes the guard along', async (t) => {
  t.is((await world().ctl(['unload'])).exitCode, 0);
  t.true(await passes(world(), ['webapp', 'udp', '91.200.1.1', 443]));
  t.notRegex(await world().nft('list tables'), /netwall/);
  await world().ctl(['reload']);
  await until('the wall stands', intact);
  await until('the guard as well', async () => (await world().status()).guard.state === 'held');
});
