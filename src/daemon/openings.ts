/**
 * Addresses that DNS just gave are opened at once, between two runs of the reconciler: whoever asked waits for it. What was asked for while a
 * transaction is under way is one transaction together.
 */
import { HostError } from '../host/host-error.ts';
import type { PrincipalRuleset } from '../ruleset/compile.ts';
import { type Element, elementId } from '../ruleset/element.ts';
import { INTERVAL_SETS } from '../ruleset/skeleton.ts';
import type { Transaction } from '../ruleset/transaction.ts';
import type { Grants } from './grants.ts';
import type { Lane } from './lane.ts';
import type { Held } from './observed.ts';

export type OpeningsOptions = {
  readonly grants: Grants;
  /** Of all transactions. */
  readonly lane: Lane;
  /** What the kernel holds, by principal; null: the table is to be built anew. */
  readonly held: () => ReadonlyMap<string, Held> | null;
  /** Sends a transaction; throws HostError. */
  readonly send: (transaction: Transaction) => Promise<void>;
  /** Something was opened. */
  readonly onOpened: () => void;
};

/** While rulesets are being applied: what their principals are about to have. */
type Coming = { readonly rulesets: ReadonlyMap<string, PrincipalRuleset>; readonly since: number; readonly done: Promise<unknown> };

type Wanted = readonly (readonly [principal: string, element: Element])[];

const ids = new WeakMap<readonly Element[], ReadonlySet<string>>();
function idsOf(elements: readonly Element[]): ReadonlySet<string> {
  let known = ids.get(elements);
  if (known === undefined) ids.set(elements, (known = new Set(elements.map(elementId))));
  return known;
}

export class Openings {
  readonly #options: OpeningsOptions;
  #coming: Coming | null = null;
  #joining: (readonly [principal: string, element: Element])[] = [];
  #joined: Promise<void> | null = null;
  #opensFast = true;
  readonly #underWay = new Set<Promise<boolean>>();

  constructor(options: OpeningsOptions) {
    this.#options = options;
  }

  /** Rulesets are being applied that were compiled when the last grant was `since`. */
  async during<T>(rulesets: readonly PrincipalRuleset[], since: number, applied: Promise<T>): Promise<T> {
    const coming = { since, rulesets: new Map(rulesets.map((ruleset) => [ruleset.principal, ruleset])), done: applied.then(() => {}, () => {}) };
    this.#coming = coming;
    try {
      return await applied;
    } finally {
      if (this.#coming === coming) this.#coming = null;
    }
  }

  #has(principal: string, element: Element): boolean {
    const held = this.#options.held()?.get(principal);
    return held !== undefined && (this.#options.grants.has(principal, element) || idsOf(held.elements).has(elementId(element)));
  }

  /** Which of the elements are not in the kernel, or not for much longer; null: that cannot be told, or not be added like that. */
  #missing(wanted: ReadonlyMap<string, readonly Element[]>): Wanted | null {
    const { grants, held } = this.#options;
    const missing: [string, Element][] = [];
    for (const [principal, elements] of wanted) {
      if (held()?.has(principal) !== true) return null;
      const coming = this.#coming?.rulesets.get(principal);
      for (const element of elements) {
        if (!this.#has(principal, element)) missing.push([principal, element]);
        else if (coming !== undefined && !grants.hasSince(principal, element, this.#coming?.since ?? 0) && !idsOf(coming.elements).has(elementId(element))) return null;
      }
    }
    // ranges must not overlap others: that takes the whole of a ruleset to see
    return missing.some(([, { set }]) => INTERVAL_SETS.has(set)) ? null : missing;
  }

  /**
   * Opens addresses that DNS just gave. Resolves to true once they are in the kernel. False: it takes a run of the reconciler. Throws HostError
   * when nft refuses.
   */
  grant(wanted: ReadonlyMap<string, readonly Element[]>): Promise<boolean> {
    const granted = this.#grant(wanted);
    const over = () => void this.#underWay.delete(granted);
    this.#underWay.add(granted);
    void granted.then(over, over);
    return granted;
  }

  /** Once all that was asked for until now is open, or cannot be. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #grant(wanted: ReadonlyMap<string, readonly Element[]>): Promise<boolean> {
    const missing = this.#missing(wanted);
    if (missing === null && this.#coming !== null) {
      await this.#coming.done;
      return this.#grant(wanted);
    }
    if (missing === null) return false;
    if (missing.length === 0) return true;
    this.#joining.push(...missing);
    this.#joined ??= this.#options.lane.run(() => this.#join());
    await this.#joined;
    return true;
  }

  async #open(elements: readonly Element[]): Promise<void> {
    const { send } = this.#options;
    try {
      await send([{ do: this.#opensFast ? 'open' : 'add', elements }]);
    } catch (error) {
      if (!this.#opensFast || !(error instanceof HostError) || !error.refused) throw error;
      await send([{ do: 'add', elements }]);
      // the table is as it should be, and yet this kernel or nft does not take the other form
      this.#opensFast = false;
    }
  }

  /** All that was asked for while the transaction before was under way. */
  async #join(): Promise<void> {
    const { grants, send, onOpened } = this.#options;
    const joining = this.#joining;
    this.#joining = [];
    this.#joined = null;
    const missing = joining.filter(([principal, element]) => !this.#has(principal, element));
    if (missing.length === 0) return;
    const elements = new Map(missing.map(([, element]) => [elementId(element), element]));
    // a run that plans meanwhile must neither take it for absent nor remove it afterwards
    for (const [principal, element] of missing) grants.begin(principal, element);
    try {
      await this.#open([...elements.values()]);
    } catch (error) {
      for (const [principal, element] of missing) grants.drop(principal, element);
      throw error;
    }
    onOpened();
    for (const [principal, element] of missing) grants.add(principal, element);
    await this.withdraw(send);
  }

  /** Takes back what was granted to principals that left meanwhile: it must not be there when they come back. */
  async withdraw(send: OpeningsOptions['send']): Promise<void> {
    const { grants } = this.#options;
    const orphans = () => grants.orphans(this.#options.held() ?? new Map());
    const elements = orphans().map(([, element]) => element);
    if (elements.length === 0) return;
    // whether they are still there or not
    await send([{ do: 'add', elements }, { do: 'remove', elements }]);
    for (const [principal, element] of orphans()) grants.drop(principal, element);
  }
}
