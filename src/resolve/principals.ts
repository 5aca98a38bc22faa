/** Who is governed: names and numbers of `match` to ids, by what NSS says now. Pure. */
import type { IdOf, ServiceEntry } from '../policy/policy-set.ts';

export type Principals = {
  /** Ids that the policy governs, ascending. */
  readonly ids: readonly number[];
  /** Names without an account. */
  readonly missing: readonly string[];
};

export type Named = Pick<ServiceEntry, 'kind' | 'subjects'>;

/** The accounts that are called by name, for NSS to be asked. */
export function accountNames(policies: readonly Named[]): { readonly user: ReadonlySet<string>; readonly group: ReadonlySet<string> } {
  const names = { user: new Set<string>(), group: new Set<string>() };
  for (const { kind, subjects } of policies) for (const { id } of subjects) if (typeof id === 'string') names[kind].add(id);
  return names;
}

/** root is never blocked by a document nobody could read: that would lock the administrator out. */
const ROOT = 0;

/** Principals of every service, in order. A rejected document never takes a principal from a good or stale policy. */
export function resolvePrincipals(services: readonly ServiceEntry[], idOf: IdOf): readonly Principals[] {
  const resolved = services.map(({ kind, subjects }) => subjects.map(({ id }) => (typeof id === 'number' ? id : idOf(kind, id))));
  const governed = { user: new Set<number>(), group: new Set<number>() };
  services.forEach(({ kind, standing }, index) => {
    if (standing === 'rejected') return;
    for (const id of resolved[index] ?? []) if (id !== null) governed[kind].add(id);
  });
  return services.map(({ kind, subjects, standing }, index) => {
    const own = new Set<number>();
    for (const id of resolved[index] ?? []) {
      if (id === null || (standing === 'rejected' && (governed[kind].has(id) || id === ROOT))) continue;
      own.add(id);
      governed[kind].add(id);
    }
    return {
      ids: [...own].sort((a, b) => a - b),
      missing: subjects.flatMap(({ id }, at) => (typeof id === 'string' && resolved[index]?.[at] === null ? [id] : [])),
    };
  });
}
