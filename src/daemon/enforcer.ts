/**
 * Keeps the kernel's table as desired. The only writer: one transaction in flight, and what the table holds is known from its
 * own transactions until somebody doubts it (`observe`).
 */
import type { Logger } from 'pino';
import { HostError } from '../host/host-error.ts';
import type { ElementChange } from '../host/nft-monitor.ts';
import type { Nft } from '../host/nft.ts';
import { gateElements, type PrincipalRuleset, principalOf } from '../ruleset/compile.ts';
import { diffElements, type ElementChanges, expiringElements } from '../ruleset/diff.ts';
import { type Counter, type Element, elementId, type ObservedElement, withEnd } from '../ruleset/element.ts';
import { ListingError, readElements, readElementsOf } from '../ruleset/listing.ts';
import { type Holding, planSteps, type Step } from '../ruleset/plan.ts';
import type { Governed } from '../ruleset/guard.ts';
import { Grants } from './grants.ts';
import type { Guard } from './guard.ts';
import { Lane } from './lane.ts';
import { bothParts, partsFor, sameParts } from '../ruleset/parts.ts';
import { ALL_PARTS, INTERVAL_SETS, type Parts, POLICY_SETS, type Table } from '../ruleset/skeleton.ts';
import { type Transaction, transactionText } from '../ruleset/transaction.ts';
import { WrittenSkeleton } from '../ruleset/written-skeleton.ts';

export type Applied = {
  /** Set elements added and removed. */
  readonly added: number;
  readonly removed: number;
  readonly transactions: number;
  readonly rebuilt: boolean;
};

/** What an observation found different from what was there last, in words; empty: nothing. */
export type Observation = { readonly deviations: readonly string[]; readonly drains: readonly ObservedElement[]; readonly gone: boolean };

/** The table without elements, in words, and with them; null: there is none. */
type Listing = readonly [skeleton: string | null, table: unknown];

type Held = Holding & { readonly ruleset: PrincipalRuleset | null };

const POLICY = new Set(POLICY_SETS);
const isDrain = ({ set }: Element) => set.includes('_drain');

const isPermission = (set: string) => /_(egress|ingress)/.test(set);
const isGate = ({ set }: Element) => set.endsWith('_mode') || set.endsWith('_refused');

function groupByPrincipal(elements: readonly Element[]): Map<string, Held> {
  const held = new Map<string, { gate: Element[]; elements: Element[]; ruleset: null }>();
  for (const element of elements) {
    const principal = principalOf(element);
    let holding = held.get(principal);
    if (holding === undefined) held.set(principal, (holding = { gate: [], elements: [], ruleset: null }));
    (isGate(element) ? holding.gate : holding.elements).push(element);
  }
  return held;
}

function governedBy(principals: Iterable<string>): Governed {
  const governed = { users: new Set<string>(), groups: new Set<string>() };
  for (const principal of principals) {
    const [kind, id = ''] = principal.split(' ');
    governed[kind === 'group' ? 'groups' : 'users'].add(id);
  }
  return governed;
}

export type ApplyOptions = {
  /** Changes to the drain sets, by principal. */
  readonly drains: ReadonlyMap<string, ElementChanges>;
  /** Where nft refuses a transaction, its principals are tried each by itself. */
  readonly oneByOne: boolean;
  /** `grantSequence` when the rulesets were compiled: what was granted later is not in them, and stays. */
  readonly since: number;
};

const ids = new WeakMap<readonly Element[], ReadonlySet<string>>();
function idsOf(elements: readonly Element[]): ReadonlySet<string> {
  let known = ids.get(elements);
  if (known === undefined) ids.set(elements, (known = new Set(elements.map(elementId))));
  return known;
}

export type EnforcerOptions = {
  readonly nft: Nft;
  readonly guard: Pick<Guard, 'release' | 'hold' | 'drop'>;
  readonly table: Table;
  readonly log: Logger;
  /** Where an earlier run left the count. */
  readonly generation: number;
};

