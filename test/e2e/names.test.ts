/** `dns: system`: the daemon resolves listed names itself and keeps their addresses current. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { quickDns } from './daemon.ts';
import type { Zone } from './dns-server.ts';
import { nameservers } from './plan.ts';
import { check, passes, tell, worldFor } from './sentences.ts';
import { always, until } from './until.ts';

const policies = `
service: webapp
match:
  user: webapp
dns: system
egress:
  allow:
    - to: [api.partner.net, www.partner.net, turning.partner.net, big.partner.net]
      ports: [443, 443/udp]
    - to: ranged.partner.net
      ports: [8000-8010]
    - to: [broken.partner.net, silent.partner.net, noise.partner.net, spoofed.partner.net]
      ports: [443]
    - to: [vanishing.partner.net, emptied.partner.net]
      ports: [443]
    - to: denied.partner.net
      ports: [443]
  deny:
    - to: 45.64.9.0/24
---
service: billing
match:
  user: billing
dns: none
egress:
  allow:
    - to: api.partner.net
      ports: [443]
---
service: loner
match:
  user: loner
dns: system
`;

/** Everything answers well at first. */
const healthy: Zone = {
  'api.partner.net': { addresses: ['45.64.7.1', '2a0f:9400:7::1'] },
  'www.partner.net': { cname: 'edge.cdn.net' },
  'edge.cdn.net': { cname: 'pop.cdn.net' },
  'pop.cdn.net': { addresses: ['45.64.7.20'] },
  'turning.partner.net': { rotate: [['45.64.7.31'], ['45.64.7.32'], ['45.64.7.33']] },
  'big.partner.net': { addresses: ['45.64.7.40'], truncate: true },
  'ranged.partner.net': { addresses: ['45.64.7.50'] },
  'broken.partner.net': { addresses: ['45.64.7.61'] },
  'silent.partner.net': { addresses: ['45.64.7.62'] },
  'noise.partner.net': { addresses: ['45.64.7.63'] },
  'spoofed.partner.net': { addresses: ['45.64.7.64'] },
  'vanishing.partner.net': { addresses: ['45.64.7.71'] },
  'emptied.partner.net': { addresses: ['45.64.7.72'] },
  'denied.partner.net': { addresses: ['45.64.9.5', '45.64.7.80'] },
};

const hold = Number.parseInt(quickDns.hold, 10) * 1000;
/** An address is gone at the latest after: its TTL and the next look-up, `hold`, and time to notice. */
const forgotten = hold + 6000;

const world = worldFor(test, async (world) => {
  await world.internet.zone(healthy);
  await world.policy('services.yaml', policies);
  await world.daemon.start();
  await until('every name is resolved', async () => (await world.service('webapp')).names.every(({ state }) => state === 'resolved'), 10_000);
});

/** Whether webapp reaches all of these at port 443. */
const everyPasses = async (addresses: readonly string[]): Promise<boolean> => {
  const reached = await Promise.all(addresses.map((address) => passes(world(), ['webapp', 'tcp', address, 443])));
  return reached.every(Boolean);
};

tell(test, world, [
  ['a listed name is resolved and its addresses are reached: IPv4', ['webapp', 'tcp', '45.64.7.1', 443], 'passes'],
  ['… UDP', ['webapp', 'udp', '45.64.7.1', 443], 'passes'],
  ['… IPv6', ['webapp', 'tcp', '2a0f:9400:7::1', 443], 'passes'],
  ['… at no other port', ['webapp', 'tcp', '45.64.7.1', 80], 'is refused'],
  ['… its neighbours are not', ['webapp', 'tcp', '45.64.7.2', 443], 'is refused'],
  ['… not by a service that does not list it', ['loner', 'tcp', '45.64.7.1', 443], 'is refused'],
  ['a name works under dns: none as well, as the daemon resolves and not the service', ['billing', 'tcp', '45.64.7.1', 443], 'passes'],
  ['aliases are followed to their end', ['webapp', 'tcp', '45.64.7.20', 443], 'passes'],
  ['a truncated answer is asked for again over TCP', ['webapp', 'tcp', '45.64.7.40', 443], 'passes'],
  ['a name with a range of ports: the first', ['webapp', 'tcp', '45.64.7.50', 8000], 'passes'],
  ['… the last', ['webapp', 'tcp', '45.64.7.50', 8010], 'passes'],
  ['… none after', ['webapp', 'tcp', '45.64.7.50', 8011], 'is refused'],
  ['deny wins over what a name resolves to', ['webapp', 'tcp', '45.64.9.5', 443], 'is refused'],
  ['… and leaves its other addresses', ['webapp', 'tcp', '45.64.7.80', 443], 'passes'],
]);

