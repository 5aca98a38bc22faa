/** What the daemon says of itself. Reads, never changes. */
import { formatAddress } from '../net/address.ts';
import { API_VERSION, type NameReport, type ServiceReport, type StatusReport, VERSION } from '../control/api.ts';
import { allowedNetworks, judgeAddresses } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import type { Counter } from '../ruleset/element.ts';
import { namesOf, type ServiceState } from './desired.ts';
import type { DriftLog, Finding } from './drift.ts';
import type { Enforcer } from './enforcer.ts';
import type { Reconciler } from './reconciler.ts';

/** What the resolver knows of a name. */
export type NameStatus = Pick<NameReport, 'state' | 'expiresInSeconds' | 'error'>;
export type NameStatusOf = (domain: string) => NameStatus;

function nameReport(domain: string, confinement: Confinement, statusOf: NameStatusOf): NameReport {
  const networks = allowedNetworks(confinement);
  const admitted = new Set<string>();
  const dropped = new Map<string, string>();
  for (const rule of [...confinement.allow, ...confinement.deny]) {
    if (rule.target.kind !== 'domain' || rule.target.domain.name !== domain) continue;
    const judged = judgeAddresses(rule, confinement, networks);
    for (const address of judged.admitted) admitted.add(formatAddress(address));
    for (const { address, reason } of judged.guarded) dropped.set(formatAddress(address), reason);
  }
  const guarded = [...dropped.keys()].filter((address) => !admitted.has(address));
  const status = statusOf(domain);
  const reasons = guarded.map((address) => `${address} is ${dropped.get(address)}`);
  return {
    name: domain,
    state: status.state,
    addresses: [...admitted],
    guarded,
    expiresInSeconds: status.expiresInSeconds,
    error: status.error ?? (reasons.length === 0 ? null : `not admitted: ${reasons.join(', ')}`),
  };
}

function stateOf({ entry, principals }: ServiceState, failure: string | undefined): Pick<ServiceReport, 'state' | 'message'> {
  const [problem] = entry.problems;
  const place = problem === undefined ? '' : `${problem.at.file}:${problem.at.line}:${problem.at.column}: ${problem.message}`;
  if (entry.standing === 'rejected') return { state: 'rejected', message: place };
  if (failure !== undefined) return { state: 'rejected', message: `nft refuses it, so it is blocked: ${failure}` };
  if (entry.standing === 'stale') return { state: 'stale', message: place };
  if (principals.missing.length > 0) return { state: 'pending', message: `no such ${entry.kind} yet: ${principals.missing.join(', ')}` };
  return { state: 'active', message: null };
}

export function nameReports(service: ServiceState, statusOf: NameStatusOf): readonly NameReport[] {
  const { linked } = service.entry;
  return linked === null ? [] : namesOf(linked).map((domain) => nameReport(domain, service.confinement, statusOf));
}

function sum(service: ServiceState, counters: ReadonlyMap<string, Counter>): ServiceReport['counters'] {
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

export function serviceReport(service: ServiceState, statusOf: NameStatusOf, counters: ReadonlyMap<string, Counter>, failure?: string): ServiceReport {
  const { entry, principals, confinement } = service;
  return {
    service: entry.service,
    mode: confinement.mode,
    ...stateOf(service, failure),
    source: { file: entry.at.file, line: entry.at.line },
    uids: entry.kind === 'user' ? principals.ids : [],
    gids: entry.kind === 'group' ? principals.ids : [],
    names: nameReports(service, statusOf),
    counters: sum(service, counters),
  };
}

export function statusReport(reconciler: Reconciler, enforcer: Enforcer, drift: DriftLog, statusOf: NameStatusOf, counters: ReadonlyMap<string, Counter>): StatusReport {
  const { generation, failed } = enforcer;
  return {
    apiVersion: API_VERSION,
    version: VERSION,
    state: reconciler.unloaded ? 'degraded' : reconciler.state,
    message: reconciler.unloaded ? 'unloaded: nothing is confined until netwallctl reload' : reconciler.fault,
    generation,
    services: reconciler.services.map((service) => serviceReport(service, statusOf, counters, failed.get(service.entry.service))),
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
