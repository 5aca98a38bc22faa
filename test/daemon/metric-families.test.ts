import test from 'ava';
import { FAMILIES, type ServiceSnapshot, type Snapshot } from '../../src/daemon/metric-families.ts';

const webapp: ServiceSnapshot = {
  service: 'webapp',
  kind: 'user',
  state: 'active',
  mode: 'enforce',
  principals: 2,
  blocked: false,
  grants: 2,
  learning: false,
  counters: { packets: 10, bytes: 1000, deniedPackets: 3 },
  dns: { queries: 21, answered: 10, cached: 4, refused: 5, failed: 1, limited: 2 },
};
const builders: ServiceSnapshot = { service: 'builders', kind: 'group', state: 'stale', mode: 'block', principals: 1, blocked: true, grants: 0, learning: true, counters: { packets: 1, bytes: 60, deniedPackets: 1 }, dns: null };

const snapshot: Snapshot = {
  version: '1.2.3',
  node: 'v24.0.0',
  state: 'degraded',
  generation: 41,
  guard: 'failed',
  trial: true,
  countersRead: true,
  services: [webapp, builders],
  names: [
    { state: 'resolved', addresses: 3 },
    { state: 'resolved', addresses: 1 },
    { state: 'stale', addresses: 2 },
  ],
  seenNames: 7,
  elements: new Map([
    ['user_mode', 2],
    ['user_egress4', 900],
  ]),
  driftOpen: ['file', 'name', 'name'],
  process: { started: 1_700_000_000, cpu: 1.5, resident: 80_000_000, heap: 20_000_000 },
};

/** `state="degraded"` and its value, without what is 0. */
function show(name: string, of: Snapshot = snapshot): string {
  const family = FAMILIES.find((one) => one.name === name);
  if (family === undefined) throw new Error(`there is no ${name}`);
  return family
    .samples(of)
    .filter(([, value]) => value !== 0)
    .map(([labels, value]) => `${labels.join(' ')} ${value}`.trim())
    .join(', ');
}

const expected: readonly (readonly [name: string, samples: string])[] = [
  ['netwall_build_info', '1.2.3 v24.0.0 1'],
  ['netwall_state', 'degraded 1'],
  ['netwall_generation', '41'],
  ['netwall_guard_state', 'failed 1'],
  ['netwall_trial_running', '1'],
  ['netwall_services', 'active enforce 1, stale block 1'],
  ['netwall_principals', 'user 2, group 1'],
  ['netwall_names', 'resolved 2, stale 1'],
  ['netwall_wildcard_names', '7'],
  ['netwall_addresses', '6'],
  ['netwall_set_elements', 'user_mode 2, user_egress4 900'],
  ['netwall_drift_open', 'name 2, file 1'],
  ['netwall_kernel_counters_read', '1'],
  ['netwall_service_info', 'webapp user enforce active 1, builders group block stale 1'],
  ['netwall_service_blocked', 'builders 1'],
  ['netwall_service_grants', 'webapp 2'],
  ['netwall_service_learning', 'builders 1'],
  ['netwall_service_packets_total', 'webapp 10, builders 1'],
  ['netwall_service_bytes_total', 'webapp 1000, builders 60'],
  ['netwall_service_denied_packets_total', 'webapp 3, builders 1'],
  ['netwall_dns_queries_total', 'webapp answered 6, webapp cached 4, webapp refused 5, webapp failed 1, webapp limited 2'],
  ['process_start_time_seconds', '1700000000'],
  ['process_cpu_seconds_total', '1.5'],
  ['process_resident_memory_bytes', '80000000'],
  ['nodejs_heap_size_used_bytes', '20000000'],
];

for (const [name, samples] of expected) test(`${name}: ${samples}`, (t) => t.is(show(name), samples));

test('that is all of them', (t) => {
  t.deepEqual(FAMILIES.map(({ name }) => name), expected.map(([name]) => name));
});

test('each sample has a value for each label', (t) => {
  for (const { name, labels, samples } of FAMILIES) for (const [values] of samples(snapshot)) t.is(values.length, labels.length, name);
});

test('names follow the conventions: counters end in _total, gauges do not', (t) => {
  for (const { name, type } of FAMILIES) t.is(name.endsWith('_total'), type === 'counter', name);
});

test('closed lists are there with 0, so that a first event shows', (t) => {
  const count = (name: string) => FAMILIES.find((one) => one.name === name)?.samples({ ...snapshot, services: [], names: [], driftOpen: [] }).length;
  t.deepEqual(['netwall_state', 'netwall_guard_state', 'netwall_services', 'netwall_names', 'netwall_drift_open'].map(count), [3, 3, 12, 4, 6]);
});

test('what the kernel did not say is missing, not 0', (t) => {
  const unread = { ...snapshot, countersRead: false, services: [{ ...webapp, counters: null }] };
  for (const name of ['packets', 'bytes', 'denied_packets']) t.deepEqual(FAMILIES.find((one) => one.name === `netwall_service_${name}_total`)?.samples(unread), []);
  t.is(show('netwall_kernel_counters_read', unread), '');
});
