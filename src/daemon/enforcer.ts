/**
 * Keeps the kernel's table as desired. The only writer: one transaction in flight, and what the table holds is known from its
 * own transactions until somebody doubts it (`observe`).
 */
import type { Logger } from 'pino';
import { HostError } from '../host/host-error.ts';
import type { ElementChange } from '../host/nft-monitor.ts';
import type { Nft } from '../host/nft.ts';
import { gateElements, type PrincipalRuleset, principalOf } from '../ruleset/compile.ts';
import { type ElementChanges, expiringElements } from '../ruleset/diff.ts';
import { type Counter, type Element, elementId, type ObservedElement } from '../ruleset/element.ts';
import type { Governed } from '../ruleset/guard.ts';
import { bothParts, partsFor, sameParts } from '../ruleset/parts.ts';
import { parsePrincipal, planSteps, type Step } from '../ruleset/plan.ts';
import { INTERVAL_SETS, MAPS, type Parts, type Table } from '../ruleset/skeleton.ts';
import { type Operation, type Transaction, transactionText } from '../ruleset/transaction.ts';
import { countedPermissions, gateCounters } from './counted.ts';
import { Grants } from './grants.ts';
import type { Guard } from './guard.ts';
import { Lane } from './lane.ts';
import { elementDeviations, groupByPrincipal, type Held, holds, isPolicy, policyElements, readable } from './observed.ts';
import { Openings } from './openings.ts';
import { partsWritten, TableRules } from './table-rules.ts';

export type Applied = {
  /** Set elements added and removed. */
  readonly added: number;
  readonly removed: number;
  readonly transactions: number;
  readonly rebuilt: boolean;
};

/** What an observation found different from what was there last, in words; empty: nothing. `drains`: null where the table has to be built anew. */
export type Observation = { readonly deviations: readonly string[]; readonly drains: readonly ObservedElement[] | null; readonly gone: boolean };

/** The table without elements, in words, and with them; null: there is none. */
type Listing = readonly [skeleton: string | null, table: unknown];

/** Ranges that are renewed in one transaction. */
const FEW_RANGES = 16;