test.serial('status shows a name with its addresses', async (t) => {
  const name = await world().domain('webapp', 'api.partner.net');
  t.deepEqual(name.addresses.toSorted(), ['2a0f:9400:7::1', '45.64.7.1']);
  t.deepEqual([name.state, name.guarded, name.error], ['resolved', [], null]);
});

test.serial('the service itself may ask the nameservers of resolv.conf, over UDP and TCP, and no others', async (t) => {
  const webapp = world().as('webapp');
  t.deepEqual(await webapp.resolve('pop.cdn.net'), ['45.64.7.20']);
  t.is((await webapp.tcp(nameservers.first, 53)).result, 'connected');
  t.is(await webapp.resolve('pop.cdn.net', { server: nameservers.second }), 'ECONNREFUSED');
  t.is((await webapp.tcp(nameservers.second, 53)).result, 'refused');
  t.is((await webapp.tcp(nameservers.first, 443)).result, 'refused');
  t.deepEqual(await world().as('loner').resolve('pop.cdn.net'), ['45.64.7.20']);
});

test.serial('dns: none refuses port 53 of the nameservers', async (t) => {
  t.is(await world().as('billing').resolve('pop.cdn.net'), 'ECONNREFUSED');
  t.is((await world().as('billing').tcp(nameservers.first, 53)).result, 'refused');
});

test.serial('answers that rotate are merged: every address they ever had within hold is reached', async (t) => {
  await until('all three addresses pass', () => everyPasses(['45.64.7.31', '45.64.7.32', '45.64.7.33']), 10_000);
  t.pass();
});

test.serial('a name that moves is followed; what left it passes for hold, then only live flows still do', async (t) => {
  const webapp = world().as('webapp');
  const live = [await webapp.open('tcp', '45.64.7.1', 443), await webapp.open('udp', '45.64.7.1', 443)];
  const exchange = async (): Promise<string[]> => Promise.all(live.map(async (flow) => (await flow.exchange()).result));
  t.deepEqual(await exchange(), ['echoed', 'echoed']);
  await world().internet.zone({ ...healthy, 'api.partner.net': { addresses: ['45.64.7.2'] } });
  await until('the new address passes', () => passes(world(), ['webapp', 'tcp', '45.64.7.2', 443]), 4000);
  await check(t, world(), ['webapp', 'tcp', '45.64.7.1', 443], 'passes');
  t.deepEqual(await exchange(), ['echoed', 'echoed']);
  const lived = new Set<string>();
  await until('a new connection to the old address is refused', async () => {
    for (const result of await exchange()) lived.add(result);
    return !(await passes(world(), ['webapp', 'tcp', '45.64.7.1', 443]));
  }, forgotten);
  t.deepEqual([...lived], ['echoed'], 'a live flow is never cut');
  await sleep(300); // its delayed ACK goes to the same place, and would be counted as the probe's
  await check(t, world(), ['webapp', 'tcp', '45.64.7.1', 443], 'is refused');
  await check(t, world(), ['webapp', 'udp', '45.64.7.1', 443], 'is refused');
  // the other family is asked for at a time of its own
  await until('so is one to the old IPv6 address', async () => !(await passes(world(), ['webapp', 'tcp', '2a0f:9400:7::1', 443])), 3000);
  await always('the live flows go on', async () => (await exchange()).every((result) => result === 'echoed'), 3000);
  await world().nft('flush ruleset');
  await until('the wall is as it was', async () => (await world().ctl(['diff'])).exitCode === 0, 5000);
  t.deepEqual(await exchange(), ['echoed', 'echoed'], 'nor by a table that is built anew');
  await check(t, world(), ['webapp', 'tcp', '45.64.7.1', 443], 'is refused');
  await Promise.all(live.map((flow) => flow.close()));
  t.deepEqual((await world().domain('webapp', 'api.partner.net')).addresses, ['45.64.7.2']);
});

