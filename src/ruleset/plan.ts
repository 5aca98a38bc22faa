/**
 * In which transactions the kernel gets from what it holds to what it should hold. Pure.
 *
 * Small differences are one transaction, or two where ranges come: the kernel swaps a set of concatenated ranges (pipapo) in
 * after everything else of a transaction is in force (nf_tables_commit: `nft_set_commit_update` follows the new generation), and
 * in between a live flow would be refused for want of its range. So ranges come first, and what relies on them comes next. A large load first shuts everybody who is new (`hold` drops what is not yet known to
 * be allowed, without a reset that would kill live flows), then fills in principals a few thousand elements at a time, small
 * ones first; each is opened in the transaction that completes it.
 */
import { gateElements, type PrincipalRuleset } from './compile.ts';
import { diffElements, type ElementChanges, NO_CHANGES } from './diff.ts';
import { type Counter, type Element, elementId } from './element.ts';
import { partsFor } from './parts.ts';
import { INTERVAL_SETS } from './skeleton.ts';
import { changesTransaction, type Operation, type Transaction } from './transaction.ts';

/** What one principal has in the kernel. */
export type Holding = Pick<PrincipalRuleset, 'gate' | 'elements'>;

export type Step = {
  readonly transaction: Transaction;
  /** Whose elements it brings without completing them: who is to blame should nft refuse. */
  readonly prepares: readonly PrincipalRuleset[];
  /** Who is as desired once this step is done. */
  readonly completes: readonly PrincipalRuleset[];
  /** Who has nothing left in the kernel once this step is done. */
  readonly releases: readonly string[];
};

export type PlanInput = {
  readonly held: ReadonlyMap<string, Holding>;
  readonly desired: readonly PrincipalRuleset[];
  /** Changes to elements that the packet path renews, per principal: they go with its transaction. */
  readonly drains?: ReadonlyMap<string, ElementChanges>;
  /** What the gates of `held` have counted, by id of the gate element; carried over when a mode changes. */
  readonly counters?: ReadonlyMap<string, Counter>;
  /** The table is not there or not as it should be: begin with it. `held` is then empty. */
  readonly rebuild: boolean;
};

/** More element changes than this are not one transaction: it would take longer than a glance (about 40 ms). */
const BULK = 2000;

const EMPTY: Holding = { gate: [], elements: [] };
const size = ({ added, removed }: ElementChanges) => added.length + removed.length;

export function parsePrincipal(principal: string): ['user' | 'group', number] {
  const [kind, id] = principal.split(' ');
  return [kind === 'group' ? 'group' : 'user', Number(id)];
}

type Change = { readonly ruleset: PrincipalRuleset; readonly gate: ElementChanges; readonly elements: ElementChanges; readonly drains: ElementChanges };

function changeOf(ruleset: PrincipalRuleset, { held, drains }: PlanInput): Change {
  const holding = held.get(ruleset.principal) ?? EMPTY;
  return {
    ruleset,
    gate: diffElements(holding.gate, ruleset.gate),
    elements: diffElements(holding.elements, ruleset.elements),
    drains: drains?.get(ruleset.principal) ?? NO_CHANGES,
  };
}

const weight = ({ elements, drains, gate }: Change) => size(elements) + size(drains) + size(gate);

const isRange = ({ set }: Element) => INTERVAL_SETS.has(set);

/** What must be in force before the rest: ranges, and with them all that comes; null: there is no such difference. */
function earlier({ added, removed }: ElementChanges, gates: readonly Operation[]): readonly [early: ElementChanges, late: ElementChanges] | null {
  if (!added.some(isRange)) return null;
  const comes = new Set(added.map(elementId));
  // an element that is replaced by another with the same key must go before that comes
  const isEarly = (element: Element) => isRange(element) || comes.has(elementId(element));
  const late = removed.filter((element) => !isEarly(element));
  return late.length === 0 && gates.length === 0 ? null : [{ added, removed: removed.filter(isEarly) }, { added: [], removed: late }];
}

/** One or two transactions for several principals: what goes, what comes, then the gates. */
function stepsFor(changes: readonly Change[], counters: ReadonlyMap<string, Counter> | undefined): Step[] {
  const merged = (parts: readonly ElementChanges[]): ElementChanges => ({
    added: parts.flatMap(({ added }) => added),
    removed: parts.flatMap(({ removed }) => removed),
  });
  const gate = merged(changes.map((change) => change.gate));
  const carried = new Map<Element, Counter>();
  for (const element of gate.added) {
    const counter = counters?.get(`${element.set} ${element.key}`);
    if (counter !== undefined) carried.set(element, counter);
  }
  const gates: Operation[] = [];
  if (gate.removed.length > 0) gates.push({ do: 'remove', elements: gate.removed });
  if (gate.added.length > 0) gates.push({ do: 'add', elements: gate.added, counters: carried });
  const all = merged(changes.flatMap(({ elements, drains }) => [elements, drains]));
  const rulesets = changes.map(({ ruleset }) => ruleset);
  const parts = earlier(all, gates);
  if (parts === null) return [{ transaction: [...changesTransaction(all), ...gates], prepares: [], completes: rulesets, releases: [] }];
  const [early, late] = parts;
  return [
    { transaction: changesTransaction(early), prepares: rulesets, completes: [], releases: [] },
    { transaction: [...changesTransaction(late), ...gates], prepares: [], completes: rulesets, releases: [] },
  ];
}

