/**
 * In which transactions the kernel gets from what it holds to what it should hold. Pure.
 *
 * Small differences are one transaction. A large load first shuts everybody who is new (`hold` drops what is not yet known to
 * be allowed, without a reset that would kill live flows), then fills in principals a few thousand elements at a time, small
 * ones first; each is opened in the transaction that completes it.
 */
import { gateElements, type PrincipalRuleset } from './compile.ts';
import { diffElements, type ElementChanges, NO_CHANGES } from './diff.ts';
import type { Counter, Element } from './element.ts';
import { changesTransaction, type Operation, type Transaction } from './transaction.ts';

/** What one principal has in the kernel. */
export type Holding = Pick<PrincipalRuleset, 'gate' | 'elements'>;

export type Step = {
  readonly transaction: Transaction;
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

function parsePrincipal(principal: string): ['user' | 'group', number] {
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

/** One transaction for several principals: what goes, what comes, then the gates. */
function stepFor(changes: readonly Change[], counters: ReadonlyMap<string, Counter> | undefined): Step {
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
  return {
    transaction: [...changesTransaction(merged(changes.flatMap(({ elements, drains }) => [elements, drains]))), ...gates],
    completes: changes.map(({ ruleset }) => ruleset),
    releases: [],
  };
}

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
  const steps: Step[] = [{ transaction: [...(gates.elements.length === 0 ? [] : [gates]), ...gone(first)], completes: [], releases: [] }];
  for (let start = BULK; start < rest.length; start += BULK) {
    steps.push({ transaction: gone(rest.slice(start, start + BULK)), completes: [], releases: [] });
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
  const foundation: Operation[] = rebuild ? [{ do: 'rebuild' }] : [];
  const total = changes.reduce((sum, change) => sum + weight(change), 0);
  if (total <= BULK) {
    if (changes.length === 0) return rebuild ? [{ transaction: foundation, completes: [], releases: [] }, ...releases] : releases;
    const step = stepFor(changes, input.counters);
    return [{ ...step, transaction: [...foundation, ...step.transaction] }, ...releases];
  }
  const newcomers = changes.filter(({ ruleset }) => (held.get(ruleset.principal)?.gate.length ?? 0) === 0);
  const holds = new Map(newcomers.map(({ ruleset }) => [ruleset.principal, gateElements(...parsePrincipal(ruleset.principal), 'hold')]));
  const shut = [...holds.values()].flat();
  const shutStep: Step = { transaction: [...foundation, ...(shut.length === 0 ? [] : [{ do: 'add' as const, elements: shut }])], completes: [], releases: [] };
  const opened = changes.map((change) => {
    const hold = holds.get(change.ruleset.principal);
    return hold === undefined ? change : { ...change, gate: diffElements(hold, change.ruleset.gate) };
  });
  const filling = chunks(opened).map((group) => stepFor(group, input.counters));
  return [...(shutStep.transaction.length === 0 ? [] : [shutStep]), ...filling, ...releases];
}
