/** What is so at the moment somebody asks for metrics. Reads, never changes. */
import { version as node } from 'node:process';
import { VERSION } from '../control/api.ts';
import { HostError } from '../host/host-error.ts';
import type { Counter } from '../ruleset/element.ts';
import { namesOf } from './desired.ts';
import type { Snapshot } from './metric-families.ts';
import { countersOf, stateOf, type StatusSources, wholeState } from './report.ts';

export type SnapshotSources = StatusSources & {
  /** Of names that are listed, from the address book. */
  readonly addressCount: (domain: string) => number;
  /** Of a service's wildcards. */
  readonly seenCount: (service: string) => number;
};

/** Read once: a start that seemed to change would look like a restart. */
const STARTED = Math.round(Date.now() / 1000 - process.uptime());
/** A kernel that does not answer must not keep the rest from being said: Prometheus waits 10 s. */
const PATIENCE_MILLISECONDS = 4000;

type Counters = ReadonlyMap<string, Counter>;

/** Null: the kernel does not say, or not in time. What is under way is not begun again. */
export function patiently(read: () => Promise<Counters>, milliseconds = PATIENCE_MILLISECONDS): () => Promise<Counters | null> {
  let underWay: Promise<Counters | null> | null = null;
  return () => {
    underWay ??= read()
      .catch((error: unknown) => {
        if (error instanceof HostError) return null;
        throw error;
      })
      .finally(() => (underWay = null));
    const { promise: tooLate, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => resolve(null), milliseconds);
    return Promise.race([underWay, tooLate]).finally(() => clearTimeout(timer));
  };
}

function ownProcess(): Snapshot['process'] {
  const { user, system } = process.cpuUsage();
  return { started: STARTED, cpu: (user + system) / 1e6, resident: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed };
}

/** The returned function takes a snapshot; only the kernel's counters are waited for. */
export function snapshots(sources: SnapshotSources): () => Promise<Snapshot> {
  const { reconciler, enforcer, guard, trial, permits, learning, drift, statusOf, dnsOf, addressCount, seenCount } = sources;
  const readCounters = patiently(() => enforcer.counters());
  return async () => {
    const counters = reconciler.state === 'starting' || reconciler.unloaded ? null : await readCounters();
    const { failed } = enforcer;
    const grants = permits.counts;
    const { services } = reconciler;
    const names = new Set(services.flatMap(({ entry }) => (entry.linked === null ? [] : namesOf(entry.linked))));
    return {
      version: VERSION,
      node,
      state: wholeState(reconciler),
      generation: enforcer.generation,
      guard: guard.state.state,
      trial: trial.report !== null,
      countersRead: counters !== null,
      services: services.map((service) => ({
        service: service.entry.service,
        grants: grants.get(service.entry.service) ?? 0,
        learning: learning.active.some(({ service: watched }) => watched === service.entry.service),
        kind: service.entry.kind,
        state: stateOf(service, failed.get(service.entry.service)).state,
        mode: service.confinement.mode,
        principals: service.principals.ids.length,
        blocked: service.blockedSince !== null,
        counters: counters === null ? null : countersOf(service, counters),
        dns: dnsOf(service.entry.service)?.counts ?? null,
      })),
      names: [...names].map((domain) => ({ state: statusOf(domain).state, addresses: addressCount(domain) })),
      seenNames: services.reduce((sum, { entry }) => sum + seenCount(entry.service), 0),
      elements: enforcer.elementCounts,
      driftOpen: drift.open.map(({ kind }) => kind),
      process: ownProcess(),
    };
  };
}
