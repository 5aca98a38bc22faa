/**
 * What one policy allows and another does not, in the policies' own terms: networks exactly, names by what lists them. However the entries are written,
 * split or ordered, policies that say the same have no differences. Pure.
 */
import { lostAddresses } from './address-changes.ts';
import type { Confinement } from './confinement.ts';
import { lostNames, lostNamesAt } from './name-changes.ts';
import { lostNetworks } from './network-changes.ts';
import { type Change, type Effective, together } from './semantic-change.ts';

export type SemanticDiff = { readonly allows: readonly Change[]; readonly refuses: readonly Change[] };

/** The policy of nobody: it lists nothing. */
export const NOTHING: Effective = { allow: [], implicit: [], deny: [], inbound: [], addresses: new Map() };

/** In mode block nothing counts of what a policy lists. */
const effective = (confinement: Confinement | null): Effective => (confinement === null || confinement.mode === 'block' ? NOTHING : confinement);

function lost(from: Effective, to: Effective): readonly Change[] {
  const networks = lostNetworks(from, to);
  const names = lostNames(from, to);
  const namesAt = lostNamesAt(from, to, networks);
  const said = [...names, ...networks, ...namesAt];
  const changes = together([...said, ...lostAddresses(from, to, said)]);
  return [...changes.filter(({ direction }) => direction === 'egress'), ...changes.filter(({ direction }) => direction === 'ingress')];
}

/** What the entries of `after` allow and those of `before` do not, and the other way round. Null: no policy. What mode audit lets pass besides is not looked at. */
export function semanticDiff(before: Confinement | null, after: Confinement | null): SemanticDiff {
  const [from, to] = [effective(before), effective(after)];
  return { allows: lost(to, from), refuses: lost(from, to) };
}
