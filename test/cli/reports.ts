/** Answers of the daemon to show. */
import type { DestinationReport, NameReport, ServiceReport, StatusReport } from '../../src/control/api.ts';
import type { Drift } from '../../src/daemon/drift.ts';
import { painter, type Look } from '../../src/cli/output.ts';
import { clockOf } from '../../src/cli/time.ts';

export const clock = clockOf('relative', () => Date.parse('2026-11-21T08:00:00.000Z'));
export const look = (changes: Partial<Look> = {}): Look => ({ paint: painter(false, {}), columns: null, unicode: true, wide: false, ...changes });
export const onTerminal = painter(true, {});

export const name = (changes: Partial<NameReport> = {}): NameReport => ({
  name: 'api.partner.net',
  state: 'resolved',
  addresses: ['91.200.7.1', '91.200.7.2'],
  guarded: [],
  expiresInSeconds: 42,
  lastSeenSecondsAgo: 18,
  nextLookUpInSeconds: 42,
  error: null,
  ...changes,
});

export const destination = (changes: Partial<DestinationReport> = {}): DestinationReport => ({ direction: 'out', to: 'api.partner.net', protocol: 'tcp', port: '443', elements: 2, packets: 120, bytes: 90_211, ...changes });

export const service = (changes: Partial<ServiceReport> = {}): ServiceReport => ({
  service: 'webapp',
  mode: 'enforce',
  match: { kind: 'user', names: ['webapp'] },
  state: 'active',
  source: { file: '/etc/netwall.d/webapp.yaml', line: 1 },
  message: null,
  uids: [1001],
  gids: [],
  names: [name()],
  dns: { mode: 'system', port: null },
  counters: { packets: 1204, bytes: 90_211, deniedPackets: 3 },
  ...changes,
});

export const drift = (changes: Partial<Drift> = {}): Drift => ({
  id: '1',
  kind: 'kernel',
  service: null,
  detail: 'the table is gone',
  process: { pid: 4711, name: 'nft' },
  firstSeen: '2026-11-21T07:59:57.000Z',
  lastSeen: '2026-11-21T07:59:57.000Z',
  count: 1,
  repaired: true,
  openMilliseconds: 9.14,
  ...changes,
});

export const status = (changes: Partial<StatusReport> = {}): StatusReport => ({
  apiVersion: 'netwall/v1',
  version: '0.1.0',
  state: 'enforcing',
  message: null,
  generation: 41,
  trial: null,
  policyDirs: ['/etc/netwall.d'],
  grants: [],
  learning: [],
  guard: { state: 'held', message: null },
  services: [service()],
  serviceCount: 1,
  drift: { open: [], repaired: 2, last: null },
  ...changes,
});
