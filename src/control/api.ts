/** The JSON of the control socket, version 1. What is here stays; keys may be added. */
import type { Drift } from '../daemon/drift.ts';
import type { Destination } from '../ruleset/destinations.ts';
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
export type DestinationReport = Destination;

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

/** A permission that an operator gave for a while. `to` and `ports` as in a policy file. */
export type PermitReport = {
  readonly id: number;
  readonly service: string;
  readonly to: string;
  readonly ports: readonly string[];
  readonly private: boolean;
  readonly reason: string;
  /** The operator, as far as netwallctl could tell. */
  readonly by: string;
  readonly since: string;
  readonly until: string;
  readonly remainingSeconds: number;
  /** Why it allows nothing, e.g. a wildcard where DNS is no longer filtered; null: it does. */
  readonly fault: string | null;
};
/** Why something was refused: nothing lists it; a deny entry; the address guard dropped a name's address; the service is blocked; DNS is not allowed; or it would pass by now. */
export type DeniedReason = 'default' | 'deny' | 'guard' | 'mode' | 'dns' | 'audit' | 'allowed by now' | 'policy gone';
export type DeniedEntry = {
  readonly service: string | null;
  readonly uid: number | null;
  readonly gid: number | null;
  /** The peer's. */
  readonly address: string;
  readonly protocol: string;
  /** The peer's, or the service's own where `direction` is `in`; null: the protocol has none. */
  readonly port: number | null;
  readonly direction: 'out' | 'in';
  readonly packets: number;
  readonly bytes: number;
  /** Names that DNS gave this address for, when the service asked or in its policy. */
  readonly names: readonly string[];
  /** When the daemon first found it in the kernel's record, and its last packet. */
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly reason: DeniedReason;
  /** The deny entry. */
  readonly rule: { readonly file: string; readonly line: number; readonly column: number } | null;
};
/** A name that was asked for and is not listed. */
export type DeniedName = { readonly service: string; readonly name: string; readonly type: string; readonly count: number; readonly firstSeen: string; readonly lastSeen: string };
export type DeniedReport = {
  /** Latest last. */
  readonly denied: readonly DeniedEntry[];
  readonly refusedNames: readonly DeniedName[];
  /** Entries there are, where not all are here. */
  readonly total: number;
};

/** A service that is watched for a while, or was; `policy`: the YAML that was learnt, once it is over. */
export type LearningReport = { readonly service: string; readonly since: string; readonly until: string; readonly active: boolean; readonly destinations: number; readonly policy: string | null };

export type GrantsReport = { readonly grants: readonly PermitReport[] };

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
  readonly grants: readonly PermitReport[];
  /** Services that are let do what they like while it is recorded. */
  readonly learning: readonly { readonly service: string; readonly until: string }[];
  /** Where policy files are, highest precedence first. */
  readonly policyDirs: readonly string[];
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
  readonly direction: 'out' | 'in';
  /** What is known of the name that was asked about, or that led to the address; null: of no name. */
  readonly name: { readonly name: string; readonly addresses: readonly string[]; readonly ageSeconds: number | null; readonly aliasOf: readonly string[] } | null;
  /** What the kernel's own element for it has counted: what passed, or was refused within the last hour; null: there is none, or nobody could ask. */
  readonly counters: { readonly packets: number; readonly bytes: number } | null;
};

/** An entry that is about a name or address. */
export type WhoEntry = {
  readonly service: string;
  readonly mode: Mode;
  readonly kind: 'allow' | 'deny' | 'ingress';
  readonly entry: string;
  readonly ports: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly column: number;
};
export type WhoReport = { readonly destination: string; readonly services: readonly WhoEntry[] };

export type ResolveReport = {
  readonly name: string;
  /** Services whose policy lists the name. */
  readonly services: readonly string[];
  readonly addresses: readonly string[];
  readonly error: string | null;
};
export type ReloadReport = { readonly generation: number; readonly state: StatusReport['state']; readonly problems: readonly string[] };
export type AllowReport = {
  /** The file that is to be changed, or was. */
  readonly file: string;
  readonly outcome: 'changed' | 'allowed' | 'denied';
  /** What allows it already, or denies it. */
  readonly by: readonly { readonly file: string; readonly line: number; readonly column: number }[];
  /** '' when nothing is to be changed. */
  readonly diff: string;
  readonly written: boolean;
  /** With which it is in force; null: not written, or nobody enforces it now. */
  readonly generation: number | null;
};
export type DiffReport = { readonly differences: readonly string[] };
/** A line of the stream of events: what is beside `time` and `type` depends on the latter. */
export type EventReport = {
  readonly time: string;
  readonly type: 'enforced' | 'degraded' | 'drift-opened' | 'drift-closed' | 'drift-repaired' | 'guard' | 'trial' | 'block' | 'ended' | 'grant' | 'learn';
  readonly [key: string]: unknown;
};
/** The body of `POST /v1/try`: who asks reads the files, as the daemon's unit hides homes and /tmp from it. */
export type TrialRequest = { readonly files: readonly { /** Absolute. */ readonly path: string; readonly base64: string }[] };

/** `lifted`: in the answer to a start: services of files that are replaced, which nothing governs meanwhile; omitted: none. */
export type TrialReport = { readonly files: readonly string[]; readonly until: string; readonly lifted?: readonly string[] };
export type DriftReport = { readonly open: readonly Drift[]; readonly history: readonly Drift[] };

/** A policy's difference: where to (or from where), at which ports, and the entry that makes it. */
export type PlanChange = {
  readonly direction: 'egress' | 'ingress';
  /** `names at`: what listed names lead to, as far as it is in `to`. `anything`: all that no entry is about. */
  readonly kind: 'network' | 'name' | 'names at' | 'anything';
  /** As a policy would write it, or a range `first-last`. */
  readonly to: string;
  /** Of a wildcard: listed names below it of which this is not so. */
  readonly except: readonly string[];
  /** By which names alone an address is meant. */
  readonly names: readonly string[];
  /** Of `anything`: whom this is about, e.g. `user webapp`. */
  readonly principals: readonly string[];
  readonly ports: readonly { readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other' | 'any'; readonly first: number; readonly last: number }[];
  /** `listed`: an entry allows it before or after only; `denied`: an entry denies it before or after only, a name `at networks`: where it leads into one that is allowed. */
  readonly reason: 'listed' | 'denied' | 'denied at networks';
  /** Whether this is about private and other special-use addresses of names: of those `only`, or of those `too`. */
  readonly private: 'only' | 'too' | null;
  readonly rule: { readonly file: string; readonly line: number; readonly column: number };
};
export type PlanFlow = {
  readonly protocol: 'tcp' | 'udp';
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  readonly uid: number;
  /** Null: cannot be told. */
  readonly process: { readonly pid: number; readonly name: string } | null;
};
export type ServicePlan = {
  readonly service: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What a service of the very same principals is called before; null: the same. */
  readonly formerly: string | null;
  readonly mode: { readonly before: Mode | null; readonly after: Mode | null } | null;
  readonly dns: { readonly before: DnsMode | null; readonly after: DnsMode | null } | null;
  readonly principals: { readonly before: readonly string[]; readonly after: readonly string[] } | null;
  readonly allows: readonly PlanChange[];
  readonly refuses: readonly PlanChange[];
  /** Live flows that pass now and would not. */
  readonly ends: readonly PlanFlow[];
};
/** `notes`: what could not be told, in sentences. `unchanged`: services of the given files. */
export type PlanReport = { readonly services: readonly ServicePlan[]; readonly unchanged: readonly string[]; readonly notes: readonly string[] };
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
