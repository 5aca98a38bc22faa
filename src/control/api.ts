/** The JSON of the control socket, version 1. What is here stays; keys may be added. */
import type { Drift } from '../daemon/drift.ts';
import type { DnsMode, Mode } from '../policy/policy.ts';

export const API_VERSION = 'netwall/v1';
export const VERSION = '0.1.0';

export type NameReport = {
  readonly name: string;
  readonly state: 'resolved' | 'stale' | 'failed' | 'pending';
  readonly addresses: readonly string[];
  readonly guarded: readonly string[];
  readonly expiresInSeconds: number | null;
  readonly error: string | null;
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
  readonly state: 'active' | 'pending' | 'stale' | 'rejected';
  readonly source: { readonly file: string; readonly line: number };
  readonly message: string | null;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly names: readonly NameReport[];
  readonly dns: DnsReport;
  readonly counters: { readonly packets: number; readonly bytes: number; readonly deniedPackets: number };
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
  readonly services: readonly ServiceReport[];
  readonly drift: { readonly open: readonly Drift[]; readonly repaired: number; readonly last: Drift | null };
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
  readonly type: 'enforced' | 'degraded' | 'drift-opened' | 'drift-closed' | 'drift-repaired' | 'guard' | 'trial' | 'block';
  readonly [key: string]: unknown;
};
export type TrialReport = { readonly files: readonly string[]; readonly until: string };
export type DriftReport = { readonly open: readonly Drift[]; readonly history: readonly Drift[] };
export type Severity = 'ok' | 'info' | 'warning' | 'critical';
/** `detail`: what was found, one thing a line, and why it matters; empty where all is well. */
export type DoctorCheck = { readonly id: string; readonly severity: Severity; readonly title: string; readonly detail: string; readonly remedy: string | null };
export type DoctorReport = { readonly apiVersion: typeof API_VERSION; readonly checks: readonly DoctorCheck[] };
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
