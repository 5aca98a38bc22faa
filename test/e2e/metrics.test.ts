/** Metrics: what the daemon says of itself is what is so, and a real Prometheus takes it. `scripts/setup --tests` brings Prometheus. */
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { stringify } from 'yaml';
import { z } from 'zod';
import { quickDns } from './daemon.ts';
import { repository } from './namespace.ts';
import { attempt } from './run.ts';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = `service: webapp
match: { user: webapp }
egress:
  allow:
    - to: [api.partner.net, "*.fresh.net"]
      ports: [443]
---
service: worker
match: { user: worker }
mode: audit
dns: none
---
service: builders
match: { group: ci }
dns: none
`;
const METRICS = 'http://127.0.0.1:9477/metrics';
const PROMETHEUS = 'http://127.0.0.1:9090';
const program = (name: string, root = repository) => `${root}/.cache/prometheus/${name}`;

const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'api.partner.net': { addresses: ['91.200.7.1'], ttl: 60 }, 'a.fresh.net': { addresses: ['91.200.7.2'], ttl: 60 } });
  await made.policy('webapp.yaml', policy);
  await made.daemon.start({ config: { dns: quickDns, metrics: { listen: '127.0.0.1:9477' } } });
});

/** On the confined host, as root. */
async function get(url: string, ...more: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await world().exec('/usr/bin/curl', ['-sS', '--max-time', '5', '--fail', ...more, url]);
  if (exitCode !== 0) throw new Error(`curl ${url}: ${exitCode} ${stderr}`);
  return stdout;
}
const bySocket = (...more: string[]) => get('http://netwall/metrics', '--unix-socket', '/run/netwall/control.sock', ...more);

/** A look that is not the one before. */
async function series(): Promise<ReadonlyMap<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const lines = (await get(METRICS)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}
const families = (text: string) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);

test.serial('the same on the control socket and on the port, in the format that Prometheus reads', async (t) => {
  const text = await until('the port is open', () => get(METRICS));
  t.regex(await bySocket('-o', '/dev/null', '-w', '%{content_type}'), /^text\/plain; version=0\.0\.4/);
  t.deepEqual(families(await bySocket()), families(text));
  const checked = await attempt([program('promtool'), 'check', 'metrics'], { input: `${text}\n` });
  t.is(checked.exitCode, 0, `${checked.stdout}${checked.stderr}`);
});

test.serial('only who may read the control socket reads there; on the port nothing else is answered', async (t) => {
  const { exitCode } = await world().exec('/usr/bin/curl', ['-sS', '--unix-socket', '/run/netwall/control.sock', 'http://netwall/metrics'], { who: 'stranger' });
  t.not(exitCode, 0);
  for (const [url, args] of [['http://127.0.0.1:9477/v1/status', []], [METRICS, ['-X', 'POST']], ['http://127.0.0.1:9477/v1/unload', ['-X', 'POST']]] as const) {
    t.regex((await world().exec('/usr/bin/curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', ...args, url])).stdout, /^40[45]$/, url);
  }
  t.is((await world().status()).state, 'enforcing');
});

test.serial('services: what is judged and denied is what status says', async (t) => {
  await check(t, world(), ['webapp', 'tcp', '91.200.9.9', 443], 'is refused');
  await check(t, world(), ['webapp', 'udp', '91.200.9.9', 443], 'is refused');
  await check(t, world(), ['worker', 'tcp', '91.200.9.9', 443], 'passes');
  await check(t, world(), ['runner', 'tcp', '91.200.9.9', 443], 'is refused');
  const now = await series();
  const { services, generation } = await world().status();
  for (const { service, counters } of services) {
    t.true(counters.deniedPackets > 0, service);
    t.is(now.get(`netwall_service_denied_packets_total{service="${service}"}`), counters.deniedPackets);
    t.is(now.get(`netwall_service_packets_total{service="${service}"}`), counters.packets);
    t.is(now.get(`netwall_service_bytes_total{service="${service}"}`), counters.bytes);
  }
  t.is(now.get('netwall_generation'), generation);
  t.is(now.get('netwall_services{state="active",mode="enforce"}'), 2);
  t.is(now.get('netwall_services{state="active",mode="audit"}'), 1);
  t.is(now.get('netwall_service_info{service="builders",kind="group",mode="enforce",state="active"}'), 1);
  t.is(now.get('netwall_state{state="enforcing"}'), 1);
  t.is(now.get('netwall_guard_state{state="held"}'), 1);
  t.is(now.get('netwall_principals{kind="user"}'), 2);
  t.is(now.get('netwall_kernel_counters_read'), 1);
  t.is(now.get('netwall_set_elements{set="user_mode"}'), 2);
});

