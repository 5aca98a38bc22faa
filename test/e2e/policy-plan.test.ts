/** netwallctl plan: what it says is what try then does. */
import test from 'ava';
import type { PlanChange, PlanReport } from '../../src/control/api.ts';
import { addressInNetwork, parseAddress, parseNetwork } from '../../src/net/address.ts';
import { quickDns } from './daemon.ts';
import { link, type Who } from './plan.ts';
import { passes, worldFor } from './sentences.ts';
import { type Protocol } from './sockets.ts';
import { until } from './until.ts';

const webapp = `service: webapp
match: { user: webapp }
dns: system
egress:
  allow:
    - to: 45.64.0.0/16
      ports: [443, 53/udp]
    - to: [api.partner.net, cdn.partner.net]
      ports: [443]
ingress:
  allow:
    - from: [91.200.0.0/16, 45.65.0.0/16]
      ports: [8080]
`;
/** The same, written otherwise. */
const rewritten = webapp.replace('to: 45.64.0.0/16', 'to: [45.64.128.0/17, 45.64.0.0/17]').replace('[443, 53/udp]', '[53/udp, 443] # split');
const changed = `service: webapp
match: { user: webapp }
dns: system
egress:
  allow:
    - to: [45.64.0.0/16, 45.65.0.0/24]
      ports: [443, 8443]
    - to: [cdn.partner.net]
      ports: [443, 8443]
  deny:
    - to: 45.64.9.0/24
      ports: [443]
ingress:
  allow:
    - from: [45.65.0.0/16]
      ports: [8080, 8081]
`;
const ci = (port: number) => `service: ci\nmatch: { group: ci }\ndns: none\negress:\n  allow:\n    - { to: 45.64.0.0/16, ports: [${port}] }\n`;
const worker = 'service: worker\nmatch: { user: worker }\ndns: none\negress: { allow: [{ to: 91.200.7.9, ports: [443] }] }\n';

const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'api.partner.net': { addresses: ['91.200.7.1'], ttl: 60 }, 'cdn.partner.net': { addresses: ['91.200.7.2'], ttl: 60 } });
  await made.policy('webapp.yaml', webapp);
  await made.policy('ci.yaml', ci(443));
  await made.host.write('/run/same/webapp.yaml', rewritten);
  await made.host.write('/run/new/webapp.yaml', changed);
  await made.host.write('/run/new/ci.yaml', ci(80));
  await made.host.write('/run/new/worker.yaml', worker);
  await made.host.write('/run/bad/webapp.yaml', 'service: webapp\nmatch: { usr: webapp }\n');
  await made.host.write('/run/twice/other.yaml', 'service: other\nmatch: { user: 20001 }\n');
  await made.host.write('/run/gone/webapp.yaml', '');
});

const planOf = async (args: readonly string[], who: Who = 'root') => {
  const { json, exitCode, stdout, stderr } = await world().ctl(['plan', ...args, '--json'], { who });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its shape is what is tested
  return { exitCode, report: json as PlanReport, output: `${stdout}${stderr}` };
};

test.serial('3: without a daemon the policies are compared, and the rest is said to be missing; no privilege is needed', async (t) => {
  for (const who of ['root', 'stranger'] as const) {
    const { exitCode, stdout, stderr } = await world().ctl(['plan', '/run/new/webapp.yaml'], { who });
    t.is(exitCode, 3, stderr);
    for (const line of ['- egress api.partner.net tcp 443', '+ egress cdn.partner.net tcp 8443', '+ egress 45.65.0.0/24 tcp 443,8443', '- egress 45.64.9.0/24 tcp 443 (denied)', '+ ingress from 45.65.0.0/16 tcp 8081']) t.true(stdout.includes(line), `${line} in ${stdout}`);
    t.regex(stdout, /- egress api\.partner\.net tcp 443 +\/etc\/netwall\.d\/webapp\.yaml:8$/m);
    t.regex(stdout, /- egress 45\.64\.9\.0\/24 tcp 443 \(denied\) +\/run\/new\/webapp\.yaml:11$/m);
    t.regex(stderr, /note: netwalld does not answer here: .*live flows could not be judged by name/);
  }
});

test.serial('0: the same written otherwise, and what is installed itself', async (t) => {
  await world().daemon.start({ config: { dns: quickDns } });
  await until('the names are resolved', async () => (await world().service('webapp')).names.every(({ state }) => state === 'resolved'));
  for (const path of ['/run/same', '/etc/netwall.d']) {
    const { exitCode, stdout, stderr } = await world().ctl(['plan', path]);
    t.is(exitCode, 0, stdout);
    t.is(stdout.trim(), 'no differences');
    t.is(stderr, '');
  }
});

