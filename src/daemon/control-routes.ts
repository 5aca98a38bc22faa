/** What can be asked of the daemon, and what it does about it. */
import { formatProblem } from '../policy/problem.ts';
import type { Address } from '../net/address.ts';
import type { DiffReport, DriftReport, EventReport, ReloadReport, ResolveReport } from '../control/api.ts';
import { explain } from '../control/explain.ts';
import type { Routes } from '../control/server.ts';
import { parseDuration } from '../config/duration.ts';
import { parseDomainPattern } from '../resolve/domain-pattern.ts';
import { HostError } from '../host/host-error.ts';
import type { Counter } from '../ruleset/element.ts';
import type { Events } from './events.ts';
import { detailedReport, statusReport, type StatusSources } from './report.ts';
import { MOST_SERVICES, type Traffic } from './traffic.ts';

export type RouteOptions = {
  readonly status: StatusSources;
  readonly events: Events;
  readonly traffic: Traffic;
  readonly addressesOf: (domain: string) => readonly Address[];
  readonly uidOf: (name: string) => Promise<number | null>;
  /** Asks for a name now, whatever is known of it. */
  readonly resolve: (name: string) => Promise<ResolveReport>;
  /** Shuts a service, or lets it go; false: it was not shut. */
  readonly block: (service: string, shut: boolean) => Promise<boolean>;
};

const NO_TRIAL = { status: 404, body: { error: 'nothing is being tried' } };
const NO_COUNTERS: ReadonlyMap<string, Counter> = new Map();

/** A kernel that does not answer must not keep the daemon from saying so. */
function noCounters(error: unknown): ReadonlyMap<string, Counter> {
  if (error instanceof HostError) return NO_COUNTERS;
  throw error;
}

function unreadable(error: unknown): null {
  if (error instanceof HostError) return null;
  throw error;
}

const noService = (name: string) => ({ status: 404, body: { error: `no service "${name}"` } });

export function controlRoutes({ status, events, traffic, addressesOf, uidOf, resolve, block }: RouteOptions): Routes {
  const { reconciler, enforcer, drift, trial } = status;
  const ok = (body: unknown) => ({ status: 200, body });
  return {
    get: {
      '/v1/status': async (query) => {
        const name = query.get('service');
        const one = reconciler.services.find(({ entry }) => entry.service === name);
        if (name !== null && one === undefined) return noService(name);
        const silent = reconciler.state === 'starting' || reconciler.unloaded;
        const counters = silent ? NO_COUNTERS : await enforcer.counters().catch(noCounters);
        if (one === undefined) return ok(statusReport(status, counters));
        return ok(detailedReport(status, counters, one, silent ? null : await traffic.destinations(one.entry.service).catch(unreadable)));
      },
      '/v1/traffic': async (query) => {
        const wanted = [...new Set(query.getAll('service'))].slice(0, MOST_SERVICES);
        const unknown = wanted.find((name) => !reconciler.services.some(({ entry }) => entry.service === name));
        if (unknown !== undefined) return noService(unknown);
        const maxAge = Number(query.get('maxAge') ?? 0);
        return ok(await traffic.report(wanted, Number.isFinite(maxAge) ? maxAge : 0));
      },
      '/v1/drift': () => ok({ open: drift.open, history: drift.history } satisfies DriftReport),
      '/v1/diff': async () => ok({ differences: reconciler.unloaded ? ['the wall is unloaded'] : await reconciler.difference() } satisfies DiffReport),
      '/v1/explain': async (query) => {
        const question = { who: query.get('who') ?? '', destination: query.get('to') ?? '' };
        const confinements = reconciler.services.map(({ confinement }) => confinement);
        const named = confinements.some(({ service }) => service === question.who) || /^\d+$/.test(question.who);
        const uid = named ? null : await uidOf(question.who);
        const answer = explain(question, confinements, addressesOf, uid);
        return answer.ok ? ok(answer.report) : { status: 400, body: { error: answer.error } };
      },
    },
    streams: {
      '/v1/events': (query, line) => {
        const type = query.get('type') ?? '';
        const wanted = (event: EventReport) => event.type.startsWith(type);
        const recent = Number(query.get('recent') ?? Number.POSITIVE_INFINITY);
        const past = events.recent.filter(wanted);
        for (const event of past.slice(Math.max(0, past.length - recent))) line(event);
        return query.get('follow') === '0' ? null : events.listen((event) => wanted(event) && line(event));
      },
    },
    post: {
      '/v1/reload': async () => {
        await reconciler.request('reload');
        const problems = reconciler.policySet.badFiles.flatMap(({ text, problems }) =>
          problems.filter(({ severity }) => severity === 'error').map((problem) => formatProblem(problem, text)),
        );
        return ok({ generation: enforcer.generation, state: reconciler.state, problems } satisfies ReloadReport);
      },
      '/v1/resolve': async (query) => {
        const name = parseDomainPattern(query.get('name') ?? '');
        if (!name.ok) return { status: 400, body: { error: name.fault } };
        return name.value.wildcard ? { status: 400, body: { error: 'a wildcard cannot be resolved' } } : ok(await resolve(name.value.name));
      },
      '/v1/try': async (query) => {
        const timeout = parseDuration(query.get('timeout') ?? '60s', { least: 1000, most: 24 * 3_600_000 });
        if (!timeout.ok) return { status: 400, body: { error: timeout.fault } };
        const started = await trial.start(query.getAll('path'), timeout.value);
        return started.ok ? ok(started.value) : { status: 409, body: { error: started.error, problems: started.problems } };
      },
      '/v1/try/confirm': async () => ((await trial.confirm()) ? ok({ outcome: 'confirmed' }) : NO_TRIAL),
      '/v1/try/cancel': async () => ((await trial.cancel('cancelled')) ? ok({ outcome: 'rolled back' }) : NO_TRIAL),
      '/v1/block': async (query) => {
        const service = query.get('service') ?? '';
        if (!reconciler.services.some(({ entry }) => entry.service === service)) return noService(service);
        await block(service, true);
        return ok({ service, generation: enforcer.generation });
      },
      '/v1/unblock': async (query) => {
        const service = query.get('service') ?? '';
        return (await block(service, false)) ? ok({ service, generation: enforcer.generation }) : { status: 404, body: { error: `"${service}" is not blocked` } };
      },
      '/v1/unload': async () => {
        await trial.cancel('the wall was unloaded');
        await reconciler.unload();
        return ok({ generation: enforcer.generation });
      },
    },
  };
}
