/** What a listing of the table says, beside what is desired. Pure. */
import { type PrincipalRuleset, principalOf } from '../ruleset/compile.ts';
import { diffElements, type ElementChanges } from '../ruleset/diff.ts';
import { type Element, elementId, type ObservedElement, withEnd } from '../ruleset/element.ts';
import { ListingError, readElements } from '../ruleset/listing.ts';
import { type Holding, planSteps } from '../ruleset/plan.ts';
import { POLICY_SETS } from '../ruleset/skeleton.ts';

/** What one principal has in the kernel, and the ruleset that put it there; null: nobody knows of one. */
export type Held = Holding & { readonly ruleset: PrincipalRuleset | null };

const POLICY = new Set(POLICY_SETS);
/** Whether the elements of a set come from policies. */
export const isPolicy = (set: string): boolean => POLICY.has(set);
const isGate = ({ set }: Element) => set.endsWith('_mode') || set.endsWith('_refused');

/** What the table holds, by principal. */
export function groupByPrincipal(elements: readonly Element[]): Map<string, Held> {
  const held = new Map<string, { gate: Element[]; elements: Element[]; ruleset: null }>();
  for (const element of elements) {
    const principal = principalOf(element);
    let holding = held.get(principal);
    if (holding === undefined) held.set(principal, (holding = { gate: [], elements: [], ruleset: null }));
    (isGate(element) ? holding.gate : holding.elements).push(element);
  }
  return held;
}

/** Whether a principal has in the kernel what it should have, no more and no less. */
export function holds(held: Held | undefined, { gate, elements }: PrincipalRuleset): boolean {
  if (held === undefined) return false;
  const none = ({ added, removed }: ElementChanges) => added.length === 0 && removed.length === 0;
  return none(diffElements(held.gate, gate)) && none(diffElements(held.elements, elements));
}

/** Null: the table holds something of a form that is never ours. */
export function readable(listing: unknown): readonly ObservedElement[] | null {
  try {
    return readElements(listing);
  } catch (error) {
    if (error instanceof ListingError) return null;
    throw error;
  }
}

/** What comes from policies, with the end of what is only for a while. */
export function policyElements(elements: readonly ObservedElement[], desired: readonly PrincipalRuleset[], now: number): readonly ObservedElement[] {
  const ending = new Map(desired.flatMap((ruleset) => ruleset.elements).flatMap((element) => (element.until === undefined ? [] : [[elementId(element), element] as const])));
  return elements.filter(({ set }) => isPolicy(set)).map((element) => withEnd(element, ending.get(elementId(element)), now));
}

/** A few words on how elements differ from desired. */
export function elementDeviations(held: ReadonlyMap<string, Held>, desired: readonly PrincipalRuleset[]): string[] {
  const steps = planSteps({ held, desired, rebuild: false });
  const words: string[] = [];
  for (const operation of steps.flatMap(({ transaction }) => transaction)) {
    if (operation.do !== 'add' && operation.do !== 'remove') continue;
    const [first] = operation.elements;
    if (first === undefined) continue;
    const more = operation.elements.length > 1 ? ` and ${operation.elements.length - 1} more` : '';
    words.push(`${operation.do === 'add' ? 'missing' : 'foreign'} element ${first.set} { ${first.key} }${more}`);
  }
  return words;
}
