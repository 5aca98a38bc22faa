/**
 * Elements that answers of DNS added between two runs of the reconciler, numbered, so that it can be told which of them a ruleset
 * already accounts for.
 */
import type { PrincipalRuleset } from '../ruleset/compile.ts';
import { type Element, elementId } from '../ruleset/element.ts';
import type { Holding } from '../ruleset/plan.ts';

/** `sequence`: infinite while its transaction is under way. No ruleset accounts for such a one, and nobody may rely on it yet. */
type Grant = { readonly element: Element; readonly sequence: number };

const UNDER_WAY = Number.POSITIVE_INFINITY;

export class Grants {
  readonly #granted = new Map<string, Map<string, Grant>>();
  #sequence = 0;

  /** Of the last grant. */
  get sequence(): number {
    return this.#sequence;
  }

  #set(principal: string, element: Element, sequence: number): void {
    let granted = this.#granted.get(principal);
    if (granted === undefined) this.#granted.set(principal, (granted = new Map()));
    granted.set(elementId(element), { element, sequence });
  }

  /** A transaction that adds it is about to be sent. */
  begin(principal: string, element: Element): void {
    this.#set(principal, element, UNDER_WAY);
  }

  /** The transaction went through. */
  add(principal: string, element: Element): void {
    this.#sequence += 1;
    this.#set(principal, element, this.#sequence);
  }

  /** The transaction failed, or another one removed it. */
  drop(principal: string, element: Element): void {
    this.#granted.get(principal)?.delete(elementId(element));
  }

  has(principal: string, element: Element): boolean {
    const grant = this.#granted.get(principal)?.get(elementId(element));
    return grant !== undefined && grant.sequence !== UNDER_WAY;
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

  /** What is in the kernel for principals that are not among these. */
  orphans(principals: ReadonlyMap<string, unknown>): readonly (readonly [principal: string, element: Element])[] {
    return [...this.#granted].flatMap(([principal, granted]) =>
      principals.has(principal) ? [] : [...granted.values()].filter(({ sequence }) => sequence !== UNDER_WAY).map(({ element }) => [principal, element] as const),
    );
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
    for (const [id, { sequence }] of granted ?? []) if (sequence <= since && sequence !== UNDER_WAY) granted?.delete(id);
    if (granted?.size === 0) this.#granted.delete(principal);
  }

  /** Forgets what a listing that began at `sequence` should show and does not. */
  dropMissing(observed: ReadonlyMap<string, unknown>, sequence: number): void {
    for (const granted of this.#granted.values()) {
      for (const [id, grant] of granted) if (grant.sequence <= sequence && !observed.has(id)) granted.delete(id);
    }
  }
}
