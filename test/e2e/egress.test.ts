import test from 'ava';
import type { Who } from './plan.ts';
import { type Expectation, type Sentence, tell, worldFor } from './sentences.ts';
import type { Protocol } from './sockets.ts';

const policies = `
groups:
  partners: [45.64.30.0/24, "2a0f:9400:30::/48"]
---
service: webapp
match:
  user: [webapp]
dns: none
egress:
  allow:
    - to: [45.64.0.10, "2a0f:9400::10"]
      ports: [443]
    - to: [45.64.1.0/24, "2a0f:9400:1::/48"]
      ports: [443, 8000-8010/tcp, 5000-5010/udp]
    - to: "@partners"
      ports: [443, any/udp]
    - to: [45.64.40.0/24, "2a0f:9400:40::/48"]
      ports: [any]
    - to: [45.64.41.0/24, "2a0f:9400:41::/48"]
      ports: [icmp]
    - to: [45.64.42.7, "2a0f:9400:42::7"]
      ports: [123/udp, 4460/tcp]
    - to: [127.0.0.1, "::1"]
      ports: [8080, 8080/udp]
    - to: [10.20.0.0/16]
      ports: [5432]
  deny:
    - to: [45.64.1.128/25, "2a0f:9400:1:8000::/49"]
    - to: [45.64.40.7, "2a0f:9400:40::7"]
      ports: [22]
    - to: 10.20.9.0/24
---
service: billing
match:
  user: [billing]
dns: none
egress:
  allow:
    - to: [45.64.0.0/16, 45.64.0.10, 45.64.0.0/24]
      ports: [443]
    - to: [45.64.0.0/17]
      ports: [400-500]
---
service: loner
match:
  user: [loner]
dns: none
`;

const world = worldFor(test, async (world) => {
  for (const address of ['127.0.0.1', '::1']) {
    for (const port of [8080, 9090]) {
      await world.as('root').listen({ protocol: 'tcp', address, port });
      await world.as('root').listen({ protocol: 'udp', address, port });
    }
  }
  await world.policy('services.yaml', policies);
  await world.daemon.start();
});

/** The same sentence for IPv4 and IPv6. */
const both = (title: string, who: Who, protocol: Protocol, [v4, v6]: readonly [string, string], port: number, expected: Expectation): Sentence[] => [
  [title, [who, protocol, v4, port], expected],
  [`${title} (IPv6)`, [who, protocol, v6, port], expected],
];

const api = ['45.64.0.10', '2a0f:9400::10'] as const;
const besideApi = ['45.64.0.11', '2a0f:9400::11'] as const;
const network = ['45.64.1.20', '2a0f:9400:1::20'] as const;
const pastNetwork = ['45.64.2.0', '2a0f:9400:2::'] as const;
const denied = ['45.64.1.200', '2a0f:9400:1:8000::1'] as const;
const partner = ['45.64.30.3', '2a0f:9400:30::3'] as const;
const anything = ['45.64.40.9', '2a0f:9400:40::9'] as const;
const allButSsh = ['45.64.40.7', '2a0f:9400:40::7'] as const;
const pingable = ['45.64.41.1', '2a0f:9400:41::1'] as const;
const clock = ['45.64.42.7', '2a0f:9400:42::7'] as const;
const loopback = ['127.0.0.1', '::1'] as const;

