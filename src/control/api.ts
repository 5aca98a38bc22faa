/** The JSON of the control socket, version 1. What is here stays; keys may be added. */
import type { Drift } from '../daemon/drift.ts';
import type { DnsMode, Mode, PrincipalKind } from '../policy/policy.ts';

export const API_VERSION = 'netwall/v1';
export const VERSION = '0.1.0';

export type NameReport = {
  readonly name: string;
  readonly state: 'resolved' | 'stale' | 'failed' | 'pending';
  readonly addresses: readonly string[];
  readonly guarded: readonly string[];
  readonly expiresInSeconds: number | null;
  /** Since an answer last gave any of its addresses; null: none has, or a wildcard covers it. */
  readonly lastSeenSecondsAgo: number | null;
  /** Until netwalld asks for it again; null: it is being asked for, or a wildcard covers it. */
  readonly nextLookUpInSeconds: number | null;
  readonly error: string | null;
  /** With `?service=`: since an answer last gave each address. Those it does not give any more count for `dns.hold`. */
  readonly ages?: readonly { readonly address: string; readonly secondsAgo: number }[];
};

/** What a policy entry let through at a port, all its addresses together. */
export type DestinationReport = {
  readonly direction: 'out' | 'in';
  /** A name, address, network or range, as the entry says it. */
  readonly to: string;
  readonly protocol: string;
  /** Remote if outbound, local if inbound: `443`, `8000-8010`; null: every port, or a protocol without ports. */
  readonly port: string | null;
  /** How many elements of the kernel's sets this is. */
  readonly elements: number;
  readonly packets: number;
  readonly bytes: number;
};

/** How a service's names are resolved; the counts are there with `dns: filtered`. */
export type DnsReport = {
  readonly mode: DnsMode;
  readonly port: number | null;
  readonly queries?: number;
  readonly answered?: number;
  readonly cached?: number;
  readonly refused?: number;
  readonly failed?: number;
  readonly limited?: number;
  readonly lastError?: string | null;
  /** Names that are not listed and were asked for, the latest last. */
  readonly refusedNames?: readonly { readonly name: string; readonly type: string; readonly count: number; readonly firstSeen: string; readonly lastSeen: string }[];
};

export type ServiceReport = {
  readonly service: string;
  readonly mode: Mode;
  /** Whom the policy names. */
  readonly match: { readonly kind: PrincipalKind; readonly names: readonly (string | number)[] };
  readonly state: 'active' | 'pending' | 'stale' | 'rejected';
  readonly source: { readonly file: string; readonly line: number };
  readonly message: string | null;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly names: readonly NameReport[];
  readonly dns: DnsReport;
  readonly counters: { readonly packets: number; readonly bytes: number; readonly deniedPackets: number };
  /** With `?service=`; null: the kernel cannot be read. */
  readonly destinations?: readonly DestinationReport[] | null;
};

export type StatusReport = {
  readonly apiVersion: typeof API_VERSION;
  readonly version: string;
  readonly state: 'starting' | 'enforcing' | 'degraded';
  /** Why it is degraded. */
  readonly message: string | null;
  readonly generation: number;
  /** Policies that are in force for a while without being installed. */
  readonly trial: TrialReport | null;
  /** Whether what the table does not judge is dropped, so that nothing gets out while somebody else removes the table. */
  readonly guard: { readonly state: 'held' | 'off' | 'failed'; readonly message: string | null };
  /** With `?service=` that one alone. */
  readonly services: readonly ServiceReport[];
  /** How many there are. */
  readonly serviceCount: number;
  readonly drift: { readonly open: readonly Drift[]; readonly repaired: number; readonly last: Drift | null };
};

/** Counters as they stand. Who asks twice knows what was between. */
export type TrafficReport = {
  /** When the kernel was looked at, milliseconds by a clock that never jumps. */
  readonly at: number;
  readonly services: readonly ({ readonly service: string; readonly mode: Mode } & ServiceReport['counters'])[];
  /** Of the services that `?service=` names. Many elements take long to read, and are read the less often: `at` says when they were. */
  readonly destinations: readonly { readonly service: string; readonly at: number; readonly destinations: readonly DestinationReport[] }[];
};

export type ExplainReport = {
  readonly verdict: 'allow' | 'refuse' | 'audit';
  readonly service: string | null;
  readonly rule: { readonly file: string; readonly line: number; readonly column: number } | null;
  readonly address: string | null;
  readonly port: number | null;
  readonly protocol: string;
  readonly reason: string;
  readonly suggestion: string | null;
};

export type ResolveReport = {
  readonly name: string;
  /** Services whose policy lists the name. */
  readonly services: readonly string[];
  readonly addresses: readonly string[];
  readonly error: string | null;
};
export type ReloadReport = { readonly generation: number; readonly state: StatusReport['state']; readonly problems: readonly string[] };
export type DiffReport = { readonly differences: readonly string[] };
/** A line of the stream of events: what is beside `time` and `type` depends on the latter. */
export type EventReport = {
  readonly time: string;
  readonly type: 'enforced' | 'degraded' | 'drift-opened' | 'drift-closed' | 'drift-repaired' | 'guard' | 'trial' | 'block' | 'ended';
  readonly [key: string]: unknown;
};
export type TrialReport = { readonly files: readonly string[]; readonly until: string };
export type DriftReport = { readonly open: readonly Drift[]; readonly history: readonly Drift[] };
export type ErrorReport = { readonly error: string; readonly problems?: readonly string[] };

/** Exit codes of netwalld and netwallctl. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  differences: 3,
  invalidPolicy: 4,
  notReachable: 5,
  refused: 6,
  notPermitted: 7,
  rolledBack: 8,
} as const;
