/** Which parts of the skeleton some rulesets need. Pure. */
import type { PrincipalRuleset } from './compile.ts';
import { ALL_PARTS, type Parts, skeletonText, type Table } from './skeleton.ts';

const filtered = new WeakMap<PrincipalRuleset, boolean>();
function asksDns(ruleset: PrincipalRuleset): boolean {
  let known = filtered.get(ruleset);
  if (known === undefined) filtered.set(ruleset, (known = ruleset.elements.some(({ set }) => set.endsWith('_dns_port'))));
  return known;
}

export const partsFor = (rulesets: readonly PrincipalRuleset[]): Parts => ({
  groups: rulesets.some(({ principal }) => principal.startsWith('group')),
  dns: rulesets.some(asksDns),
});

export const bothParts = (a: Parts, b: Parts): Parts => ({ groups: a.groups || b.groups, dns: a.dns || b.dns });

export const sameParts = (a: Parts, b: Parts): boolean => a.groups === b.groups && a.dns === b.dns;

/** In which order chains came is no matter: those of a part that came later are listed last. */
export function sameSkeleton(a: string, b: string): boolean {
  return a === b || inOrder(a) === inOrder(b);
}

/** Its blocks by their text, for comparing two. */
export const inOrder = (skeleton: string): string => {
  const [head = '', ...lines] = skeleton.trimEnd().split('\n').slice(0, -1);
  return [head, ...lines.join('\n').split('\n\n').toSorted(), '}'].join('\n\n');
};

/** What a table that an earlier run left has; null: it is none of ours. */
export const partsIn = (table: Table, skeleton: string): Parts | null =>
  [ALL_PARTS, { groups: true, dns: false }, { groups: false, dns: true }, { groups: false, dns: false }].find((parts) => sameSkeleton(skeletonText(table, parts), skeleton)) ?? null;