test.serial('DNS: queries by outcome, and the times of answers and of questions', async (t) => {
  const before = await series();
  const resolve = (name: string) => world().as('webapp').resolve(name, { timeout: 2000 });
  t.deepEqual(await resolve('a.fresh.net'), ['91.200.7.2']);
  t.deepEqual(await resolve('a.fresh.net'), ['91.200.7.2']);
  t.is(await resolve('unlisted.net'), 'EREFUSED');
  const after = await series();
  const more = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
  const queries = (outcome: string) => more(`netwall_dns_queries_total{service="webapp",outcome="${outcome}"}`);
  t.is(queries('answered'), 1);
  t.is(queries('cached'), 1);
  t.true(queries('refused') >= 1); // resolvers ask again
  t.is(queries('failed') + queries('limited'), 0);
  t.is(more('netwall_dns_answer_duration_seconds_count{path="waited"}'), 1);
  t.is(more('netwall_dns_answer_duration_seconds_count{path="at_once"}'), 1 + queries('refused'));
  t.true(more('netwall_dns_upstream_duration_seconds_count') >= 1);
  t.true(more('netwall_dns_upstream_queries_total{outcome="answered"}') >= 1);
  t.is(after.get('netwall_names{state="resolved"}'), 1);
  t.is(after.get('netwall_addresses'), 1);
  t.is(after.get('netwall_wildcard_names'), 1);
});

test.serial('drift: repaired, opened and gone; status counts the same', async (t) => {
  await world().nft('add element inet netwall user_egress4 { 20001 . 91.200.66.6 . tcp . 443 }');
  await until('it is repaired', async () => (await world().status()).drift.repaired > 0);
  await world().policy('bad.yaml', 'service: bad\nmatch: { usr: loner }\n');
  await until('it is open', async () => (await world().status()).drift.open.length > 0);
  const open = await series();
  t.is(open.get('netwall_drift_open{kind="file"}'), 1);
  const repaired = open.get('netwall_drift_repaired_total{kind="kernel"}') ?? 0;
  t.true(repaired > 0);
  t.is(open.get('netwall_drift_opened_total{kind="kernel"}'), repaired);
  t.is(open.get('netwall_drift_repair_duration_seconds_count'), repaired);
  await world().policy('bad.yaml', null);
  await until('nothing is open', async () => (await world().status()).drift.open.length === 0);
  const closed = await series();
  t.is(closed.get('netwall_drift_open{kind="file"}'), 0);
  t.is(closed.get('netwall_drift_repaired_total{kind="file"}'), 1);
  const sum = [...closed].filter(([name]) => name.startsWith('netwall_drift_repaired_total')).reduce((total, [, value]) => total + value, 0);
  t.is(sum, (await world().status()).drift.repaired);
});

test.serial('a blocked service shows', async (t) => {
  t.is((await world().ctl(['block', 'worker'])).exitCode, 0);
  const now = await series();
  t.is(now.get('netwall_service_blocked{service="worker"}'), 1);
  t.is(now.get('netwall_service_blocked{service="webapp"}'), 0);
  t.is(now.get('netwall_services{state="active",mode="block"}'), 1);
  t.is((await world().ctl(['unblock', 'worker'])).exitCode, 0);
});

const value = z.tuple([z.number(), z.string()]);
const answerShape = z.object({ status: z.literal('success'), data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()), value })) }) });
const rulesShape = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(z.object({ name: z.string(), health: z.string() })) })) }) });
const ask = async (query: string) => answerShape.parse(JSON.parse(await get(`${PROMETHEUS}/api/v1/query`, '-G', '--data-urlencode', `query=${query}`))).data.result;

