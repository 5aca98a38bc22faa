/** What can be asked of the daemon, and what it does about it. */
import { z } from 'zod';
import { formatProblem } from '../policy/problem.ts';
import type { DeniedReport, DiffReport, DriftReport, EventReport, GrantsReport, LearningReport, ReloadReport, ResolveReport } from '../control/api.ts';
import { who } from '../control/who.ts';
import type { Address } from '../net/address.ts';
import type { Routes } from '../control/server.ts';
import { parseDuration } from '../config/duration.ts';
import { parseDomainPattern } from '../resolve/domain-pattern.ts';
import { type CandidateFile, parseCandidates } from '../host/check-policies.ts';
import { HostError } from '../host/host-error.ts';
import type { Counter } from '../ruleset/element.ts';
import { deniesAll, temporaryRules } from '../policy/temporary.ts';
import type { Denied } from './denied.ts';
import type { Explainer } from './explainer.ts';
import type { Events } from './events.ts';
import type { Operator } from './operator.ts';
import { type Metrics, METRICS_TYPE } from './metrics.ts';
import { detailedReport, statusReport, type StatusSources } from './report.ts';
import { MOST_SERVICES, type Traffic } from './traffic.ts';

export type RouteOptions = {
  readonly status: StatusSources;
  readonly events: Events;
  readonly denied: Denied;
  readonly explainer: Explainer;
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  readonly addressesOf: (domain: string) => readonly Address[];
  /** Asks for a name now, whatever is known of it. */
  readonly resolve: (name: string) => Promise<ResolveReport>;
  readonly operator: Pick<Operator, 'block' | 'grant' | 'revoke'>;
};

const MOST_REASON = 200;
/** Of what was refused, unless more are asked for. */
const MOST_DENIED = 1000;
const NO_TRIAL = { status: 404, body: { error: 'nothing is being tried' } };
const NO_COUNTERS: ReadonlyMap<string, Counter> = new Map();

/** A kernel that does not answer must not keep the daemon from saying so. */
function unreadable(error: unknown): null {
  if (error instanceof HostError) return null;
  throw error;
}

const trialRequest = z.object({ files: z.array(z.object({ path: z.string().startsWith('/'), base64: z.base64() })) });