test.serial('4: what is invalid is not compared, 2: nothing given, 1: not there', async (t) => {
  const { exitCode, stderr } = await world().ctl(['plan', '/run/bad/webapp.yaml']);
  t.is(exitCode, 4);
  t.regex(stderr, /\/run\/bad\/webapp\.yaml:2:10: error: /);
  const conflict = await world().ctl(['plan', '/run/twice/other.yaml']);
  t.is(conflict.exitCode, 4, 'the number of a user whom another policy names');
  t.regex(conflict.stderr, /already governed by service "webapp"/);
  t.is((await world().ctl(['plan'])).exitCode, 2);
  t.is((await world().ctl(['plan', '/run/nowhere.yaml'])).exitCode, 1);
});

test.serial('a service that would go, and one that would come', async (t) => {
  const gone = await planOf(['/run/gone/webapp.yaml']);
  t.is(gone.exitCode, 3);
  t.like(gone.report.services[0], { service: 'webapp', change: 'removed', refuses: [], ends: [] });
  t.deepEqual(gone.report.services[0]?.allows.map(({ kind, principals }) => [kind, ...principals]), [['anything', 'user webapp'], ['anything', 'user webapp']]);
  const flow = await world().as('worker').open('tcp', '91.200.7.8', 443);
  const kept = await world().as('worker').open('tcp', '91.200.7.9', 443);
  const come = await planOf(['/run/new/worker.yaml']);
  t.like(come.report.services[0], { service: 'worker', change: 'added', mode: { before: null, after: 'enforce' } });
  t.deepEqual(come.report.services[0]?.ends.map(({ remote }) => remote), [{ address: '91.200.7.8', port: 443 }]);
  await flow.close();
  await kept.close();
});

const inNetwork = (text: string, address: string): boolean => {
  const [network, remote] = [parseNetwork(text), parseAddress(address)];
  return network.ok && remote.ok && addressInNetwork(remote.value, network.value);
};
const ADDRESSES: Readonly<Record<string, string>> = { 'api.partner.net': '91.200.7.1', 'cdn.partner.net': '91.200.7.2' };

/** Whether a line is about a probe. */
const isAbout = ({ direction, to, ports }: PlanChange, [of, protocol, address, port]: Probe): boolean =>
  direction === of && (ADDRESSES[to] === address || inNetwork(to, address)) && ports.some((span) => (span.protocol === 'any' || span.protocol === protocol) && span.first <= port && port <= span.last);

type Probe = readonly ['egress' | 'ingress', Protocol, string, number];
const PROBES: readonly Probe[] = [
  ...['45.64.1.1', '45.64.9.9', '45.65.0.1', '45.65.1.1', '91.200.7.1', '91.200.7.2', '91.200.7.3'].flatMap((address): Probe[] => [['egress', 'tcp', address, 443], ['egress', 'tcp', address, 8443]]),
  ['egress', 'udp', '45.64.1.1', 53],
  ['egress', 'udp', '45.64.9.9', 53],
  ...['91.200.3.3', '45.65.3.3', '45.64.3.3'].flatMap((address): Probe[] => [['ingress', 'tcp', address, 8080], ['ingress', 'tcp', address, 8081]]),
];

