/** Who is governed: names and numbers of `match` to ids, by what NSS says now and what it said before. Pure. */
import type { PrincipalKind } from '../policy/policy.ts';
import type { IdOf, ServiceEntry } from '../policy/policy-set.ts';

export type Principals = {
  /** Ids that the policy governs, ascending. */
  readonly ids: readonly number[];
  /** Ids a name had before: still governed while processes run with them. Part of `ids`. */
  readonly former: readonly number[];
  /** Names without an account. */
  readonly missing: readonly string[];
};

/** Ids that a name stood for before it changed or went, by `principalKey`. */
export type FormerIds = ReadonlyMap<string, ReadonlySet<number>>;

export const principalKey = (kind: PrincipalKind, name: string): string => `${kind} ${name}`;

/** root is never blocked by a document nobody could read: that would lock the administrator out. */
const ROOT = 0;

/**
 * Principals of every service, in order. What a good or stale policy governs is never taken from it: neither by a rejected
 * document nor by an id a name had before.
 */
export function resolvePrincipals(services: readonly ServiceEntry[], idOf: IdOf, former: FormerIds): readonly Principals[] {
  const current = services.map(({ kind, subjects }) => subjects.map(({ id }) => (typeof id === 'number' ? id : idOf(kind, id))));
  const governed = { user: new Set<number>(), group: new Set<number>() };
  services.forEach(({ kind, standing }, index) => {
    if (standing === 'rejected') return;
    for (const id of current[index] ?? []) if (id !== null) governed[kind].add(id);
  });
  return services.map(({ kind, subjects, standing }, index) => {
    const taken = governed[kind];
    const own = new Set<number>();
    for (const id of current[index] ?? []) {
      if (id === null || (standing === 'rejected' && (taken.has(id) || id === ROOT))) continue;
      own.add(id);
      taken.add(id);
    }
    const left: number[] = [];
    for (const { id } of subjects) {
      for (const before of (typeof id === 'string' ? former.get(principalKey(kind, id)) : undefined) ?? []) {
        if (taken.has(before)) continue;
        taken.add(before);
        left.push(before);
      }
    }
    return {
      ids: [...own, ...left].sort((a, b) => a - b),
      former: left,
      missing: subjects.flatMap(({ id }, at) => (typeof id === 'string' && current[index]?.[at] === null ? [id] : [])),
    };
  });
}