/** Of a `TrialRequest`; null: it is none. */
function trialFiles(text: string): readonly CandidateFile[] | null {
  try {
    return trialRequest.parse(JSON.parse(text)).files.map(({ path, base64 }) => ({ path, bytes: Buffer.from(base64, 'base64') }));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

const noService = (name: string) => ({ status: 404, body: { error: `no service "${name}"` } });
const UNLOADED = { status: 409, body: { error: 'the wall is unloaded, nothing is confined: netwallctl reload' } };
/** With what to do about it. */
const faultText = ({ fault, hint }: { readonly fault: string; readonly hint?: string }) => (hint === undefined ? fault : `${fault}: ${hint}`);

export function controlRoutes({ status, events, metrics, denied, explainer, traffic, addressesOf, resolve, operator }: RouteOptions): Routes {
  const { reconciler, enforcer, drift, trial, permits, learning } = status;
  const ok = (body: unknown) => ({ status: 200, body });
  /** As it is installed, whatever is tried or learnt now. */
  const policyOf = (name: string) => reconciler.policySet.services.find(({ service }) => service === name)?.linked?.policy ?? null;
  return {
    get: {
      '/metrics': async () => ({ status: 200, body: await metrics.text(), type: METRICS_TYPE }),
      '/v1/status': async (query) => {
        const name = query.get('service');
        const one = reconciler.services.find(({ entry }) => entry.service === name);
        if (name !== null && one === undefined && !reconciler.unloaded) return noService(name);
        const silent = reconciler.state === 'starting' || reconciler.unloaded;
        const counters = silent ? NO_COUNTERS : ((await enforcer.counters().catch(unreadable)) ?? NO_COUNTERS);
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
      '/v1/denied': async (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const service = query.get('service');
        if (service !== null && !reconciler.services.some(({ entry }) => entry.service === service)) return { status: 404, body: { error: `no service "${service}"` } };
        const since = query.get('since') === null ? null : Number(query.get('since'));
        const limit = Math.min(Number(query.get('limit') ?? MOST_DENIED), 10 * MOST_DENIED);
        if (Number.isNaN(since) || !Number.isInteger(limit) || limit < 1) return { status: 400, body: { error: 'since is in milliseconds since 1970, limit a number' } };
        return ok(await denied.report({ service, since, limit }) satisfies DeniedReport);
      },
      '/v1/learn': (query) => {
        const report = learning.report(query.get('service') ?? '');
        return report === null ? { status: 404, body: { error: `"${query.get('service') ?? ''}" is not watched: netwallctl learn SERVICE --for 10m` } } : ok(report satisfies LearningReport);
      },
      '/v1/grants': () => ok({ grants: permits.report } satisfies GrantsReport),
      '/v1/drift': () => ok({ open: drift.open, history: drift.history } satisfies DriftReport),
      '/v1/diff': async () => ok({ differences: reconciler.unloaded ? ['the wall is unloaded'] : await reconciler.difference() } satisfies DiffReport),
      '/v1/who': (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const answer = who(query.get('to') ?? '', reconciler.services.map(({ confinement }) => confinement), addressesOf);
        return answer.ok ? ok(answer.report) : { status: 400, body: { error: answer.error } };
      },
      '/v1/explain': async (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const answer = await explainer.explain({ who: query.get('who') ?? '', destination: query.get('to') ?? '', inbound: query.has('inbound') });
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
        if (!name.ok) return { status: 400, body: { error: faultText(name) } };
        return name.value.wildcard ? { status: 400, body: { error: 'a wildcard cannot be resolved' } } : ok(await resolve(name.value.name));
      },
      '/v1/try': async (query, body) => {
        if (reconciler.unloaded) return UNLOADED;
        const timeout = parseDuration(query.get('timeout') ?? '60s', { least: 1000, most: 24 * 3_600_000 });
        if (!timeout.ok) return { status: 400, body: { error: faultText(timeout) } };
        const files = trialFiles(await body());
        if (files === null) return { status: 400, body: { error: 'the files are to come as JSON: {"files":[{"path":"/…/NAME.yaml","base64":"…"}]}' } };
        const started = await trial.start(parseCandidates(files), timeout.value);
        return started.ok ? ok(started.value) : { status: 409, body: { error: started.error, problems: started.problems } };
      },
      '/v1/try/confirm': async () => ((await trial.confirm()) ? ok({ outcome: 'confirmed' }) : NO_TRIAL),
      '/v1/try/cancel': async () => ((await trial.cancel('cancelled')) ? ok({ outcome: 'rolled back' }) : NO_TRIAL),
      '/v1/grant': async (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const text = (key: string) => query.get(key) ?? '';
        const milliseconds = parseDuration(text('for'), { least: 1000, most: 30 * 24 * 3_600_000 });
        if (!milliseconds.ok) return { status: 400, body: { error: faultText(milliseconds) } };
        const reason = text('reason').trim();
        if (reason === '' || reason.length > MOST_REASON) return { status: 400, body: { error: `a reason of 1 to ${MOST_REASON} characters is needed: whoever reads status must know why` } };
        const service = reconciler.services.find(({ entry }) => entry.service === text('service'));
        if (service === undefined) return { status: 404, body: { error: `no service "${text('service')}"` } };
        if (service.entry.linked === null || service.confinement.mode === 'block') return { status: 409, body: { error: `service "${text('service')}" is blocked: nothing can be granted to it` } };
        const wanted = { to: text('to'), ports: query.getAll('port'), private: query.has('private') };
        const found = temporaryRules(wanted, policyOf(service.entry.service)?.dns ?? service.confinement.dns.mode, 'grant');
        if (!found.ok) return { status: 400, body: { error: found.error } };
        const denied = service.confinement.deny.find((deny) => found.rules.some((rule) => deniesAll(deny, rule)));
        if (denied !== undefined) return { status: 409, body: { error: `${denied.text} is denied at ${denied.at.file}:${denied.at.line}, and deny always holds` } };
        return ok(await operator.grant({ ...wanted, service: service.entry.service, reason, by: text('by').slice(0, 64), milliseconds: milliseconds.value }));
      },
      '/v1/learn': async (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const milliseconds = parseDuration(query.get('for') ?? '', { least: 1000, most: 24 * 3_600_000 });
        if (!milliseconds.ok) return { status: 400, body: { error: faultText(milliseconds) } };
        const service = reconciler.services.find(({ entry }) => entry.service === query.get('service'));
        const linked = service?.entry.linked;
        if (service === undefined) return { status: 404, body: { error: `no service "${query.get('service') ?? ''}": give it a policy first, "mode: audit" will do` } };
        if (linked === undefined || linked === null) return { status: 409, body: { error: 'its policy is not valid: netwallctl check' } };
        if (service.blockedSince !== null || linked.policy.mode === 'block') return { status: 409, body: { error: `service "${service.entry.service}" is blocked` } };
        if (!(await learning.start(policyOf(service.entry.service) ?? linked.policy, milliseconds.value, query.has('wildcards')))) return { status: 409, body: { error: 'it is watched already: netwallctl learn --stop ends that' } };
        return ok(learning.report(service.entry.service));
      },
      '/v1/learn/stop': async (query) => {
        const report = await learning.stop(query.get('service') ?? '');
        return report === null ? { status: 404, body: { error: `"${query.get('service') ?? ''}" is not watched` } } : ok(report satisfies LearningReport);
      },
      '/v1/revoke': async (query) => {
        const which = query.get('which') ?? '';
        const ended = await operator.revoke(which);
        return ended.length > 0 ? ok({ grants: ended } satisfies GrantsReport) : { status: 404, body: { error: `no grant "${which}": netwallctl grants lists them` } };
      },
      '/v1/block': async (query) => {
        if (reconciler.unloaded) return UNLOADED;
        const service = query.get('service') ?? '';
        if (!reconciler.services.some(({ entry }) => entry.service === service)) return noService(service);
        await operator.block(service, true);
        return ok({ service, generation: enforcer.generation });
      },
      '/v1/unblock': async (query) => {
        const service = query.get('service') ?? '';
        return (await operator.block(service, false)) ? ok({ service, generation: enforcer.generation }) : { status: 404, body: { error: `"${service}" is not blocked` } };
      },
      '/v1/unload': async () => {
        await trial.cancel('the wall was unloaded');
        await learning.stopAll();
        await reconciler.unload();
        return ok({ generation: enforcer.generation });
      },
    },
  };
}