tell(test, world, [
  ...both('webapp may reach its API', 'webapp', 'tcp', api, 443, 'passes'),
  ...both('… at no other port', 'webapp', 'tcp', api, 444, 'is refused'),
  ...both('… with no other protocol', 'webapp', 'udp', api, 443, 'is refused'),
  ...both('… not by ping', 'webapp', 'icmp', api, 0, 'is refused'),
  ...both('… nor its neighbour', 'webapp', 'tcp', besideApi, 443, 'is refused'),

  ...both('a CIDR covers its addresses', 'webapp', 'tcp', network, 443, 'passes'),
  ['… its first', ['webapp', 'tcp', '45.64.1.0', 443], 'passes'],
  ['… and not the one before', ['webapp', 'tcp', '45.64.0.255', 443], 'is refused'],
  ...both('… nor the one after the whole', 'webapp', 'tcp', pastNetwork, 443, 'is refused'),

  ...both('a range of ports includes its first', 'webapp', 'tcp', network, 8000, 'passes'),
  ...both('… its last', 'webapp', 'tcp', network, 8010, 'passes'),
  ...both('… not the one before', 'webapp', 'tcp', network, 7999, 'is refused'),
  ...both('… not the one after', 'webapp', 'tcp', network, 8011, 'is refused'),
  ...both('… not with another protocol', 'webapp', 'udp', network, 8005, 'is refused'),
  ...both('a range of UDP ports passes UDP', 'webapp', 'udp', network, 5005, 'passes'),
  ...both('… and not TCP', 'webapp', 'tcp', network, 5005, 'is refused'),

  ...both('deny wins over a CIDR', 'webapp', 'tcp', denied, 443, 'is refused'),
  ...both('… for ranges of ports too', 'webapp', 'tcp', denied, 8005, 'is refused'),
  ...both('… for UDP too', 'webapp', 'udp', denied, 5005, 'is refused'),
  ['… from its very first address', ['webapp', 'tcp', '45.64.1.128', 443], 'is refused'],
  ['… and not before', ['webapp', 'tcp', '45.64.1.127', 443], 'passes'],
  ['a private network listed as a CIDR is reached', ['webapp', 'tcp', '10.20.0.5', 5432], 'passes'],
  ['… except what is denied of it', ['webapp', 'tcp', '10.20.9.9', 5432], 'is refused'],

  ...both('a named group is its destinations', 'webapp', 'tcp', partner, 443, 'passes'),
  ...both('… at the listed ports', 'webapp', 'tcp', partner, 80, 'is refused'),
  ...both('any/udp is every UDP port', 'webapp', 'udp', partner, 1, 'passes'),
  ...both('… up to the last', 'webapp', 'udp', partner, 65535, 'passes'),
  ...both('… and no ping', 'webapp', 'icmp', partner, 0, 'is refused'),

  ...both('any is every TCP port', 'webapp', 'tcp', anything, 54321, 'passes'),
  ...both('… every UDP port', 'webapp', 'udp', anything, 54321, 'passes'),
  ...both('… and ping', 'webapp', 'icmp', anything, 0, 'passes'),
  ...both('deny of one port leaves the others: that port', 'webapp', 'tcp', allButSsh, 22, 'is refused'),
  ...both('… the port before', 'webapp', 'tcp', allButSsh, 21, 'passes'),
  ...both('… the port after', 'webapp', 'tcp', allButSsh, 23, 'passes'),
  ...both('… the same port of UDP (a bare number is TCP)', 'webapp', 'udp', allButSsh, 22, 'passes'),
  ...both('… ping', 'webapp', 'icmp', allButSsh, 0, 'passes'),

  ...both('icmp is ping', 'webapp', 'icmp', pingable, 0, 'passes'),
  ...both('… and no TCP', 'webapp', 'tcp', pingable, 443, 'is refused'),
  ...both('… and no UDP', 'webapp', 'udp', pingable, 443, 'is refused'),

  ...both('an exact UDP port passes', 'webapp', 'udp', clock, 123, 'passes'),
  ...both('… not as TCP', 'webapp', 'tcp', clock, 123, 'is refused'),
  ...both('an exact TCP port beside it passes', 'webapp', 'tcp', clock, 4460, 'passes'),
  ...both('… not as UDP', 'webapp', 'udp', clock, 4460, 'is refused'),

  ...both('loopback passes where it is listed', 'webapp', 'tcp', loopback, 8080, 'passes'),
  ...both('… for UDP where that is listed', 'webapp', 'udp', loopback, 8080, 'passes'),
  ...both('… and is refused elsewhere', 'webapp', 'tcp', loopback, 9090, 'is refused'),
  ...both('… for UDP as well', 'webapp', 'udp', loopback, 9090, 'is refused'),
  ...both('… and cannot be pinged', 'webapp', 'icmp', loopback, 0, 'is refused'),
  ['… another address of loopback is not 127.0.0.1', ['webapp', 'tcp', '127.0.0.2', 8080], 'is refused'],

  ['overlapping networks are one permission', ['billing', 'tcp', '45.64.0.10', 443], 'passes'],
  ['… with the wider ports where both apply', ['billing', 'tcp', '45.64.100.1', 450], 'passes'],
  ['… and not beyond', ['billing', 'tcp', '45.64.200.1', 450], 'is refused'],
  ['… which the wider network still has', ['billing', 'tcp', '45.64.200.1', 443], 'passes'],
  ["one service's permission is not another's", ['billing', 'tcp', '45.64.30.3', 8005], 'is refused'],
  ["… nor its partners' UDP", ['billing', 'udp', '45.64.30.3', 1], 'is refused'],

  ...both('an empty policy is a wall: TCP', 'loner', 'tcp', api, 443, 'is refused'),
  ...both('… UDP', 'loner', 'udp', api, 443, 'is refused'),
  ...both('… ping', 'loner', 'icmp', api, 0, 'is refused'),
  ...both('… loopback', 'loner', 'tcp', loopback, 8080, 'is refused'),
  ...both('… the host itself', 'loner', 'tcp', ['203.0.112.2', '2a0f:9401:1::2'], 22, 'is refused'),

  ...both('nobody else is confined: a stranger', 'stranger', 'tcp', besideApi, 1, 'passes'),
  ...both('… root', 'root', 'udp', besideApi, 1, 'passes'),
]);

test.serial('a name server is no exception under dns: none', async (t) => {
  t.is(await world().as('webapp').resolve('api.partner.net'), 'ECONNREFUSED');
  t.is((await world().as('webapp').tcp('203.0.112.53', 53)).result, 'refused');
  t.deepEqual((await world().internet.queries()).filter(({ name }) => name === 'api.partner.net'), []);
});
