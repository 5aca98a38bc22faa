/** What the daemon says of itself. Reads, never changes. */
import { formatAddress } from '../net/address.ts';
import { API_VERSION, type DestinationReport, type NameReport, type ServiceReport, type StatusReport, VERSION } from '../control/api.ts';
import { judgeName } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import type { Counter } from '../ruleset/element.ts';
import { namesOf, type ServiceState } from './desired.ts';
import { unlisted } from './denied.ts';
import type { DnsStatistics } from './dns-statistics.ts';
import type { DriftLog, Finding } from './drift.ts';
import type { Enforcer } from './enforcer.ts';
import type { Guard } from './guard.ts';
import type { Learning } from './learning.ts';
import type { Permits } from './permits.ts';
import type { Trial } from './trial.ts';
import type { Reconciler } from './reconciler.ts';

/** What the resolver knows of a name. */
export type NameStatus = Pick<NameReport, 'state' | 'expiresInSeconds' | 'lastSeenSecondsAgo' | 'error'>;
export type NameStatusOf = (domain: string) => NameStatus;

function nameReport(domain: string, confinement: Confinement, status: NameStatus): NameReport {
  const { admitted, guarded } = judgeName(domain, confinement);
  const reasons = guarded.map(({ address, reason }) => `${formatAddress(address)} is ${reason}`);
  return {
    name: domain,
    state: status.state,
    addresses: admitted.map(formatAddress),
    guarded: guarded.map(({ address }) => formatAddress(address)),
    expiresInSeconds: status.expiresInSeconds,
    lastSeenSecondsAgo: status.lastSeenSecondsAgo,
    nextLookUpInSeconds: status.expiresInSeconds,
    error: status.error ?? (reasons.length === 0 ? null : `not admitted: ${reasons.join(', ')}`),
  };
}

export function stateOf({ entry, principals, blockedSince }: ServiceState, failure: string | undefined): Pick<ServiceReport, 'state' | 'message'> {
  const [problem] = entry.problems;
  const place = problem === undefined ? '' : `${problem.at.file}:${problem.at.line}:${problem.at.column}: ${problem.message}`;
  if (entry.standing === 'rejected') return { state: 'rejected', message: place };
  if (failure !== undefined) return { state: 'rejected', message: `nft refuses it, so it is blocked: ${failure}` };
  if (entry.standing === 'stale') return { state: 'stale', message: place };
  if (principals.missing.length > 0) return { state: 'pending', message: `no such ${entry.kind} yet: ${principals.missing.join(', ')}` };
  return { state: 'active', message: blockedSince === null ? null : `blocked since ${blockedSince}: netwallctl unblock ${entry.service}` };
}

/** Names that a wildcard covers and that were seen; of many the latest. */
const MOST_SEEN = 100;
const SEEN: NameStatus = { state: 'resolved', expiresInSeconds: null, lastSeenSecondsAgo: null, error: null };

/** The names a policy lists, then those that its wildcards covered of late. */
export function nameReports({ entry, confinement }: ServiceState, statusOf: NameStatusOf): readonly NameReport[] {
  if (entry.linked === null) return [];
  const listed = namesOf(entry.linked);
  if (listed.length === 0 && confinement.addresses.size === 0) return [];
  const known = new Set(listed);
  const seen = [...confinement.addresses.keys()].filter((name) => !known.has(name)).slice(-MOST_SEEN);
  return [...listed.map((domain) => nameReport(domain, confinement, statusOf(domain))), ...seen.map((domain) => nameReport(domain, confinement, SEEN))];
}

const SHOWN_REFUSED = 20;

function dnsReport({ entry: { linked }, confinement: { dns } }: ServiceState, statistics: DnsStatistics | null): ServiceReport['dns'] {
  if (statistics === null) return { mode: dns.mode, port: dns.port };
  const { counts, lastError, refusedNames } = statistics;
  const shown = unlisted(linked, refusedNames).slice(-SHOWN_REFUSED).map(({ name, type, count, first, last }) => ({ name, type, count, firstSeen: new Date(first).toISOString(), lastSeen: new Date(last).toISOString() }));
  return { mode: dns.mode, port: dns.port, ...counts, lastError, refusedNames: shown };
}

