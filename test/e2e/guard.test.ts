/** The address guard: DNS does not decide that a service may reach the local network. */
import test from 'ava';
import type { Zone } from './dns-server.ts';
import { tell, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policies = `
service: webapp
match:
  user: webapp
dns: system
egress:
  allow:
    - to: [metadata.evil.net, lan.evil.net, mixed.evil.net, ula.evil.net, mapped.evil.net, loopback.evil.net, shared.evil.net, alias.evil.net]
      ports: [443]
    - to: db.lan.net
      ports: [5432]
      private: true
    - to: metadata.lan.net
      ports: [80]
      private: true
    - to: cache.lan.net
      ports: [443]
    - to: [10.20.1.0/24]
      ports: [6379]
    - to: forbidden.lan.net
      ports: [443]
      private: true
  deny:
    - to: 10.20.9.0/24
---
service: billing
match:
  user: billing
dns: system
egress:
  allow:
    - to: db.lan.net
      ports: [5432]
---
service: worker
match:
  user: worker
mode: audit
dns: system
egress:
  allow:
    - to: metadata.evil.net
      ports: [443]
`;

const zone: Zone = {
  'metadata.evil.net': { addresses: ['169.254.169.254'] },
  'lan.evil.net': { addresses: ['10.20.0.77'] },
  'mixed.evil.net': { addresses: ['45.64.8.1', '192.168.7.7', '2a0f:9400:8::1', 'fd00::77'] },
  'ula.evil.net': { addresses: ['fd00::6'] },
  'mapped.evil.net': { addresses: ['::ffff:10.20.0.78'] },
  'loopback.evil.net': { addresses: ['127.0.0.1', '::1'] },
  'shared.evil.net': { addresses: ['100.64.0.1'] },
  'alias.evil.net': { cname: 'lan.evil.net' },
  'db.lan.net': { addresses: ['10.20.0.5', 'fd00::5'] },
  'metadata.lan.net': { addresses: ['169.254.169.254'] },
  'cache.lan.net': { addresses: ['10.20.1.5'] },
  'forbidden.lan.net': { addresses: ['10.20.9.9', '10.20.8.9'] },
};

const world = worldFor(test, async (world) => {
  for (const address of ['127.0.0.1', '::1']) await world.as('root').listen({ protocol: 'tcp', address, port: 443 });
  await world.internet.zone(zone);
  await world.policy('services.yaml', policies);
  await world.daemon.start();
  await until('every name was asked', async () => (await world.status()).services.every(({ names }) => names.every(({ state }) => state !== 'pending')), 10_000);
});

tell(test, world, [
  ['a name that resolves to the metadata service does not open it', ['webapp', 'tcp', '169.254.169.254', 443], 'is refused'],
  ['… to a private address', ['webapp', 'tcp', '10.20.0.77', 443], 'is refused'],
  ['… to a unique local address', ['webapp', 'tcp', 'fd00::6', 443], 'is refused'],
  ['… to an IPv4-mapped private address', ['webapp', 'tcp', '10.20.0.78', 443], 'is refused'],
  ['… to loopback', ['webapp', 'tcp', '127.0.0.1', 443], 'is refused'],
  ['… to loopback of IPv6', ['webapp', 'tcp', '::1', 443], 'is refused'],
  ['… to shared address space', ['webapp', 'tcp', '100.64.0.1', 443], 'is refused'],
  ['… by way of an alias', ['webapp', 'tcp', '10.20.0.77', 443], 'is refused'],
  ['of a mixed answer only the special-use addresses are dropped: the global one', ['webapp', 'tcp', '45.64.8.1', 443], 'passes'],
  ['… the global one of IPv6', ['webapp', 'tcp', '2a0f:9400:8::1', 443], 'passes'],
  ['… the private one', ['webapp', 'tcp', '192.168.7.7', 443], 'is refused'],
  ['… the private one of IPv6', ['webapp', 'tcp', 'fd00::77', 443], 'is refused'],
  ['private: true admits the private address of that entry', ['webapp', 'tcp', '10.20.0.5', 5432], 'passes'],
  ['… of IPv6', ['webapp', 'tcp', 'fd00::5', 5432], 'passes'],
  ['… even the metadata service, who wants it', ['webapp', 'tcp', '169.254.169.254', 80], 'passes'],
  ['… at its own ports only', ['webapp', 'tcp', '10.20.0.5', 443], 'is refused'],
  ["… and not for another service's entry of the same name", ['billing', 'tcp', '10.20.0.5', 5432], 'is refused'],
  ['an address that the policy lists as a CIDR is admitted for a name too', ['webapp', 'tcp', '10.20.1.5', 443], 'passes'],
  ['… only where a name resolves to it', ['webapp', 'tcp', '10.20.1.6', 443], 'is refused'],
  ['… and the CIDR stands by itself', ['webapp', 'tcp', '10.20.1.6', 6379], 'passes'],
  ['deny holds, private or not', ['webapp', 'tcp', '10.20.9.9', 443], 'is refused'],
  ['… for that address alone', ['webapp', 'tcp', '10.20.8.9', 443], 'passes'],
  ['audit does not guard, it records', ['worker', 'tcp', '169.254.169.254', 443], 'passes'],
]);

test.serial('what was dropped is named in status', async (t) => {
  t.deepEqual((await world().domain('webapp', 'metadata.evil.net')).guarded, ['169.254.169.254']);
  const mixed = await world().domain('webapp', 'mixed.evil.net');
  t.deepEqual(mixed.guarded.toSorted(), ['192.168.7.7', 'fd00::77']);
  t.deepEqual(mixed.addresses.toSorted(), ['2a0f:9400:8::1', '45.64.8.1']);
  t.deepEqual((await world().domain('webapp', 'db.lan.net')).guarded, []);
  t.deepEqual((await world().domain('billing', 'db.lan.net')).guarded.toSorted(), ['10.20.0.5', 'fd00::5']);
});

test.serial('… and is a drift of kind "name"', async (t) => {
  const { open } = (await world().status()).drift;
  t.true(open.some(({ kind, detail }) => kind === 'name' && detail.includes('metadata.evil.net')));
});