export class Enforcer {
  readonly #options: EnforcerOptions;
  #held = new Map<string, Held>();
  #rebuild = false;
  readonly #skeleton: WrittenSkeleton;
  #generation: number;
  /** One transaction at a time. */
  readonly #lane = new Lane();
  /** What answers of DNS opened since the rulesets were compiled. */
  readonly #grants = new Grants();
  /** While `apply` is under way: what its principals are about to have. */
  #coming: { readonly rulesets: ReadonlyMap<string, PrincipalRuleset>; readonly since: number; readonly done: Promise<unknown> } | null = null;
  /** By principal: nft's words on rulesets it did not take. */
  readonly #failed = new Map<string, { readonly service: string; readonly reason: string }>();

  constructor(options: EnforcerOptions) {
    this.#options = options;
    this.#skeleton = new WrittenSkeleton(options.table);
    this.#generation = options.generation;
  }

  /** Goes up with every transaction that changed enforcement. */
  get generation(): number {
    return this.#generation;
  }

  /** Services with a principal whose ruleset nft refused; such principals are blocked. */
  get failed(): ReadonlyMap<string, string> {
    return new Map([...this.#failed.values()].map(({ service, reason }) => [service, reason]));
  }

  #text(transaction: Transaction): string {
    return transactionText(this.#options.table, transaction, performance.now());
  }

  #list(): Promise<Listing> {
    const { nft } = this.#options;
    return Promise.all([nft.listSkeleton(), nft.listTable()]);
  }

  #early: Promise<Listing> | null = null;

  /** Begins the first look, for which nft takes as long as it takes to read the policies. Where it fails, `observe` says so. */
  lookAhead(): void {
    this.#early = this.#list();
    this.#early.catch(() => {});
  }

  async #commit(transaction: Transaction, text = this.#text(transaction)): Promise<void> {
    if (transaction.length === 0) return;
    this.#epoch += 1;
    this.#early = null;
    await this.#lane.run(async () => {
      await this.#options.nft.apply(text);
      this.#generation += 1;
      const rules = transaction.find((operation) => operation.do === 'rebuild' || operation.do === 'rewrite-rules');
      if (rules !== undefined) this.#skeleton.wrote(rules.parts ?? ALL_PARTS, rules.do === 'rebuild');
    });
  }

  /** Brings the rules back without touching elements or their counters; where that cannot be done the table is built anew. */
  async #repairSkeleton(): Promise<void> {
    try {
      await this.#commit([{ do: 'rewrite-rules', parts: this.#skeleton.parts }]);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#rebuild = true;
      return;
    }
    if (!this.#skeleton.matches(await this.#options.nft.listSkeleton())) this.#rebuild = true;
  }

  /** The skeleton with other parts. */
  async #rewrite(parts: Parts): Promise<void> {
    if (this.#rebuild || sameParts(parts, this.#skeleton.parts)) return;
    try {
      await this.#commit([{ do: 'rewrite-rules', parts }]);
    } catch (error) {
      if (!(error instanceof HostError) || !error.refused) throw error;
      // somebody changed what it rests on, and has not been noticed yet
      this.lose();
      return;
    }
    if (!this.#skeleton.plain && !(await this.#learnSkeleton())) this.lose();
  }

  /**
   * Looks at what the kernel holds. Afterwards `apply` starts from the truth. Rules that differ are put right at once; elements
   * are left for `apply`. Throws HostError when the kernel cannot be read.
   */
  async observe(desired: readonly PrincipalRuleset[]): Promise<Observation> {
    const deviations: string[] = [];
    const { sequence } = this.#grants;
    this.#epoch += 1;
    const listing = this.#early ?? this.#list();
    this.#early = null;
    const [skeleton, listed] = await listing;
    if (skeleton === null) {
      this.#rebuild = true;
      this.#held = new Map();
      return { deviations: ['the table is gone'], drains: [], gone: true };
    }
    this.#skeleton.adopt(skeleton);
    if (!this.#skeleton.matches(skeleton)) {
      deviations.push(`the rules were changed: ${this.#skeleton.difference(skeleton)}`);
      await this.#repairSkeleton();
    }
    const elements = this.#rebuild || listed === null ? null : readable(listed);
    if (elements === null) {
      this.#rebuild = true;
      this.#held = new Map();
      return { deviations: [...deviations, 'the table cannot be repaired and is built anew'], drains: [], gone: false };
    }
    const now = performance.now();
    const policy = policyElements(elements, desired, now);
    this.#held = groupByPrincipal(policy);
    const observed = new Map(policy.map((element) => [elementId(element), element]));
    const extended = this.#grants.extend(desired);
    // what is as it should be is kept once, and needs no second look
    const asDesired = new Set(extended.filter((ruleset, index) => ruleset === desired[index] && holds(this.#held.get(ruleset.principal), ruleset)));
    for (const ruleset of asDesired) this.#held.set(ruleset.principal, { gate: ruleset.gate, elements: ruleset.elements, ruleset });
    deviations.push(...elementDeviations(this.#held, extended));
    // those of later than the listing are in the kernel although it does not show them
    this.#grants.dropMissing(observed, sequence);
    await this.#renew(desired.flatMap((ruleset) => expiringElements(ruleset.elements, observed, now)));
    return { deviations, drains: elements.filter(isDrain), gone: false };
  }

  /** The table is known to be gone: the next `apply` builds it without looking. */
  lose(): void {
    this.#epoch += 1;
    this.#early = null;
    this.#rebuild = true;
    this.#held = new Map();
  }

  /**
   * Takes back what somebody did to single elements, by what is known of the table, without reading it. Returns what was wrong, in words;
   * throws HostError when nft refuses: the table is then to be looked at.
   */
  async mend(changes: readonly ElementChange[]): Promise<readonly string[]> {
    const { added, removed, words } = { added: [] as Element[], removed: [] as Element[], words: [] as string[] };
    // what was done last to a key is what counts
    const last = new Map(changes.filter(({ set }) => POLICY.has(set)).map((change) => [`${change.set} ${change.key}`, change]));
    for (const [id, { what, set, key }] of last) {
      const element: Element = { set, key, mode: null, timeout: null, comment: null };
      const principal = principalOf(element);
      const holding = this.#held.get(principal);
      const held = holding === undefined ? undefined : [...this.#grants.withHeld(principal, holding).elements, ...holding.gate].find((one) => elementId(one) === id);
      if (what === 'add' && held === undefined) {
        removed.push(element);
        words.push(`foreign element ${set} { ${key} }`);
      } else if (what === 'delete' && held !== undefined) {
        added.push(held);
        words.push(`missing element ${set} { ${key} }`);
      }
    }
    const transaction: Transaction = [...(removed.length > 0 ? [{ do: 'remove' as const, elements: removed }] : []), ...(added.length > 0 ? [{ do: 'add' as const, elements: added }] : [])];
    await this.#commit(transaction);
    return words;
  }

  /** How the kernel differs from desired, in words, without changing anything. Throws HostError. */
  async compare(desired: readonly PrincipalRuleset[]): Promise<readonly string[]> {
    const [skeleton, listing] = await this.#list();
    if (skeleton === null || listing === null) return ['the table is gone'];
    const elements = readable(listing);
    if (elements === null) return ['the table holds what no netwalld has written'];
    const rules = this.#skeleton.matches(skeleton) ? [] : [`the rules were changed: ${this.#skeleton.difference(skeleton)}`];
    return [...rules, ...elementDeviations(groupByPrincipal(policyElements(elements, desired, performance.now())), this.#grants.extend(desired))];
  }

  async #renew(elements: readonly Element[]): Promise<void> {
    if (elements.length === 0) return;
    const add = { do: 'add', elements } as const;
    await this.#commit((await this.#options.nft.renewsTimeouts()) ? [add] : [{ do: 'remove', elements }, add]);
  }

  /** What the gates have counted so far, where a mode is about to change. */
  async #gateCounters(desired: readonly PrincipalRuleset[]): Promise<ReadonlyMap<string, Counter> | undefined> {
    const changing = desired.some(({ principal, gate }) => {
      const held = this.#held.get(principal)?.gate ?? [];
      return held.some((old) => gate.some(({ set, mode }) => set === old.set && mode !== old.mode));
    });
    if (!changing) return undefined;
    return this.counters();
  }

  /** How many elements each set has, by what is known. */
  get elementCounts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [principal, holding] of this.#held) {
      const { gate, elements } = this.#grants.withHeld(principal, holding);
      for (const { set } of [...gate, ...elements]) counts.set(set, (counts.get(set) ?? 0) + 1);
    }
    return counts;
  }

  /** Packets and bytes of every principal's gate and refusals, by element id. Throws HostError. */
  async counters(): Promise<ReadonlyMap<string, Counter>> {
    const { nft } = this.#options;
    const kinds = (['user', 'group'] as const).filter((kind) => [...this.#held.keys()].some((principal) => principal.startsWith(kind)));
    const listings = await Promise.all(kinds.flatMap((kind) => [nft.listSet('map', `${kind}_mode`), nft.listSet('set', `${kind}_refused`)]));
    const elements = listings.flatMap((listing) => (listing === null ? [] : readElements(listing)));
    return new Map(elements.flatMap((element) => (element.counter === null ? [] : [[elementId(element), element.counter] as const])));
  }

  /**
   * What principals may reach and who may reach them, with what each element has counted. Lists one after the other the sets they have
   * elements in. Throws HostError.
   */
  async permissionsOf(principals: readonly string[]): Promise<readonly ObservedElement[]> {
    const sets = new Map<string, Set<number>>();
    for (const principal of principals) {
      const holding = this.#held.get(principal);
      if (holding === undefined) continue;
      for (const { set } of this.#grants.withHeld(principal, holding).elements) {
        if (!isPermission(set)) continue;
        const ids = sets.get(set) ?? new Set();
        sets.set(set, ids.add(Number(principal.split(' ')[1])));
      }
    }
    const found: ObservedElement[] = [];
    for (const [set, ids] of sets) {
      const listing = (await this.#options.nft.listSetText(set)) ?? '';
      try {
        found.push(...readElementsOf(listing, ids));
      } catch (error) {
        if (!(error instanceof ListingError)) throw error;
        throw new HostError('nft list', error.message, { cause: error });
      }
    }
    return found;
  }

  /** What differs from desired by what is known; empty when all is as it should be. */
  pending(desired: readonly PrincipalRuleset[]): readonly Step[] {
    return planSteps({ held: this.#held, desired, rebuild: this.#rebuild });
  }

  #settle({ completes, releases }: Step): void {
    for (const ruleset of completes) {
      this.#held.set(ruleset.principal, { gate: ruleset.gate, elements: ruleset.elements, ruleset });
      this.#failed.delete(ruleset.principal);
    }
    for (const principal of releases) {
      this.#held.delete(principal);
      this.#failed.delete(principal);
    }
  }

  /** Shuts a principal whose ruleset nft does not take: what cannot be enforced as written lets nothing through. */
  async #block(ruleset: PrincipalRuleset): Promise<void> {
    const [kind, id] = ruleset.principal.split(' ');
    const gate = gateElements(kind === 'group' ? 'group' : 'user', Number(id), 'block');
    const held = this.#held.get(ruleset.principal)?.gate ?? [];
    await this.#commit([
      { do: 'add', elements: held },
      { do: 'remove', elements: held },
      { do: 'add', elements: gate },
    ]);
    // remembered as if it were applied: it is tried again when it changes, or when the kernel is looked at
    this.#held.set(ruleset.principal, { gate, elements: this.#held.get(ruleset.principal)?.elements ?? [], ruleset });
  }

  /** One bad policy never takes the others down: each principal by itself, and who cannot be done is shut. */
  async #applyOneByOne(step: Step, drains: ReadonlyMap<string, ElementChanges>): Promise<void> {
    const rebuild = step.transaction.find((operation) => operation.do === 'rebuild');
    if (rebuild !== undefined) await this.#commit([rebuild]);
    for (const ruleset of [...step.prepares, ...step.completes]) {
      const holding = this.#held.get(ruleset.principal);
      const alone = planSteps({ held: new Map(holding === undefined ? [] : [[ruleset.principal, holding]]), desired: [ruleset], drains, rebuild: false });
      try {
        for (const { transaction } of alone) await this.#commit(transaction);
        this.#settle({ transaction: [], prepares: [], completes: [ruleset], releases: [] });
      } catch (error) {
        if (!(error instanceof HostError) || !error.refused) throw error;
        const { service, principal } = ruleset;
        this.#options.log.error({ service, principal, err: error.message }, 'nft refuses this ruleset; blocked');
        await this.#block(ruleset);
        this.#failed.set(principal, { service, reason: error.message });
      }
    }
  }

  /**
   * Makes the kernel hold what is desired. Principals that are not desired lose what they have. Throws HostError when the kernel
   * cannot be written; what was applied until then stands, and the next call goes on from there.
   */
  apply(desired: readonly PrincipalRuleset[], options: ApplyOptions): Promise<Applied> {
    const applied = this.#apply(desired, options);
    const coming = { since: options.since, rulesets: new Map(desired.map((ruleset) => [ruleset.principal, ruleset])), done: applied.then(() => {}, () => {}) };
    this.#coming = coming;
    return applied
      .then((result) => {
        this.#options.guard.hold(governedBy(this.#held.keys()));
        return result;
      })
      .finally(() => {
        if (this.#coming === coming) this.#coming = null;
      });
  }

  async #apply(desired: readonly PrincipalRuleset[], options: ApplyOptions): Promise<Applied> {
    const parts = partsFor(desired);
    // what is needed comes before the elements it is for, and what is not goes after them
    await this.#rewrite(bothParts(this.#skeleton.parts, parts));
    const applied = await this.#applyElements(desired, options);
    await this.#rewrite(parts);
    return applied;
  }

  async #applyElements(desired: readonly PrincipalRuleset[], { drains, oneByOne, since }: ApplyOptions): Promise<Applied> {
    const changed = desired.filter((ruleset) => this.#held.get(ruleset.principal)?.ruleset !== ruleset || drains.has(ruleset.principal));
    const wanted = new Set(desired.map(({ principal }) => principal));
    const left = [...this.#held.keys()].filter((principal) => !wanted.has(principal));
    const leaving = left.length > 0;
    const nothing: Applied = { added: 0, removed: 0, transactions: 0, rebuilt: false };
    if (changed.length === 0 && !leaving && !this.#rebuild) return nothing;
    const rebuilt = this.#rebuild;
    if (leaving) await this.#options.guard.release(governedBy(wanted));
    const counters = rebuilt ? undefined : await this.#gateCounters(changed);
    // unchanged principals are left out of the plan, and so must not look as if they had left
    const held = new Map<string, Held>();
    for (const principal of [...left, ...changed.map((ruleset) => ruleset.principal)]) {
      const holding = this.#held.get(principal);
      if (holding !== undefined) held.set(principal, this.#grants.withHeld(principal, holding));
    }
    const steps = planSteps({ held, desired: this.#grants.extend(changed, since), drains, rebuild: rebuilt, ...(counters === undefined ? {} : { counters }) });
    let text = this.#text(steps[0]?.transaction ?? []);
    const done = new Set<PrincipalRuleset>();
    for (const [index, step] of steps.entries()) {
      // its preparation was refused, and each has been done by itself
      if (step.completes.length > 0 && step.completes.every((ruleset) => done.has(ruleset))) {
        text = this.#text(steps[index + 1]?.transaction ?? []);
        continue;
      }
      try {
        const committed = this.#commit(step.transaction, text);
        // while nft works, the next text is written
        text = this.#text(steps[index + 1]?.transaction ?? []);
        await committed;
        this.#settle(step);
        // while the sets are next to empty: listing a table fetches its elements, whether they are shown or not
        if (rebuilt && index === 0) await this.#learnSkeleton();
      } catch (error) {
        if (!oneByOne || !(error instanceof HostError) || !error.refused || step.completes.length + step.prepares.length === 0) throw error;
        await this.#applyOneByOne(step, drains);
        for (const ruleset of step.prepares) done.add(ruleset);
      }
      this.#rebuild = false;
    }
    for (const ruleset of changed) {
      const known = this.#held.get(ruleset.principal);
      // without a step as well: what is about to be forgotten as a grant is held by the ruleset from now on
      if (known !== undefined) this.#held.set(ruleset.principal, this.#failed.has(ruleset.principal) ? { ...known, ruleset } : { gate: ruleset.gate, elements: ruleset.elements, ruleset });
      this.#grants.cover(ruleset.principal, since);
    }
    await this.#commit(this.#withdrawal());
    this.#dropOrphans();
    const operations = steps.flatMap(({ transaction }) => transaction);
    const count = (what: 'add' | 'remove') => operations.reduce((sum, operation) => sum + (operation.do === what ? operation.elements.length : 0), 0);
    return { added: count('add'), removed: count('remove'), transactions: steps.filter(({ transaction }) => transaction.length > 0).length, rebuilt };
  }

  #epoch = 0;
  /** Goes up whenever anything may have left the kernel. */
  get epoch(): number {
    return this.#epoch;
  }

  /** What answers of DNS have opened so far: a mark to compare with later. */
  get grantSequence(): number {
    return this.#grants.sequence;
  }

  #has(principal: string, element: Element): boolean {
    const held = this.#held.get(principal);
    return held !== undefined && (this.#grants.has(principal, element) || idsOf(held.elements).has(elementId(element)));
  }

  /** Which of the elements are not in the kernel, or not for much longer; null: that cannot be told, or not be added like that. */
  #missing(wanted: ReadonlyMap<string, readonly Element[]>): readonly (readonly [principal: string, element: Element])[] | null {
    const missing: [string, Element][] = [];
    for (const [principal, elements] of wanted) {
      if (this.#rebuild || !this.#held.has(principal)) return null;
      const coming = this.#coming?.rulesets.get(principal);
      for (const element of elements) {
        if (!this.#has(principal, element)) missing.push([principal, element]);
        else if (coming !== undefined && !this.#grants.hasSince(principal, element, this.#coming?.since ?? 0) && !idsOf(coming.elements).has(elementId(element))) return null;
      }
    }
    // ranges must not overlap others: that takes the whole of a ruleset to see
    return missing.some(([, { set }]) => INTERVAL_SETS.has(set)) ? null : missing;
  }

  /**
   * Opens addresses that DNS just gave. Resolves to true once they are in the kernel; many such are one transaction. False: it takes
   * a run of the reconciler. Throws HostError when nft refuses.
   */
  async grant(wanted: ReadonlyMap<string, readonly Element[]>): Promise<boolean> {
    const missing = this.#missing(wanted);
    if (missing === null && this.#coming !== null) {
      await this.#coming.done;
      return this.grant(wanted);
    }
    if (missing === null) return false;
    if (missing.length === 0) return true;
    this.#joining.push(...missing);
    this.#joined ??= this.#lane.run(() => this.#join());
    await this.#joined;
    return true;
  }

  #joining: (readonly [principal: string, element: Element])[] = [];
  #joined: Promise<void> | null = null;

  #opensFast = true;

  async #open(elements: readonly Element[]): Promise<void> {
    try {
      await this.#options.nft.apply(this.#text([{ do: this.#opensFast ? 'open' : 'add', elements }]));
    } catch (error) {
      if (!this.#opensFast || !(error instanceof HostError) || !error.refused) throw error;
      await this.#options.nft.apply(this.#text([{ do: 'add', elements }]));
      // the table is as it should be, and yet this kernel or nft does not take the other form
      this.#opensFast = false;
    }
  }

  /** All that was asked for while the transaction before was under way. */
  async #join(): Promise<void> {
    const joining = this.#joining;
    this.#joining = [];
    this.#joined = null;
    const missing = joining.filter(([principal, element]) => !this.#has(principal, element));
    if (missing.length === 0) return;
    const elements = new Map(missing.map(([, element]) => [elementId(element), element]));
    // a run that plans meanwhile must neither take it for absent nor remove it afterwards
    for (const [principal, element] of missing) this.#grants.begin(principal, element);
    try {
      await this.#open([...elements.values()]);
    } catch (error) {
      for (const [principal, element] of missing) this.#grants.drop(principal, element);
      throw error;
    }
    this.#generation += 1;
    for (const [principal, element] of missing) this.#grants.add(principal, element);
    const withdrawal = this.#withdrawal();
    if (withdrawal.length === 0) return;
    await this.#options.nft.apply(this.#text(withdrawal));
    this.#dropOrphans();
  }

  /** Takes back what was granted to principals that left meanwhile: it must not be there when they come back. */
  #withdrawal(): Transaction {
    const elements = this.#grants.orphans(this.#held).map(([, element]) => element);
    // whether they are still there or not
    return elements.length === 0 ? [] : [{ do: 'add', elements }, { do: 'remove', elements }];
  }

  #dropOrphans(): void {
    for (const [principal, element] of this.#grants.orphans(this.#held)) this.#grants.drop(principal, element);
  }

  /** Just after the rules were written. False: somebody has changed them since. */
  async #learnSkeleton(): Promise<boolean> {
    const printed = await this.#options.nft.listSkeleton();
    if (this.#skeleton.matches(printed)) return true;
    if (printed === null) return false;
    const difference = this.#skeleton.difference(printed);
    const isOurs = this.#skeleton.learn(printed);
    if (isOurs) this.#options.log.debug({ difference }, 'this nft prints the table in other words');
    return isOurs;
  }

  /** Removes the table: the only thing that opens the wall. */
  async unload(): Promise<void> {
    await this.#options.guard.drop();
    await this.#commit([{ do: 'unload' }]);
    this.#held = new Map();
    this.#rebuild = true;
  }
}

/** Whether a principal has in the kernel what it should have, no more and no less. */
function holds(held: Held | undefined, { gate, elements }: PrincipalRuleset): boolean {
  if (held === undefined) return false;
  const none = ({ added, removed }: ElementChanges) => added.length === 0 && removed.length === 0;
  return none(diffElements(held.gate, gate)) && none(diffElements(held.elements, elements));
}

/** Null: the table holds something of a form that is never ours. */
function readable(listing: unknown): readonly ObservedElement[] | null {
  try {
    return readElements(listing);
  } catch (error) {
    if (error instanceof ListingError) return null;
    throw error;
  }
}

/** What comes from policies, with the end of what is only for a while. */
function policyElements(elements: readonly ObservedElement[], desired: readonly PrincipalRuleset[], now: number): readonly ObservedElement[] {
  const ending = new Map(desired.flatMap((ruleset) => ruleset.elements).flatMap((element) => (element.until === undefined ? [] : [[elementId(element), element] as const])));
  return elements.filter(({ set }) => POLICY.has(set)).map((element) => withEnd(element, ending.get(elementId(element)), now));
}

/** A few words on how elements differ from desired. */
function elementDeviations(held: ReadonlyMap<string, Held>, desired: readonly PrincipalRuleset[]): string[] {
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
