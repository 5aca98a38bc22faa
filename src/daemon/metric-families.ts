/** What the state of the daemon comes to in numbers, family by family. Labels are services and closed lists, never names or addresses. Pure. */
import type { ServiceReport, StatusReport } from '../control/api.ts';
import type { Mode } from '../policy/policy.ts';
import type { DnsCounts } from './dns-statistics.ts';
import { DRIFT_KINDS, type DriftKind } from './drift.ts';

export type ServiceSnapshot = {
  readonly service: string;
  readonly kind: 'user' | 'group';
  readonly state: ServiceReport['state'];
  readonly mode: Mode;
  readonly principals: number;
  /** By an operator. */
  readonly blocked: boolean;
  readonly grants: number;
  readonly learning: boolean;
  /** Null: the kernel was not asked, or did not say. */
  readonly counters: ServiceReport['counters'] | null;
  /** Null: its DNS is not filtered. */
  readonly dns: Readonly<DnsCounts> | null;
};

export type Snapshot = {
  readonly version: string;
  readonly node: string;
  readonly state: StatusReport['state'];
  readonly generation: number;
  readonly guard: StatusReport['guard']['state'];
  readonly trial: boolean;
  /** Whether the kernel's counters could be read. */
  readonly countersRead: boolean;
  readonly services: readonly ServiceSnapshot[];
  /** Names that policies list, and how many addresses they have; then those that wildcards covered of late. */
  readonly names: readonly { readonly state: NameState; readonly addresses: number }[];
  readonly seenNames: number;
  /** By set. */
  readonly elements: ReadonlyMap<string, number>;
  readonly driftOpen: readonly DriftKind[];
  /** All in seconds or bytes. */
  readonly process: { readonly started: number; readonly cpu: number; readonly resident: number; readonly heap: number };
};

type NameState = ServiceReport['names'][number]['state'];
export type Sample = readonly [labels: readonly string[], value: number];
export type Family = {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (snapshot: Snapshot) => readonly Sample[];
};

const STATES = ['starting', 'enforcing', 'degraded'] as const satisfies readonly StatusReport['state'][];
const GUARD_STATES = ['held', 'off', 'failed'] as const satisfies readonly Snapshot['guard'][];
const SERVICE_STATES = ['active', 'pending', 'stale', 'rejected'] as const satisfies readonly ServiceReport['state'][];
const MODES = ['enforce', 'audit', 'block'] as const satisfies readonly Mode[];
const NAME_STATES = ['resolved', 'stale', 'failed', 'pending'] as const satisfies readonly NameState[];
const KINDS = ['user', 'group'] as const;

const number = (value: number | boolean): readonly Sample[] => [[[], Number(value)]];
const sum = <T>(items: readonly T[], valueOf: (item: T) => number): number => items.reduce((total, item) => total + valueOf(item), 0);
/** Every value of a closed list, so that a series is there before there is anything to count. */
const tally = <T, V extends string>(values: readonly V[], items: readonly T[], of: (item: T) => V, weight: (item: T) => number = () => 1): readonly Sample[] =>
  values.map((value) => [[value], sum(items, (item) => (of(item) === value ? weight(item) : 0))]);

const perService = (valueOf: (service: ServiceSnapshot) => number | null) => (snapshot: Snapshot): readonly Sample[] =>
  snapshot.services.flatMap((service) => {
    const value = valueOf(service);
    return value === null ? [] : [[[service.service], value]];
  });

