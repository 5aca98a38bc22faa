/** Every kind of drift, caused for real: seen, told, and closed again. The kernel's are in kernel-drift.test.ts. */
import { createInterface } from 'node:readline';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { link } from './plan.ts';
import { worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = (ingress = '[8080, 5000/udp]') => `service: webapp
match: { user: webapp }
dns: none
ingress:
  allow:
    - ports: ${ingress}
`;
const config = { dns: quickDns };
/** Says what the file /run/units says. */
const systemctl = `#!/bin/sh
shift 3
for unit in "$@"; do
  user=$(sed -n "s/^$unit //p" /run/units)
  if [ -n "$user" ]; then state=loaded; else state=not-found; fi
  printf 'User=%s\\nDynamicUser=no\\nId=%s\\nLoadState=%s\\n\\n' "\${user#-}" "$unit" $state
done
`;

const world = worldFor(test, async (made) => {
  // what a host with systemd has, in a world without
  await made.host.write('/run/systemd/system/.keep', '');
  await made.host.write('/run/systemctl', systemctl, { mode: 0o755 });
  await made.host.write('/run/units', 'webapp.service webapp\n');
  await made.exec('/bin/mount', ['--bind', '/run/systemctl', '/usr/bin/systemctl']);
  await made.policy('webapp.yaml', policy());
  await made.policy('billing.yaml', 'service: billing\nmatch: { user: billing }\ndns: none\n');
  await made.daemon.start({ config });
});

type Report = { readonly id: string; readonly kind: string; readonly service: string | null; readonly detail: string; readonly repaired: boolean; readonly openMilliseconds: number | null };
const report = async (): Promise<{ open: Report[]; history: Report[] }> => JSON.parse((await world().ctl(['drift', '--json'])).stdout);
const opened = (kind: string, detail: RegExp) => until(`${kind} ${detail} is open`, async () => (await report()).open.find((drift) => drift.kind === kind && detail.test(drift.detail)), 40_000);
const closed = (id: string) => until(`${id} is closed`, async () => (await report()).history.find((drift) => drift.id === id && drift.repaired), 40_000);

test.serial('nothing is wrong to begin with', async (t) => {
  t.is((await world().ctl(['drift'])).exitCode, 0);
  t.regex((await world().ctl(['drift'])).stdout, /^no drift$/m);
  t.deepEqual((await world().ctl(['drift', '--json'])).json, { open: [], history: [] });
});

test.serial('listener: a port that ingress does not allow', async (t) => {
  const server = await world().as('webapp').listen({ protocol: 'tcp', address: '0.0.0.0', port: 9090 });
  const drift = await opened('listener', /uid 20001 listens on tcp port 9090 of every address/);
  t.is(drift.service, 'webapp');
  t.is((await world().ctl(['drift'])).exitCode, 3);
  t.is((await world().ctl(['status'])).exitCode, 3);
  await server.close();
  t.true(((await closed(drift.id)).openMilliseconds ?? 0) > 0);
  t.is((await world().ctl(['drift'])).exitCode, 0);
});

test.serial('listener: bound to one address, IPv6, UDP', async (t) => {
  const servers = [
    await world().as('webapp').listen({ protocol: 'tcp', address: '127.0.0.1', port: 9091 }),
    await world().as('webapp').listen({ protocol: 'tcp', address: '::1', port: 9092 }),
    await world().as('webapp').listen({ protocol: 'udp', address: '0.0.0.0', port: 9093 }),
  ];
  await opened('listener', /tcp 127\.0\.0\.1:9091/);
  await opened('listener', /tcp \[::1\]:9092/);
  const last = await opened('listener', /udp port 9093 of every address/);
  for (const server of servers) await server.close();
  await closed(last.id);
  t.pass();
});

test.serial('listener: allowed ones, and those of users without a policy, are none', async (t) => {
  const servers = [
    await world().as('webapp').listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080 }),
    await world().as('stranger').listen({ protocol: 'tcp', address: '0.0.0.0', port: 9094 }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  t.deepEqual((await report()).open, []);
  for (const server of servers) await server.close();
});

test.serial('a datagram to a UDP port that ingress does not allow does not reach the service', async (t) => {
  const call = (port: number) => world().internet.client.udp(link.host.v4, port, { timeout: 400 });
  const allowed = await world().as('webapp').listen({ protocol: 'udp', address: '0.0.0.0', port: 5000 });
  const closedPort = await world().as('webapp').listen({ protocol: 'udp', address: link.host.v4, port: 5001 });
  const free = await world().as('stranger').listen({ protocol: 'udp', address: '0.0.0.0', port: 5002 });
  await opened('listener', /udp 203\.0\.112\.2:5001/);
  await until('it is dropped', async () => {
    await call(5001);
    return /203\.0\.112\.2 \. 5001/.test(await guardListing()) && /@sockets4 counter packets [1-9]/.test(await guardListing());
  });
  t.is((await call(5000)).result, 'echoed');
  t.is((await call(5002)).result, 'echoed');
  // and what ingress then allows from some comes from those alone
  await world().policy('webapp.yaml', policy('[8080, 5000-5001/udp]'));
  await until('it is let in', async () => (await call(5001)).result === 'echoed', 8000);
  await world().policy('webapp.yaml', policy().replace('- ports: [8080, 5000/udp]', '- { from: [198.51.100.0/24], ports: [5000/udp] }'));
  await until('it is shut out', async () => (await call(5000)).result !== 'echoed', 8000);
  await until('before it arrives', async () => /5000 \. 198\.51\.100\.0\/24/.test(await guardListing()));
  await world().policy('webapp.yaml', policy());
  for (const server of [allowed, closedPort, free]) await server.close();
});
const guardListing = async () => (await world().exec('/usr/sbin/nft', ['list', 'table', 'inet', 'netwall_guard'])).stdout;

test.serial('shadow: another table that drops what a policy allows', async (t) => {
  await world().nft('table inet other {\nchain out {\ntype filter hook output priority 100; policy drop;\naccept\n}\n}');
  const drift = await opened('shadow', /table inet other, chain out \(hook output\) drops by default/);
  t.is(drift.service, null);
  await world().nft('delete table inet other');
  await closed(drift.id);
  await world().nft('table ip old {\nchain sub {\nmeta skuid 20001 tcp dport 443 drop\n}\nchain OUTPUT {\ntype filter hook output priority 0; policy accept;\njump sub\n}\nchain raw {\ntype filter hook output priority raw; policy accept;\nudp dport 9999 notrack\n}\nchain nat {\ntype nat hook output priority -150; policy accept;\nudp dport 53 redirect to :5353\n}\n}');
  const all = [await opened('shadow', /table ip old, chain OUTPUT .* drop or reject/), await opened('shadow', /chain raw .* tracking off/), await opened('shadow', /chain nat .* DNS/)];
  await world().nft('delete table ip old');
  for (const { id } of all) await closed(id);
});

test.serial('file: one that is masked is noted, and is no fault', async (t) => {
  await world().policy('/run/netwall.d/webapp.yaml', policy());
  await until('noted', async () => (await report()).history.find(({ kind, detail }) => kind === 'file' && detail.startsWith('/run/netwall.d/webapp.yaml is masked')));
  await until('nothing is open', async () => (await world().ctl(['status'])).exitCode === 0);
  t.pass();
  await world().policy('/run/netwall.d/webapp.yaml', null);
});

test.serial('file: one that is not understood', async (t) => {
  await world().policy('billing.yaml', 'service: billing\nmatch: { usr: billing }\n');
  const drift = await opened('file', /billing\.yaml:2:10: /);
  await world().policy('billing.yaml', 'service: billing\nmatch: { user: billing }\ndns: none\n');
  await closed(drift.id);
  t.pass();
});

test.serial('events are told as they come', async (t) => {
  const told: string[] = [];
  const following = world().spawn(`${world().repository}/dist/netwallctl`, ['--json', 'events', '-f']);
  createInterface({ input: following.stdout ?? process.stdin }).on('line', (line) => told.push(line));
  await world().policy('billing.yaml', 'service: billing\nmatch: { user: billing }\ndns: none\negress: { allow: [{ to: 45.64.0.0/16, ports: [443] }] }\n');
  await world().nft('flush ruleset');
  const event = await until('a repair', async () => told.map((line) => JSON.parse(line)).find(({ type, drift }) => type === 'drift-repaired' && drift.detail === 'the table is gone'));
  t.is(event.drift.process.name, 'nft');
  t.true(told.some((line) => JSON.parse(line).type === 'enforced'));
  following.kill();
  const { stdout, exitCode } = await world().ctl(['events']);
  t.is(exitCode, 0);
  t.regex(stdout, /drift-repaired.*the table is gone by nft\[\d+\]/);
  t.regex((await world().ctl(['drift'])).stdout, /kernel +[\d.]+ ms.*the table is gone/);
});

test.serial('identity: the unit of a service runs as another user', async (t) => {
  await world().host.write('/run/units', 'webapp.service worker\nbilling.service -\n');
  const { length } = (await report()).history;
  await world().daemon.stop();
  await world().daemon.start({ config });
  const drift = await opened('identity', /^webapp\.service runs as worker, whom this policy does not govern \(it governs webapp\)$/);
  t.is(drift.service, 'webapp');
  t.false((await report()).open.some(({ service }) => service === 'billing'), 'a unit that names no user may hand the work to another');
  t.true((await report()).history.length >= length, 'history survives a restart');
});
