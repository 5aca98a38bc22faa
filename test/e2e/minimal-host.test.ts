/** A minimal Debian has no netbase: without /etc/protocols nft lists "meta l4proto 6" where it was told "tcp". */
import test from 'ava';
import { tell, worldFor } from './sentences.ts';
import { always } from './until.ts';

const policy = `
service: webapp
match:
  user: webapp
dns: none
egress:
  allow:
    - to: [45.64.0.0/16, "2a0f:9400::/32"]
      ports: [443, 123/udp, icmp]
`;

const world = worldFor(test, async (world) => {
  await world.host.remove('/etc/protocols');
  await world.host.remove('/etc/services');
  await world.policy('webapp.yaml', policy);
  await world.daemon.start({ config: { reconcile_interval: '1s' } });
});

tell(test, world, [
  ['without netbase a policy is enforced: TCP', ['webapp', 'tcp', '45.64.0.10', 443], 'passes'],
  ['… UDP', ['webapp', 'udp', '45.64.0.10', 123], 'passes'],
  ['… ping', ['webapp', 'icmp', '2a0f:9400::10'], 'passes'],
  ['… the rest of TCP', ['webapp', 'tcp', '45.64.0.10', 123], 'is refused'],
  ['… the rest of UDP', ['webapp', 'udp', '2a0f:9400::10', 443], 'is refused'],
]);

test.serial('… and its own table is not mistaken for drift', async (t) => {
  const { generation } = await world().status();
  await always('nothing is repaired', async () => (await world().status()).generation === generation, 4000);
  t.like((await world().status()).drift, { open: [], repaired: 0 });
  t.is((await world().ctl(['diff'])).exitCode, 0);
});
