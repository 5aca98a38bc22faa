/** Which parts of the skeleton some rulesets need. Pure. */
import type { PrincipalRuleset } from './compile.ts';
import type { Parts } from './skeleton.ts';

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