export function countersOf(service: ServiceState, counters: ReadonlyMap<string, Counter>): ServiceReport['counters'] {
  let [packets, bytes, deniedPackets] = [0, 0, 0];
  const { kind } = service.entry;
  for (const id of service.principals.ids) {
    const gate = counters.get(`${kind}_mode ${id}`);
    packets += gate?.packets ?? 0;
    bytes += gate?.bytes ?? 0;
    deniedPackets += counters.get(`${kind}_refused ${id}`)?.packets ?? 0;
  }
  return { packets, bytes, deniedPackets };
}

export function serviceReport(service: ServiceState, statusOf: NameStatusOf, counters: ReadonlyMap<string, Counter>, dns: DnsStatistics | null, failure?: string): ServiceReport {
  const { entry, principals, confinement } = service;
  return {
    service: entry.service,
    mode: confinement.mode,
    match: { kind: entry.kind, names: entry.subjects.map(({ id }) => id) },
    ...stateOf(service, failure),
    source: { file: entry.at.file, line: entry.at.line },
    uids: entry.kind === 'user' ? principals.ids : [],
    gids: entry.kind === 'group' ? principals.ids : [],
    names: nameReports(service, statusOf),
    dns: dnsReport(service, dns),
    counters: countersOf(service, counters),
  };
}

export type StatusSources = {
  readonly policyDirs: readonly string[];
  readonly reconciler: Reconciler;
  readonly enforcer: Enforcer;
  readonly guard: Guard;
  readonly trial: Trial;
  readonly permits: Permits;
  readonly learning: Learning;
  readonly drift: DriftLog;
  readonly statusOf: NameStatusOf;
  readonly agesOf: (domain: string) => NonNullable<NameReport['ages']>;
  readonly dnsOf: (service: string) => DnsStatistics | null;
};

/** What the state comes to for somebody outside. */
export function wholeState({ state, unloaded, turns }: Pick<Reconciler, 'state' | 'unloaded' | 'turns'>): StatusReport['state'] {
  return unloaded || !turns ? 'degraded' : state;
}

/** One service alone, with what is too much to say of all. `destinations`: null where the kernel does not say. */
export function detailedReport(sources: StatusSources, counters: ReadonlyMap<string, Counter>, one: ServiceState, destinations: readonly DestinationReport[] | null): StatusReport {
  const report = statusReport(sources, counters, [one]);
  const services = report.services.map((service) => ({ ...service, names: service.names.map((name) => ({ ...name, ages: sources.agesOf(name.name) })), destinations }));
  return { ...report, services };
}

export function statusReport({ policyDirs, reconciler, enforcer, guard, trial, permits, learning, drift, statusOf, dnsOf }: StatusSources, counters: ReadonlyMap<string, Counter>, services = reconciler.services): StatusReport {
  const { generation, failed } = enforcer;
  return {
    apiVersion: API_VERSION,
    version: VERSION,
    state: wholeState(reconciler),
    message: reconciler.unloaded ? 'unloaded: nothing is confined until netwallctl reload' : reconciler.turns ? reconciler.fault : 'one run has been under way for too long: the kernel or a disk does not answer',
    generation,
    trial: trial.report,
    policyDirs,
    guard: guard.state,
    grants: permits.report,
    learning: learning.active,
    serviceCount: reconciler.services.length,
    services: services.map((service) => serviceReport(service, statusOf, counters, dnsOf(service.entry.service), failed.get(service.entry.service))),
    drift: { open: drift.open, repaired: drift.repaired, last: drift.history.at(-1) ?? null },
  };
}

/** Names that do not answer as they should, for the drift log. */
export function nameFindings(services: readonly ServiceState[], statusOf: NameStatusOf): readonly Finding[] {
  return services.flatMap((service) =>
    nameReports(service, statusOf).flatMap(({ name, state, guarded, error }) => {
      const findings: Finding[] = [];
      if (state === 'stale' || state === 'failed') findings.push({ service: service.entry.service, detail: `${name} is ${state}: ${error ?? 'no answer'}` });
      if (guarded.length > 0) findings.push({ service: service.entry.service, detail: `${name}: not admitted: ${guarded.join(', ')}` });
      return findings;
    }),
  );
}