test.serial('failure is never a reason to forget: SERVFAIL, silence, noise and forged answers keep the last addresses beyond hold', async (t) => {
  await world().internet.zone({
    ...healthy,
    'broken.partner.net': { fail: 'servfail' },
    'silent.partner.net': { fail: 'drop' },
    'noise.partner.net': { fail: 'garbage' },
    'spoofed.partner.net': { fail: 'wrong-id' },
  });
  const addresses = ['45.64.7.61', '45.64.7.62', '45.64.7.63', '45.64.7.64'];
  await always('the last addresses pass', () => everyPasses(addresses), forgotten);
  for (const name of ['broken', 'silent', 'noise', 'spoofed']) {
    const { state, error } = await world().domain('webapp', `${name}.partner.net`);
    t.is(state, 'stale', name);
    t.is(typeof error, 'string', name);
  }
  await check(t, world(), ['webapp', 'tcp', '45.64.66.66', 443], 'is refused');
});

test.serial('… and are reported as a drift of kind "name"', async (t) => {
  const { open } = (await world().status()).drift;
  t.true(open.some(({ kind, detail }) => kind === 'name' && detail.includes('broken.partner.net')));
});

test.serial('… until DNS is well again', async (t) => {
  await world().internet.zone(healthy);
  await until('every name is resolved', async () => (await world().service('webapp')).names.every(({ state }) => state === 'resolved'), 20_000);
  t.is((await world().domain('webapp', 'broken.partner.net')).error, null);
});

test.serial('a name that no longer exists, or has no addresses, runs out after hold', async (t) => {
  await world().internet.zone({ ...healthy, 'vanishing.partner.net': { fail: 'nxdomain' }, 'emptied.partner.net': { fail: 'nodata' } });
  for (const address of ['45.64.7.71', '45.64.7.72']) await check(t, world(), ['webapp', 'tcp', address, 443], 'passes');
  const gone = async (): Promise<boolean> =>
    !(await passes(world(), ['webapp', 'tcp', '45.64.7.71', 443])) && !(await passes(world(), ['webapp', 'tcp', '45.64.7.72', 443]));
  await until('both addresses are refused', gone, forgotten);
  for (const name of ['vanishing.partner.net', 'emptied.partner.net']) {
    const { state, addresses } = await world().domain('webapp', name);
    t.not(state, 'resolved');
    t.deepEqual(addresses, []);
  }
  await world().internet.zone(healthy);
  await until('they are back', () => passes(world(), ['webapp', 'tcp', '45.64.7.71', 443]), 20_000);
});

test.serial('resolv.conf is followed as it changes', async (t) => {
  await world().host.nameservers(nameservers.second);
  await until('the new nameserver answers the service', async () => Array.isArray(await world().as('webapp').resolve('pop.cdn.net', { server: nameservers.second })), 5000);
  t.is(await world().as('webapp').resolve('pop.cdn.net', { server: nameservers.first }), 'ECONNREFUSED');
  await world().internet.queries();
  await until('the daemon asks the new one', async () => (await world().internet.queries()).some(({ server }) => server === nameservers.second), 10_000);
  t.pass();
});

test.serial('after a reboot with DNS down the last addresses are in force', async (t) => {
  await world().daemon.stop();
  await world().internet.zone(Object.fromEntries(Object.keys(healthy).map((name) => [name, { fail: 'drop' } as const])));
  await world().nft('delete table inet netwall');
  await world().daemon.start();
  await check(t, world(), ['webapp', 'tcp', '45.64.7.50', 8005], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.64.7.50', 8011], 'is refused');
});
