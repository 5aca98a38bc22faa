import test from 'ava';
import { link, type Who } from './plan.ts';
import { worldFor } from './sentences.ts';
import type { ProbeOptions } from './sockets.ts';

const policies = `
groups:
  offices: [91.200.7.0/24, "2a0e:5000:7::/48"]
---
service: webapp
match:
  user: webapp
dns: none
egress:
  allow:
    - to: [45.64.0.10]
      ports: [443]
ingress:
  allow:
    - from: [45.64.0.0/16, "2a0f:9400::/32"]
      ports: [8080, 8090-8092/tcp, 5353/udp]
    - ports: [9000-9001, 9000/udp, 9001/udp]
    - from: ["@offices"]
      ports: [8085]
---
service: ci
match:
  group: ci
dns: none
ingress:
  allow:
    - from: [45.64.0.0/16, "2a0f:9400::/32"]
      ports: [8070, 5070/udp]
---
service: billing
match:
  user: billing
mode: audit
dns: none
`;

const listeners: readonly (readonly [Who, 'tcp' | 'udp', number])[] = [
  ['webapp', 'tcp', 8080],
  ['webapp', 'tcp', 8081],
  ['webapp', 'tcp', 8085],
  ['webapp', 'tcp', 8090],
  ['webapp', 'tcp', 8092],
  ['webapp', 'tcp', 8093],
  ['webapp', 'tcp', 9000],
  ['webapp', 'udp', 5353],
  ['webapp', 'udp', 5354],
  ['webapp', 'udp', 9000],
  ['runner', 'tcp', 8070],
  ['runner', 'tcp', 8071],
  ['runner', 'udp', 5070],
  ['billing', 'tcp', 8060],
  ['stranger', 'tcp', 8050],
];

const world = worldFor(test, async (world) => {
  for (const [who, protocol, port] of listeners) {
    for (const address of ['0.0.0.0', '::']) await world.as(who).listen({ protocol, address, port });
  }
  await world.policy('services.yaml', policies);
  await world.daemon.start();
});

type Call = readonly [title: string, protocol: 'tcp' | 'udp', from: readonly [string, string], port: number, expected: 'is let in' | 'is not'];

const customer = ['45.64.0.99', '2a0f:9400::99'] as const;
const outsider = ['91.200.0.5', '2a0e:5000::5'] as const;
const office = ['91.200.7.5', '2a0e:5000:7::5'] as const;

const calls: readonly Call[] = [
  ['from a listed network to a listed port', 'tcp', customer, 8080, 'is let in'],
  ['from elsewhere to that port', 'tcp', outsider, 8080, 'is not'],
  ['from a listed network to another port', 'tcp', customer, 8081, 'is not'],
  ['to the first of a range of ports', 'tcp', customer, 8090, 'is let in'],
  ['to the last of a range of ports', 'tcp', customer, 8092, 'is let in'],
  ['to the port after a range', 'tcp', customer, 8093, 'is not'],
  ['without "from": from anywhere', 'tcp', outsider, 9000, 'is let in'],
  ['without "from": from anywhere by UDP', 'udp', outsider, 9000, 'is let in'],
  ['from a named group', 'tcp', office, 8085, 'is let in'],
  ['from outside a named group', 'tcp', customer, 8085, 'is not'],
  ['by UDP from a listed network to a listed port', 'udp', customer, 5353, 'is let in'],
  ['by UDP from elsewhere', 'udp', outsider, 5353, 'is not'],
  ['by UDP to another port', 'udp', customer, 5354, 'is not'],
  ["to a group's listed port", 'tcp', customer, 8070, 'is let in'],
  ["to a group's listed port from elsewhere", 'tcp', outsider, 8070, 'is not'],
  ["to a group's other port", 'tcp', customer, 8071, 'is not'],
  ["by UDP to a group's listed port", 'udp', customer, 5070, 'is let in'],
  ["by UDP to a group's listed port from elsewhere", 'udp', outsider, 5070, 'is not'],
  ['to an audited service', 'tcp', outsider, 8060, 'is let in'],
  ['to a service without a policy', 'tcp', outsider, 8050, 'is let in'],
];

const answered = { tcp: 'connected', udp: 'echoed' } as const;

for (const [title, protocol, from, port, expected] of calls) {
  for (const [index, address] of [link.host.v4, link.host.v6].entries()) {
    const source = from[index] ?? '';
    test.serial(`a call ${title} ${expected}${index === 0 ? '' : ' (IPv6)'}`, async (t) => {
      const { result } = await world().internet.client.probe(protocol, address, port, { from: source, timeout: expected === 'is let in' ? 1000 : 300 });
      if (expected === 'is let in') t.is(result, answered[protocol]);
      else t.not(result, answered[protocol]);
    });
  }
}

test.serial('loopback is a place like any other: another user on the host is let in where anyone is', async (t) => {
  t.is((await world().as('stranger').tcp('127.0.0.1', 9000)).result, 'connected');
  t.is((await world().as('stranger').tcp('::1', 9000)).result, 'connected');
});

test.serial('… and not where only a network is', async (t) => {
  t.not((await world().as('stranger').tcp('127.0.0.1', 8080, { timeout: 300 })).result, 'connected');
  t.not((await world().as('stranger').tcp('::1', 8080, { timeout: 300 })).result, 'connected');
});

test.serial('a long conversation with a client goes both ways', async (t) => {
  const flow = await world().internet.client.open('tcp', link.host.v4, 8080, { from: customer[0] });
  for (let turn = 0; turn < 20; turn += 1) t.is((await flow.exchange()).result, 'echoed');
  await flow.close();
});

/** The ports are open to anyone for calls to the service; nothing listens on 9001. */
const outbound: readonly (readonly [string, 'tcp' | 'udp', string, ProbeOptions])[] = [
  ['a TCP connection', 'tcp', '45.64.0.50', { fromPort: 9001 }],
  ['a datagram', 'udp', '45.64.0.50', { fromPort: 9001 }],
  ['a TCP connection over IPv6', 'tcp', '2a0f:9400::50', { fromPort: 9001 }],
  ['a datagram over IPv6', 'udp', '2a0f:9400::50', { fromPort: 9001 }],
];

for (const [what, protocol, address, options] of outbound) {
  test.serial(`${what} that the service begins from an ingress port is no answer, and is refused`, async (t) => {
    const { result } = await world().as('webapp').probe(protocol, address, 7777, options);
    t.is(result, protocol === 'tcp' ? 'refused' : 'eperm');
    t.is(await world().internet.arrived(protocol, address, 7777), 0);
  });
}

test.serial('being called is no permission to call back', async (t) => {
  const flow = await world().internet.client.open('tcp', link.host.v4, 8080, { from: customer[0] });
  t.is((await flow.exchange()).result, 'echoed');
  t.is((await world().as('webapp').tcp(customer[0], 8080)).result, 'refused');
  await flow.close();
});