export const FAMILIES: readonly Family[] = [
  { name: 'netwall_build_info', type: 'gauge', help: 'Always 1.', labels: ['version', 'node'], samples: ({ version, node }) => [[[version, node], 1]] },
  { name: 'netwall_state', type: 'gauge', help: '1 for the state that netwalld is in.', labels: ['state'], samples: ({ state }) => tally(STATES, [state], (one) => one) },
  { name: 'netwall_generation', type: 'gauge', help: 'Goes up with every transaction that changed enforcement, over restarts.', labels: [], samples: ({ generation }) => number(generation) },
  { name: 'netwall_guard_state', type: 'gauge', help: '1 for the state that the guard table is in.', labels: ['state'], samples: ({ guard }) => tally(GUARD_STATES, [guard], (one) => one) },
  { name: 'netwall_trial_running', type: 'gauge', help: 'Whether policies are in force for a while without being installed.', labels: [], samples: ({ trial }) => number(trial) },
  {
    name: 'netwall_services',
    type: 'gauge',
    help: 'Services by state and mode.',
    labels: ['state', 'mode'],
    samples: ({ services }) => SERVICE_STATES.flatMap((state) => tally(MODES, services.filter((service) => service.state === state), ({ mode }) => mode).map(([[mode = ''], count]) => [[state, mode], count] as const)),
  },
  { name: 'netwall_principals', type: 'gauge', help: 'Users and groups that are governed.', labels: ['kind'], samples: ({ services }) => tally(KINDS, services, ({ kind }) => kind, ({ principals }) => principals) },
  { name: 'netwall_names', type: 'gauge', help: 'Names that policies list, by state.', labels: ['state'], samples: ({ names }) => tally(NAME_STATES, names, ({ state }) => state) },
  { name: 'netwall_wildcard_names', type: 'gauge', help: 'Names that services asked for of late and wildcards cover.', labels: [], samples: ({ seenNames }) => number(seenNames) },
  { name: 'netwall_addresses', type: 'gauge', help: 'Addresses of listed names in the address book.', labels: [], samples: ({ names }) => number(sum(names, ({ addresses }) => addresses)) },
  { name: 'netwall_set_elements', type: 'gauge', help: 'Elements that netwalld keeps in the sets of its table.', labels: ['set'], samples: ({ elements }) => [...elements].map(([set, count]) => [[set], count]) },
  { name: 'netwall_drift_open', type: 'gauge', help: 'Drifts that are open now.', labels: ['kind'], samples: ({ driftOpen }) => tally(DRIFT_KINDS, driftOpen, (kind) => kind) },
  { name: 'netwall_kernel_counters_read', type: 'gauge', help: 'Whether the kernel said its counters; without, packets and bytes are missing.', labels: [], samples: ({ countersRead }) => number(countersRead) },
  { name: 'netwall_service_info', type: 'gauge', help: 'Always 1: mode and state of a service, to join with.', labels: ['service', 'kind', 'mode', 'state'], samples: ({ services }) => services.map(({ service, kind, mode, state }) => [[service, kind, mode, state], 1]) },
  { name: 'netwall_service_blocked', type: 'gauge', help: 'Whether an operator blocked the service.', labels: ['service'], samples: perService(({ blocked }) => Number(blocked)) },
  { name: 'netwall_service_grants', type: 'gauge', help: 'Permissions that an operator gave the service for a while and that are in force.', labels: ['service'], samples: perService(({ grants }) => grants) },
  { name: 'netwall_service_learning', type: 'gauge', help: 'Whether the service may do what it likes because it is watched (netwallctl learn).', labels: ['service'], samples: perService(({ learning }) => Number(learning)) },
  { name: 'netwall_service_packets_total', type: 'counter', help: 'Packets of the service that were judged.', labels: ['service'], samples: perService(({ counters }) => counters?.packets ?? null) },
  { name: 'netwall_service_bytes_total', type: 'counter', help: 'Bytes of the service that were judged.', labels: ['service'], samples: perService(({ counters }) => counters?.bytes ?? null) },
  { name: 'netwall_service_denied_packets_total', type: 'counter', help: 'Packets that were refused, or in mode audit would have been.', labels: ['service'], samples: perService(({ counters }) => counters?.deniedPackets ?? null) },
  {
    name: 'netwall_dns_queries_total',
    type: 'counter',
    help: 'DNS queries of a service, by what became of them; answered leaves out those from the cache. In mode audit a name that is not listed counts as refused as well.',
    labels: ['service', 'outcome'],
    samples: ({ services }) =>
      services.flatMap(({ service, dns }): readonly Sample[] => {
        if (dns === null) return [];
        const { answered, cached, refused, failed, limited } = dns;
        return Object.entries({ answered: answered - cached, cached, refused, failed, limited }).map(([outcome, count]) => [[service, outcome], count]);
      }),
  },
  { name: 'process_start_time_seconds', type: 'gauge', help: 'When the daemon started, since the epoch.', labels: [], samples: ({ process }) => number(process.started) },
  { name: 'process_cpu_seconds_total', type: 'counter', help: 'CPU time of the daemon, without its nft.', labels: [], samples: ({ process }) => number(process.cpu) },
  { name: 'process_resident_memory_bytes', type: 'gauge', help: 'Resident memory of the daemon.', labels: [], samples: ({ process }) => number(process.resident) },
  { name: 'nodejs_heap_size_used_bytes', type: 'gauge', help: 'Of it, what JavaScript objects take.', labels: [], samples: ({ process }) => number(process.heap) },
];
