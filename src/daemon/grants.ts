/**
 * Elements that answers of DNS added between two runs of the reconciler, numbered, so that it can be told which of them a ruleset
 * already accounts for.
 */
import type { PrincipalRuleset } from '../ruleset/compile.ts';
import { type Element, elementId } from '../ruleset/element.ts';
import type { Holding } from '../ruleset/plan.ts';

type Grant = { readonly element: Element; readonly sequence: number };

export class Grants {
  readonly #granted = new Map<string, Map<string, Grant>>();
  #sequence = 0;

  /** Of the last grant. */
  get sequence(): number {
    return this.#sequence;
  }

  add(principal: string, element: Element): void {
    let granted = this.#granted.get(principal);
    if (granted === undefined) this.#granted.set(principal, (granted = new Map()));
    this.#sequence += 1;
    granted.set(elementId(element), { element, sequence: this.#sequence });
  }

  has(principal: string, element: Element): boolean {
    return this.#granted.get(principal)?.has(elementId(element)) ?? false;
  }

  hasSince(principal: string, element: Element, since: number): boolean {
    return (this.#granted.get(principal)?.get(elementId(element))?.sequence ?? 0) > since;
  }

  #later(principal: string, since: number, except: readonly Element[]): Element[] {
    const granted = this.#granted.get(principal);
    if (granted === undefined) return [];
    const known = new Set(except.map(elementId));
    return [...granted].filter(([id, { sequence }]) => sequence > since && !known.has(id)).map(([, { element }]) => element);
  }

  /** What a principal has in the kernel, its grants included. */
  withHeld<T extends Holding>(principal: string, holding: T): T {
    const more = this.#later(principal, 0, holding.elements);
    return more.length === 0 ? holding : { ...holding, elements: [...holding.elements, ...more] };
  }

  /** Rulesets with what was granted after `since`. */
  extend(rulesets: readonly PrincipalRuleset[], since = 0): readonly PrincipalRuleset[] {
    return rulesets.map((ruleset) => {
      const more = this.#later(ruleset.principal, since, ruleset.elements);
      return more.length === 0 ? ruleset : { ...ruleset, elements: [...ruleset.elements, ...more] };
    });
  }

  /** Forgets what a ruleset that is in force accounts for. */
  cover(principal: string, since: number): void {
    const granted = this.#granted.get(principal);
    for (const [id, { sequence }] of granted ?? []) if (sequence <= since) granted?.delete(id);
    if (granted?.size === 0) this.#granted.delete(principal);
  }

  /** Forgets what a listing that began at `sequence` should show and does not. */
  dropMissing(observed: ReadonlyMap<string, unknown>, sequence: number): void {
    for (const granted of this.#granted.values()) {
      for (const [id, grant] of granted) if (grant.sequence <= sequence && !observed.has(id)) granted.delete(id);
    }
  }
}
