/** The difference between two sets of elements: what a transaction has to say. Pure. */
import type { Element, ObservedElement } from './element.ts';
import { elementId, sameElement, timeoutAt } from './element.ts';

export type ElementChanges = { readonly added: readonly Element[]; readonly removed: readonly Element[] };

export const NO_CHANGES: ElementChanges = { added: [], removed: [] };

/** What to add and remove to get from `from` to `to`. An element whose content differs under one key is in both lists. */
export function diffElements(from: readonly Element[], to: readonly Element[]): ElementChanges {
  if (from === to) return NO_CHANGES;
  const before = new Map(from.map((element) => [elementId(element), element]));
  const added: Element[] = [];
  const removed: Element[] = [];
  for (const element of to) {
    const id = elementId(element);
    const old = before.get(id);
    before.delete(id);
    if (old !== undefined && sameElement(old, element)) continue;
    if (old !== undefined) removed.push(old);
    added.push(element);
  }
  removed.push(...before.values());
  return { added, removed };
}

/** A timed element is renewed once less than this share of its time is left; that keeps renewals rare and the switch alive. */
const RENEW_BELOW = 0.5;

/** Elements that are as desired but run out sooner than they should. `now`: by the daemon's monotonic clock. */
export function expiringElements(desired: readonly Element[], observed: ReadonlyMap<string, ObservedElement>, now: number): readonly Element[] {
  return desired.filter((element) => {
    const left = observed.get(elementId(element))?.expires ?? null;
    const most = timeoutAt(element, now);
    return most !== null && left !== null && left < most * RENEW_BELOW;
  });
}