const isDrain = ({ set }: Element) => set.includes('_drain');

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
  /** A table stood at the last observation, and nobody knows whom it governs. */
  #isUnread = false;
  readonly #rules: TableRules;
  #generation: number;
  /** One transaction at a time. */
  readonly #lane = new Lane();
  /** What answers of DNS opened since the rulesets were compiled. */
  readonly #grants = new Grants();
  readonly #openings: Openings;
  /** By principal: nft's words on rulesets it did not take. */
  readonly #failed = new Map<string, { readonly service: string; readonly reason: string }>();

  constructor(options: EnforcerOptions) {
    this.#options = options;
    this.#rules = new TableRules(options);
    this.#generation = options.generation;
    this.#openings = new Openings({
      grants: this.#grants,
      lane: this.#lane,
      held: () => (this.#rebuild ? null : this.#held),
      send: (transaction) => options.nft.apply(this.#text(transaction)),
      onOpened: () => (this.#generation += 1),
    });
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
    const parts = partsWritten(transaction);
    await this.#lane.run(async () => {
      try {
        await this.#options.nft.apply(text);
      } catch (error) {
        // it may have been committed all the same
        if (parts !== null && error instanceof HostError && !error.refused) this.#rules.mayHaveWritten(parts);
        throw error;
      }
      this.#generation += 1;
      if (parts !== null) this.#rules.wrote(parts);
    });
  }

  /** Brings the rules back without touching elements or their counters; where that cannot be done the table is built anew. */
  async #repairSkeleton(): Promise<void> {
    try {
      await this.#commit([{ do: 'rewrite-rules', parts: this.#rules.parts }]);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#rebuild = true;
      return;
    }
    if (!(await this.#rules.stand())) this.#rebuild = true;
  }

  /** The skeleton with other parts. */
  async #rewrite(parts: Parts): Promise<void> {
    if (this.#rebuild || sameParts(parts, this.#rules.parts)) return;
    try {
      await this.#commit([{ do: 'rewrite-rules', parts }]);
    } catch (error) {
      if (!(error instanceof HostError) || !error.refused) throw error;
      // somebody changed what it rests on, and has not been noticed yet
      this.lose();
    }
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
    this.#isUnread = false;
    if (skeleton === null) {
      this.#rebuild = true;
      this.#held = new Map();
      return { deviations: ['the table is gone'], drains: null, gone: true };
    }
    this.#rules.adopt(skeleton);
    if (!(await this.#rules.areAsWritten(skeleton))) {
      deviations.push(`the rules were changed: ${this.#rules.difference(skeleton)}`);
      await this.#repairSkeleton();
    }
    const elements = this.#rebuild || listed === null ? null : readable(listed);
    if (elements === null) {
      this.#rebuild = true;
      this.#isUnread = true;
      this.#held = new Map();
      return { deviations: [...deviations, 'the table cannot be repaired and is built anew'], drains: null, gone: false };
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
    const { foreign, added, removed, words } = { foreign: [] as Element[], added: [] as Element[], removed: [] as Element[], words: [] as string[] };
    // what was done last to a key is what counts
    const last = new Map(changes.filter(({ set }) => isPolicy(set)).map((change) => [`${change.set} ${change.key}`, change]));
    for (const [id, { what, set, key }] of last) {
      const element: Element = { set, key, mode: null, timeout: null, comment: null };
      const principal = principalOf(element);
      const holding = this.#held.get(principal);
      const held = holding === undefined ? undefined : [...this.#grants.withHeld(principal, holding).elements, ...holding.gate].find((one) => elementId(one) === id);
      if (what === 'add' && held === undefined) {
        foreign.push(element);
        words.push(`foreign element ${set} { ${key} }`);
      } else if (held !== undefined) {
        // what came in its place may have another verdict, another timeout
        if (what === 'add') removed.push(held);
        added.push(held);
        words.push(`${what === 'add' ? 'changed' : 'missing'} element ${set} { ${key} }`);
      }
    }
    const doing = (what: 'add' | 'remove', elements: readonly Element[]): Transaction => (elements.length === 0 ? [] : [{ do: what, elements }]);
    // a run that looked at the table meanwhile may have taken them away: added first, they are there to be removed. Not of maps: what they map to is not known
    const again = foreign.filter(({ set }) => !MAPS.has(set));
    await this.#commit([...doing('add', again), ...doing('remove', [...foreign, ...removed]), ...doing('add', added)]);
    return words;
  }

  /** Whether the rules are as they were written; what is in the sets is not looked at. Throws HostError. */
  async rulesStand(): Promise<boolean> {
    return this.#rebuild || this.#rules.stand();
  }

  /** How the kernel differs from desired, in words, without changing anything. Throws HostError. */
  async compare(desired: readonly PrincipalRuleset[]): Promise<readonly string[]> {
    const [skeleton, listing] = await this.#list();
    if (skeleton === null || listing === null) return ['the table is gone'];
    const elements = readable(listing);
    if (elements === null) return ['the table holds what no netwalld has written'];
    const rules = (await this.#rules.areAsWritten(skeleton)) ? [] : [`the rules were changed: ${this.#rules.difference(skeleton)}`];
    return [...rules, ...elementDeviations(groupByPrincipal(policyElements(elements, desired, performance.now())), this.#grants.extend(desired))];
  }

  async #renew(elements: readonly Element[]): Promise<void> {
    if (elements.length === 0) return;
    if (await this.#options.nft.renewsTimeouts()) return this.#commit([{ do: 'add', elements }]);
    // a range that is replaced is missing until all the rest of its transaction is in force (plan.ts): little of it, and nothing else
    const ranges = elements.filter(({ set }) => INTERVAL_SETS.has(set));
    const parts = [elements.filter(({ set }) => !INTERVAL_SETS.has(set))];
    for (let start = 0; start < ranges.length; start += FEW_RANGES) parts.push(ranges.slice(start, start + FEW_RANGES));
    for (const part of parts) if (part.length > 0) await this.#commit([{ do: 'remove', elements: part }, { do: 'add', elements: part }]);
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
  counters(): Promise<ReadonlyMap<string, Counter>> {
    return gateCounters(this.#options.nft, [...this.#held.keys()]);
  }

  /** What principals may reach and who may reach them, with what each element has counted. Throws HostError. */
  permissionsOf(principals: readonly string[]): Promise<readonly ObservedElement[]> {
    const held = principals.flatMap((principal) => {
      const holding = this.#held.get(principal);
      return holding === undefined ? [] : [{ principal, elements: this.#grants.withHeld(principal, holding).elements }];
    });
    return countedPermissions(this.#options.nft, held);
  }

  /** What differs from desired by what is known; empty when all is as it should be. */
  pending(desired: readonly PrincipalRuleset[]): readonly Step[] {
    return planSteps({ held: this.#held, desired, rebuild: this.#rebuild });
  }

  /** Principals whom the kernel governs, by the last observation, and who are not among these; null: nobody knows. */
  released(desired: readonly PrincipalRuleset[]): readonly string[] | null {
    if (this.#isUnread) return null;
    const wanted = new Set(desired.map(({ principal }) => principal));
    return [...this.#held.keys()].filter((principal) => !wanted.has(principal));
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
    const gate = gateElements(...parsePrincipal(ruleset.principal), 'block');
    const held = this.#held.get(ruleset.principal)?.gate ?? [];
    await this.#commit([
      { do: 'add', elements: held },
      { do: 'remove', elements: held },
      { do: 'add', elements: gate },
    ]);
    // remembered as if it were applied: it is tried again when it changes, or when the kernel is looked at
    this.#held.set(ruleset.principal, { gate, elements: this.#held.get(ruleset.principal)?.elements ?? [], ruleset });
  }

  /** An empty table would let everybody pass until it is their turn. */
  async #rebuildHeld(rebuild: Operation, rulesets: readonly PrincipalRuleset[]): Promise<void> {
    const holds = rulesets.map(({ principal }) => ({ principal, gate: gateElements(...parsePrincipal(principal), 'hold') }));
    await this.#commit([rebuild, { do: 'add', elements: holds.flatMap(({ gate }) => gate) }]);
    for (const { principal, gate } of holds) this.#held.set(principal, { gate, elements: [], ruleset: null });
    this.#rebuild = false;
  }

  /** One bad policy never takes the others down: each principal by itself, and who cannot be done is shut. */
  async #applyOneByOne(step: Step, drains: ReadonlyMap<string, ElementChanges>): Promise<void> {
    const rulesets = [...step.prepares, ...step.completes];
    const rebuild = step.transaction.find((operation) => operation.do === 'rebuild');
    if (rebuild !== undefined) await this.#rebuildHeld(rebuild, rulesets);
    for (const ruleset of rulesets) {
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
  async apply(desired: readonly PrincipalRuleset[], options: ApplyOptions): Promise<Applied> {
    const applied = await this.#openings.during(desired, options.since, this.#apply(desired, options));
    this.#options.guard.hold(governedBy(this.#held.keys()));
    return applied;
  }

  async #apply(desired: readonly PrincipalRuleset[], options: ApplyOptions): Promise<Applied> {
    const parts = partsFor(desired);
    // what is needed comes before the elements it is for, and what is not goes after them
    await this.#rewrite(bothParts(this.#rules.parts, parts));
    const applied = await this.#applyElements(desired, options);
    await this.#rewrite(parts);
    // that showed that the table is not what it was taken for
    return this.#rebuild ? this.#applyElements(desired, options) : applied;
  }

  async #applyElements(desired: readonly PrincipalRuleset[], { drains, oneByOne, since }: ApplyOptions): Promise<Applied> {
    const changed = desired.filter((ruleset) => this.#held.get(ruleset.principal)?.ruleset !== ruleset || drains.has(ruleset.principal));
    const wanted = new Set(desired.map(({ principal }) => principal));
    const left = [...this.#held.keys()].filter((principal) => !wanted.has(principal));
    const nothing: Applied = { added: 0, removed: 0, transactions: 0, rebuilt: false };
    // who leaves while the table is lost is not known to be in it; the guard knows
    await this.#options.guard.release(governedBy(wanted));
    if (changed.length === 0 && left.length === 0 && !this.#rebuild) return nothing;
    const rebuilt = this.#rebuild;
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
    await this.#openings.withdraw((transaction) => this.#commit(transaction));
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

  /** `Openings.grant`. */
  grant(wanted: ReadonlyMap<string, readonly Element[]>): Promise<boolean> {
    return this.#openings.grant(wanted);
  }

  /** `Openings.settled`. */
  granted(): Promise<void> {
    return this.#openings.settled();
  }

  /** Removes the table: the only thing that opens the wall. */
  async unload(): Promise<void> {
    await this.#options.guard.drop();
    await this.#commit([{ do: 'unload' }]);
    this.#held = new Map();
    this.#rebuild = true;
  }
}

