/** A host in full use gets its first policies: what they allow must not notice. */
import test from 'ava';
import { link } from './plan.ts';
import { worldFor } from './sentences.ts';
import type { Flow, Listener } from './sockets.ts';

const policies = `
service: webapp
match:
  user: webapp
dns: none
egress:
  allow:
    - to: [45.64.0.10, "2a0f:9400::10"]
      ports: [443, 443/udp, 4443/udp]
ingress:
  allow:
    - from: [45.64.0.0/16, "2a0f:9400::/32"]
      ports: [8080]
`;

const families = [
  { name: 'IPv4', any: '0.0.0.0', host: link.host.v4, client: '45.64.0.99', api: '45.64.0.10', other: '45.64.0.11' },
  { name: 'IPv6', any: '::', host: link.host.v6, client: '2a0f:9400::99', api: '2a0f:9400::10', other: '2a0f:9400::11' },
] as const;

type Before = {
  readonly allowed: Listener;
  readonly forbidden: Listener;
  /** Clients' connections to the allowed port: one where the server will speak first, one where the client does. */
  readonly called: readonly [Flow, Flow];
  readonly calledElsewhere: Flow;
  readonly calling: Flow;
  readonly exchanging: Flow;
  readonly callingElsewhere: Flow;
  /** A UDP exchange in which the peer is the one who keeps sending: conntrack meets its datagrams first. */
  readonly hearing: Flow;
  readonly speaking: Flow;
};

const before = new Map<string, Before>();

const world = worldFor(test, async (world) => {
  const { client } = world.internet;
  const webapp = world.as('webapp');
  for (const { name, any, host, client: from, api, other } of families) {
    before.set(name, {
      allowed: await webapp.listen({ protocol: 'tcp', address: any, port: 8080 }),
      forbidden: await webapp.listen({ protocol: 'tcp', address: any, port: 8081 }),
      called: [await client.open('tcp', host, 8080, { from }), await client.open('tcp', host, 8080, { from })],
      calledElsewhere: await client.open('tcp', host, 8081, { from }),
      calling: await webapp.open('tcp', api, 443),
      exchanging: await webapp.open('udp', api, 443),
      callingElsewhere: await webapp.open('tcp', other, 443),
      hearing: await webapp.open('udp', api, 4443, { from: host, fromPort: 45_000 }),
      speaking: await client.open('udp', host, 45_000, { from: api, fromPort: 4443 }),
    });
  }
  const tracked = await world.exec('/usr/sbin/sysctl', ['-n', 'net.netfilter.nf_conntrack_count']);
  if (tracked.stdout !== '0') throw new Error('conntrack runs already; the flows would not be new to it');
  await world.policy('webapp.yaml', policies);
  const begun = new AbortController();
  const speaking = [...before.values()].map((flows) => speak(flows.speaking, begun.signal));
  await world.daemon.start();
  begun.abort();
  await Promise.all(speaking);
});

/** Sends and sends; whether anything answers does not matter. */
async function speak(flow: Flow, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await flow.exchange(2);
}

const flowsOf = (family: string): Before => {
  const flows = before.get(family);
  if (flows === undefined) throw new Error(`No flows of ${family}`);
  return flows;
};

for (const { name } of families) {
  test.serial(`${name}: a server that conntrack never saw may speak first on an established inbound connection`, async (t) => {
    const { allowed, called } = flowsOf(name);
    t.is(await allowed.push('news\n'), 2);
    t.true(await called[0].receives('news'));
    t.is((await called[0].exchange()).result, 'echoed');
  });

  test.serial(`${name}: so may the client`, async (t) => {
    t.is((await flowsOf(name).called[1].exchange()).result, 'echoed');
  });

  test.serial(`${name}: an allowed outbound connection goes on`, async (t) => {
    t.is((await flowsOf(name).calling.exchange()).result, 'echoed');
  });

  test.serial(`${name}: an allowed UDP exchange goes on`, async (t) => {
    t.is((await flowsOf(name).exchanging.exchange()).result, 'echoed');
  });

  test.serial(`${name}: so does one in which the peer speaks first`, async (t) => {
    const { hearing, speaking } = flowsOf(name);
    t.is((await hearing.exchange(200)).result, 'timeout', 'sent, and nobody echoes it');
    t.true(await speaking.receives('\n'));
  });

  test.serial(`${name}: an outbound connection that is not allowed stops at the next packet`, async (t) => {
    t.is((await flowsOf(name).callingElsewhere.exchange()).result, 'ECONNRESET');
  });

  test.serial(`${name}: an inbound connection to a port that is not allowed stops`, async (t) => {
    const { forbidden, calledElsewhere } = flowsOf(name);
    await forbidden.push('secret\n');
    t.false(await calledElsewhere.receives('secret', 500));
    t.not((await calledElsewhere.exchange(500)).result, 'echoed');
  });

  test.serial(`${name}: everything goes on when the daemon is replaced`, async (t) => {
    if (world().daemon.running()) await world().daemon.stop();
    t.is((await flowsOf(name).called[0].exchange()).result, 'echoed');
    await world().daemon.start();
    t.is((await flowsOf(name).called[0].exchange()).result, 'echoed');
    t.is((await flowsOf(name).calling.exchange()).result, 'echoed');
  });
}
