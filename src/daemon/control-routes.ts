/** What can be asked of the daemon, and what it does about it. */
import { formatProblem } from '../policy/problem.ts';
import type { Address } from '../net/address.ts';
import type { DiffReport, DriftReport, ReloadReport } from '../control/api.ts';
import { explain } from '../control/explain.ts';
import type { Routes } from '../control/server.ts';
import type { DriftLog } from './drift.ts';
import type { Enforcer } from './enforcer.ts';
import type { Reconciler } from './reconciler.ts';
import { type NameStatusOf, statusReport } from './report.ts';

export type RouteOptions = {
  readonly reconciler: Reconciler;
  readonly enforcer: Enforcer;
  readonly drift: DriftLog;
  readonly statusOf: NameStatusOf;
  readonly addressesOf: (domain: string) => readonly Address[];
  readonly uidOf: (name: string) => number | null;
};

export function controlRoutes({ reconciler, enforcer, drift, statusOf, addressesOf, uidOf }: RouteOptions): Routes {
  const ok = (body: unknown) => ({ status: 200, body });
  return {
    get: {
      '/v1/status': async () => {
        const counters = reconciler.state === 'starting' || reconciler.unloaded ? new Map() : await enforcer.counters();
        return ok(statusReport(reconciler, enforcer, drift, statusOf, counters));
      },
      '/v1/drift': () => ok({ open: drift.open, history: drift.history } satisfies DriftReport),
      '/v1/diff': async () => ok({ differences: reconciler.unloaded ? ['the wall is unloaded'] : await reconciler.difference() } satisfies DiffReport),
      '/v1/explain': (query) => {
        const question = { who: query.get('who') ?? '', destination: query.get('to') ?? '' };
        const confinements = reconciler.services.map(({ confinement }) => confinement);
        const answer = explain(question, confinements, addressesOf, uidOf);
        return answer.ok ? ok(answer.report) : { status: 400, body: { error: answer.error } };
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
      '/v1/unload': async () => {
        await reconciler.unload();
        return ok({ generation: enforcer.generation });
      },
    },
  };
}