test.serial('what it says is what try does: new passes, refused is refused, the rest stays; live flows end as said', async (t) => {
  const app = world().as('webapp');
  const listeners = await Promise.all([8080, 8081].map((port) => app.listen({ protocol: 'tcp', address: '0.0.0.0', port })));
  const outcome = async ([direction, protocol, address, port]: Probe) =>
    direction === 'egress' ? passes(world(), ['webapp', protocol, address, port]) : (await world().internet.client.tcp(link.host.v4, port, { from: address, timeout: 400 })).result === 'connected';
  const all = async () => {
    const passed: boolean[] = [];
    for (const probe of PROBES) passed.push(await outcome(probe));
    return passed;
  };
  const flows = {
    'tcp 45.64.9.9:443': await app.open('tcp', '45.64.9.9', 443),
    'tcp 91.200.7.1:443': await app.open('tcp', '91.200.7.1', 443),
    'tcp 91.200.3.3:40001': await world().internet.client.open('tcp', link.host.v4, 8080, { from: '91.200.3.3', fromPort: 40_001 }),
    'tcp 45.64.2.2:443': await world().as('runner').open('tcp', '45.64.2.2', 443),
  };
  const staying = [await app.open('tcp', '45.64.1.1', 443), await app.open('tcp', '91.200.7.2', 443), await world().internet.client.open('tcp', link.host.v4, 8080, { from: '45.65.3.3' })];
  for (const flow of [...Object.values(flows), ...staying]) t.is((await flow.exchange()).result, 'echoed');
  const datagrams = world().spawn('/usr/bin/perl', ['-MIO::Socket::INET', '-e', '$| = 1; my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "45.64.1.1", PeerPort => 53) or die; print "open\\n"; <STDIN>'], 'webapp');
  await new Promise((resolve) => datagrams.stdout?.once('data', resolve));

  const before = await all();
  const { exitCode, report, output } = await planOf(['/run/new']);
  t.is(exitCode, 3, output);
  t.deepEqual(report.notes, []);
  const [plan, group] = ['webapp', 'ci'].map((name) => report.services.find(({ service }) => service === name));
  const ends = [...(plan?.ends ?? []), ...(group?.ends ?? [])];
  t.deepEqual(ends.map(({ protocol, remote }) => `${protocol} ${remote.address}:${remote.port}`).toSorted(), [...Object.keys(flows), 'udp 45.64.1.1:53'].toSorted());
  t.true(ends.every(({ process }) => process !== null && process.pid > 1));
  t.true(ends.some(({ protocol, process }) => protocol === 'udp' && process?.name === 'perl' && process.pid === datagrams.pid));
  t.regex((await world().ctl(['plan', '/run/new'])).stdout, /would end: udp 203\.0\.112\.2:\d+ → 45\.64\.1\.1:53 \(perl\[\d+\]\)/);

  const trial = world().spawn(`${world().repository}/dist/netwallctl`, ['try', '/run/new', '--timeout', '60s']);
  let told = '';
  trial.stderr?.on('data', (text: Buffer) => (told += text.toString()));
  await until('it is on trial', async () => told.includes('in force until'));
  const after = await all();
  const said = (changes: readonly PlanChange[] | undefined, probe: Probe) => changes?.some((change) => isAbout(change, probe)) === true;
  PROBES.forEach((probe, index) => {
    const expected = said(plan?.allows, probe) ? [false, true] : said(plan?.refuses, probe) ? [true, false] : [before[index], before[index]];
    t.deepEqual([before[index], after[index]], expected, probe.join(' '));
  });
  t.true(PROBES.some((probe) => said(plan?.allows, probe)) && PROBES.some((probe) => said(plan?.refuses, probe)));
  for (const [name, flow] of Object.entries(flows)) t.not((await flow.exchange()).result, 'echoed', name);
  for (const flow of staying) t.is((await flow.exchange()).result, 'echoed');

  t.is((await world().ctl(['try', '--cancel'])).exitCode, 0);
  trial.stdin?.end();
  datagrams.stdin?.end();
  for (const listener of listeners) await listener.close();
});

test.serial('what a bad file has in force is its last good version; what breaks elsewhere is said', async (t) => {
  await world().policy('webapp.yaml', 'service: webapp\nmatch: { usr: webapp }\n');
  await world().ctl(['reload']);
  const { report } = await planOf(['/run/same/webapp.yaml']);
  t.deepEqual(report.services, []);
  t.regex(report.notes.join(), /^\/etc\/netwall\.d\/webapp\.yaml is not valid: what is compared is its last good version/);
  await world().policy('webapp.yaml', webapp.replace('45.64.0.0/16', '"@lan"'));
  await world().policy('groups.yaml', 'groups: { lan: [45.64.0.0/16] }\n');
  await world().ctl(['reload']);
  await world().host.write('/run/group/groups.yaml', 'groups: { lan: [45.64.0.0/16, 45.65.0.0/16] }\n');
  t.deepEqual((await planOf(['/run/group/groups.yaml'])).report.services.map(({ service, allows }) => [service, ...allows.map(({ to }) => to)]), [['webapp', '45.65.0.0/16']]);
  await world().host.write('/run/group/groups.yaml', 'groups: { wan: [45.64.0.0/16] }\n');
  const broken = await planOf(['/run/group/groups.yaml']);
  t.deepEqual(broken.report.services, []);
  t.regex(broken.report.notes.join(), /webapp\.yaml:6:\d+ would no longer be valid \(its last good version stays in force\): group "@lan" is not defined/);
});
