import test from 'ava';
import type { Drift } from '../../src/daemon/drift.ts';
import type { Snapshot } from '../../src/daemon/metric-families.ts';
import { Metrics } from '../../src/daemon/metrics.ts';
import { patiently } from '../../src/daemon/snapshot.ts';
import { HostError } from '../../src/host/host-error.ts';
import type { Counter } from '../../src/ruleset/element.ts';

const empty: Snapshot = {
  version: '1',
  node: 'v1',
  state: 'enforcing',
  generation: 1,
  guard: 'held',
  trial: false,
  countersRead: true,
  services: [],
  names: [],
  seenNames: 0,
  elements: new Map(),
  driftOpen: [],
  process: { started: 1, cpu: 1, resident: 1, heap: 1 },
};
const service = (name: string): Snapshot['services'][number] => ({ service: name, kind: 'user', state: 'active', mode: 'enforce', principals: 1, blocked: false, grants: 0, learning: false, counters: { packets: 1, bytes: 1, deniedPackets: 1 }, dns: null });
const drift: Drift = { id: '1', kind: 'kernel', service: null, detail: 'x', process: null, firstSeen: '', lastSeen: '', count: 1, repaired: false, openMilliseconds: 20 };

/** Lines of a family that are not 0. */
const lines = async (metrics: Metrics, name: string) => (await metrics.text()).split('\n').filter((line) => line.startsWith(name) && !line.endsWith(' 0'));

test('a series begins before its first event', async (t) => {
  const text = await new Metrics(async () => empty).text();
  for (const line of ['netwall_drift_opened_total{kind="kernel"} 0', 'netwall_dns_upstream_queries_total{outcome="none"} 0', 'netwall_transaction_duration_seconds_count{result="failed"} 0', 'netwall_dns_answer_duration_seconds_count{path="waited"} 0']) {
    t.true(text.includes(`${line}\n`), line);
  }
});

test('what was found less what was repaired is what is open', async (t) => {
  const metrics = new Metrics(async () => empty);
  metrics.drifted('opened', { ...drift, kind: 'name' });
  metrics.drifted('opened', { ...drift, kind: 'name' });
  metrics.drifted('closed', { ...drift, kind: 'name' });
  metrics.drifted('repaired', drift);
  t.deepEqual(await lines(metrics, 'netwall_drift_opened'), ['netwall_drift_opened_total{kind="kernel"} 1', 'netwall_drift_opened_total{kind="name"} 2']);
  t.deepEqual(await lines(metrics, 'netwall_drift_repaired'), ['netwall_drift_repaired_total{kind="kernel"} 1', 'netwall_drift_repaired_total{kind="name"} 1']);
  t.deepEqual(await lines(metrics, 'netwall_drift_repair_duration_seconds_sum'), ['netwall_drift_repair_duration_seconds_sum 0.02']);
});

test('a run counts for each of its causes, once for its time', async (t) => {
  const metrics = new Metrics(async () => empty);
  metrics.ran({ causes: new Set(['files', 'names']), milliseconds: 3, failed: false });
  metrics.ran({ causes: new Set(['retry']), milliseconds: 3, failed: true });
  t.deepEqual(await lines(metrics, 'netwall_reconciler_runs'), ['files', 'names', 'retry'].map((cause) => `netwall_reconciler_runs_total{cause="${cause}"} 1`));
  t.deepEqual(await lines(metrics, 'netwall_reconciler_run_duration_seconds_count'), ['netwall_reconciler_run_duration_seconds_count 2']);
  t.deepEqual(await lines(metrics, 'netwall_reconciler_failures'), ['netwall_reconciler_failures_total 1']);
});

test('answers pass through with their time, at once or later', async (t) => {
  const metrics = new Metrics(async () => empty);
  const reply = Buffer.from('x');
  t.is(metrics.answering(() => reply), reply);
  t.is(await metrics.answering(async () => reply), reply);
  t.is(metrics.answering(() => null), null);
  t.deepEqual(await lines(metrics, 'netwall_dns_answer_duration_seconds_count'), ['netwall_dns_answer_duration_seconds_count{path="at_once"} 2', 'netwall_dns_answer_duration_seconds_count{path="waited"} 1']);
});

test('questions to name servers pass through with what became of them', async (t) => {
  const metrics = new Metrics(async () => empty);
  const outcomes = [
    { kind: 'reply', bytes: Buffer.alloc(12) },
    { kind: 'failure', reason: 'SERVFAIL', bytes: Buffer.alloc(12) },
    { kind: 'failure', reason: 'no answer', bytes: null },
  ] as const;
  let closed = false;
  const left = [...outcomes];
  const forwarder = metrics.asking({ ask: async () => left.shift() ?? outcomes[2], close: () => (closed = true) });
  for (const outcome of outcomes) t.is(await forwarder.ask({ name: 'x', type: 1, dnssecOk: false }), outcome);
  forwarder.close();
  t.true(closed);
  t.deepEqual(await lines(metrics, 'netwall_dns_upstream_queries'), ['answered', 'error', 'none'].map((outcome) => `netwall_dns_upstream_queries_total{outcome="${outcome}"} 1`));
  t.deepEqual(await lines(metrics, 'netwall_dns_upstream_duration_seconds_count'), ['netwall_dns_upstream_duration_seconds_count 3']);
});

test('many who ask at a time, and soon after, cost one look', async (t) => {
  let looks = 0;
  const metrics = new Metrics(async () => {
    looks += 1;
    return empty;
  });
  const texts = await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
  t.is(await metrics.text(), texts[0]);
  t.is(looks, 1);
});

test('a look that failed is not kept', async (t) => {
  let fails = true;
  const metrics = new Metrics(async () => {
    if (fails) throw new HostError('nft list', 'hangs');
    return empty;
  });
  await t.throwsAsync(metrics.text(), { message: /hangs/ });
  fails = false;
  t.regex(await metrics.text(), /netwall_state\{state="enforcing"\} 1/);
});

test('a service that is gone leaves no series', async (t) => {
  let services = [service('webapp'), service('billing')];
  const metrics = new Metrics(async () => ({ ...empty, services }));
  t.is((await lines(metrics, 'netwall_service_packets_total')).length, 2);
  services = [service('billing')];
  await new Promise((resolve) => setTimeout(resolve, 1100));
  t.deepEqual(await lines(metrics, 'netwall_service_packets_total'), ['netwall_service_packets_total{service="billing"} 1']);
});

test('a kernel that does not answer is not waited for, nor asked again meanwhile', async (t) => {
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<ReadonlyMap<string, Counter>>();
  const read = patiently(() => {
    asked += 1;
    return promise;
  }, 10);
  t.is(await read(), null);
  t.is(await read(), null);
  t.is(asked, 1);
  resolve(new Map());
  t.is((await read())?.size, 0);
});

test('a kernel that says no leaves the rest to be said', async (t) => {
  t.is(await patiently(() => Promise.reject(new HostError('nft list', 'no')), 1000)(), null);
});