/** A step that is made the same transaction as the one before it. */
const together = (foundation: Step, [first, ...rest]: readonly Step[]): readonly Step[] => (first === undefined ? [foundation] : [{ ...first, transaction: [...foundation.transaction, ...first.transaction] }, ...rest]);

/** Groups of at most BULK element changes; a principal is never split, so that it opens complete. */
function chunks(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const change of changes.toSorted((a, b) => weight(a) - weight(b))) {
    if (filled + weight(change) > BULK) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)?.push(change);
    filled += weight(change);
  }
  return groups;
}

/** Principals that no policy governs any more: the gate goes first, so that no flow is cut while the rest is cleared. */
function releaseSteps(principals: readonly string[], held: ReadonlyMap<string, Holding>, drains: PlanInput['drains']): Step[] {
  if (principals.length === 0) return [];
  const holdings = principals.map((principal) => held.get(principal) ?? EMPTY);
  const rest = [
    ...holdings.flatMap(({ elements }) => elements),
    ...principals.flatMap((principal) => drains?.get(principal)?.removed ?? []),
  ];
  const gates: Operation = { do: 'remove', elements: holdings.flatMap(({ gate }) => gate) };
  const gone = (elements: readonly Element[]): Operation[] => (elements.length === 0 ? [] : [{ do: 'remove', elements }]);
  const first = rest.slice(0, BULK);
  const steps: Step[] = [{ transaction: [...(gates.elements.length === 0 ? [] : [gates]), ...gone(first)], prepares: [], completes: [], releases: [] }];
  for (let start = BULK; start < rest.length; start += BULK) {
    steps.push({ transaction: gone(rest.slice(start, start + BULK)), prepares: [], completes: [], releases: [] });
  }
  return steps.map((step, index) => (index === steps.length - 1 ? { ...step, releases: principals } : step));
}

/** The steps in order. Empty: nothing to do. */
export function planSteps(input: PlanInput): readonly Step[] {
  const { desired, held, rebuild } = input;
  const wanted = new Set(desired.map(({ principal }) => principal));
  const releases = releaseSteps([...held.keys()].filter((principal) => !wanted.has(principal)), held, input.drains);
  const changes = desired
    .map((ruleset) => changeOf(ruleset, input))
    .filter((change) => weight(change) > 0 || !held.has(change.ruleset.principal));
  const foundation: Operation[] = rebuild ? [{ do: 'rebuild', parts: partsFor(desired) }] : [];
  const total = changes.reduce((sum, change) => sum + weight(change), 0);
  const small = total <= BULK;
  if (small && (!rebuild || !changes.some(({ elements }) => elements.added.some(isRange)))) {
    if (changes.length === 0) return rebuild ? [{ transaction: foundation, prepares: [], completes: [], releases: [] }, ...releases] : releases;
    return [...together({ transaction: foundation, prepares: [], completes: [], releases: [] }, stepsFor(changes, input.counters)), ...releases];
  }
  // without a mode it is open, whatever else of its gate somebody has left
  const newcomers = changes.filter(({ ruleset }) => held.get(ruleset.principal)?.gate.some(({ mode }) => mode !== null) !== true);
  const holds = new Map(newcomers.map(({ ruleset }) => [ruleset.principal, gateElements(...parsePrincipal(ruleset.principal), 'hold')]));
  const shut = [...holds.values()].flat();
  const shutStep: Step = { transaction: [...foundation, ...(shut.length === 0 ? [] : [{ do: 'add' as const, elements: shut }])], prepares: [], completes: [], releases: [] };
  const opened = changes.map((change) => {
    const hold = holds.get(change.ruleset.principal);
    return hold === undefined ? change : { ...change, gate: diffElements(hold, change.ruleset.gate) };
  });
  if (small) return [...together(shutStep, stepsFor(opened, input.counters)), ...releases];
  const filling = chunks(opened).flatMap((group) => stepsFor(group, input.counters));
  return [...(shutStep.transaction.length === 0 ? [] : [shutStep]), ...filling, ...releases];
}