test.serial('a real Prometheus scrapes it, and takes the alerts and the queries of the dashboard', async (t) => {
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [`${world().repository}/docs/alerts.yaml`],
    scrape_configs: [{ job_name: 'netwalld', static_configs: [{ targets: ['127.0.0.1:9477'] }] }],
  };
  await world().host.write('/run/prometheus/prometheus.yml', stringify(config));
  const server = world().spawn(program('prometheus', world().repository), ['--config.file=/run/prometheus/prometheus.yml', '--storage.tsdb.path=/run/prometheus/data', '--web.listen-address=127.0.0.1:9090']);
  const said: string[] = [];
  for (const stream of [server.stdout, server.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  try {
    await until('netwalld is up', async () => (await ask('up{job="netwalld"} == 1'))[0], 15_000);
    const { deniedPackets } = (await world().service('webapp')).counters;
    t.true(deniedPackets > 0);
    const scraped = await until('the series is there', async () => (await ask(`netwall_service_denied_packets_total{service="webapp"} == ${deniedPackets}`))[0]);
    t.like(scraped.metric, { job: 'netwalld', instance: '127.0.0.1:9477', service: 'webapp' });
    t.is(Number(scraped.value[1]), (await world().service('webapp')).counters.deniedPackets);
    await until('the alerts are looked at', async () => {
      const { data } = rulesShape.parse(JSON.parse(await get(`${PROMETHEUS}/api/v1/rules`)));
      const health = data.groups.flatMap(({ rules }) => rules.map((rule) => rule.health));
      return health.length > 0 && health.every((one) => one === 'ok');
    });
    t.deepEqual(await ask('ALERTS{alertstate="firing"}'), []);
    const queries = await dashboardQueries();
    for (const query of queries) await t.notThrowsAsync(ask(query), query);
    t.true(queries.length > 30);
  } catch (error) {
    t.log(said.join('').slice(-2000));
    throw error;
  } finally {
    server.kill();
  }
});

const panelsShape = z.object({ templating: z.object({ list: z.array(z.object({ name: z.string(), query: z.unknown() })) }), panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })) });
const dashboard = async () => panelsShape.parse(JSON.parse(await readFile(`${repository}/docs/grafana-dashboard.json`, 'utf8')));
/** As Grafana sends them, with everything chosen. */
async function dashboardQueries(): Promise<readonly string[]> {
  const { panels } = await dashboard();
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '5m').replaceAll(/\$(?:instance|service)/g, '.*')));
}

test.serial('what the dashboard and the alerts name exists, and the documentation names what exists', async (t) => {
  const text = await get(METRICS);
  const known = new Set(families(text));
  const labels = new Map([...known].map((name) => [name, new Set([...text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{([^}]*)\\}`, 'gm'))].flatMap(([, pairs = '']) => [...pairs.matchAll(/(\w+)="/g)].map(([, label = '']) => label)))]));
  const { templating } = await dashboard();
  const alerts = await readFile(`${repository}/docs/alerts.yaml`, 'utf8');
  const named = (of: string) => [...of.matchAll(/\b((?:netwall|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(([, name = '', selector = '']) => ({ name: name.replace(/_(?:bucket|sum|count)$/, ''), selector }));
  const uses = [...(await dashboardQueries()), ...templating.list.map(({ query }) => JSON.stringify(query)), ...alerts.split('\n').filter((line) => !line.includes('job_name'))].flatMap(named);
  t.true(uses.length > 50);
  for (const { name, selector } of uses) {
    t.true(known.has(name), `${name} does not exist`);
    // and what it is selected by, but for what Prometheus adds
    for (const [, label = ''] of selector.matchAll(/(\w+)(?:=|!=)/g)) t.true(['job', 'instance'].includes(label) || labels.get(name)?.has(label) === true, `${name} has no label ${label}`);
  }
  const documented = [...(await readFile(`${repository}/docs/metrics.md`, 'utf8')).matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
  t.deepEqual(documented.toSorted(), [...text.matchAll(/^# TYPE (.*)$/gm)].map(([, line = '']) => line).toSorted());
});

test.serial('a port that is taken does not stop the wall', async (t) => {
  await world().daemon.stop();
  const other = await world().as('stranger').listen({ protocol: 'tcp', address: '127.0.0.1', port: 9477 });
  await world().daemon.start({ config: { dns: quickDns, metrics: { listen: '127.0.0.1:9477' } } });
  await check(t, world(), ['webapp', 'tcp', '91.200.9.9', 443], 'is refused');
  await until('it is told', async () => world().daemon.log().some(({ level, msg }) => level === 'error' && typeof msg === 'string' && msg.startsWith('no metrics at 127.0.0.1:9477')));
  t.regex(await bySocket(), /^netwall_state\{state="enforcing"\} 1$/m);
  await other.close();
});

test('promtool: the alerts are rules, and each fires when it should', async (t) => {
  for (const args of [['check', 'rules', 'docs/alerts.yaml'], ['test', 'rules', 'test/prometheus/alerts.test.yaml']]) {
    const { exitCode, stdout, stderr } = await attempt([program('promtool'), ...args.slice(0, 2), `${repository}/${args[2]}`]);
    t.is(exitCode, 0, `${stdout}${stderr}`);
  }
});

test('every alert is tried in the tests of the rules', async (t) => {
  const alerts = [...(await readFile(`${repository}/docs/alerts.yaml`, 'utf8')).matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
  const tests = await readFile(`${repository}/test/prometheus/alerts.test.yaml`, 'utf8');
  for (const name of alerts) t.regex(tests, new RegExp(`alertname[=:] ?"?${name}\\b`), name);
  t.true(alerts.length > 10);
});
