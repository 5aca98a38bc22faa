import test from 'ava';
import * as fc from 'fast-check';
import { gateElements, type PrincipalRuleset } from '../../src/ruleset/compile.ts';
import type { ElementChanges } from '../../src/ruleset/diff.ts';
import { type Counter, type Element, elementId, sameElement } from '../../src/ruleset/element.ts';
import { type Holding, type PlanInput, planSteps, type Step } from '../../src/ruleset/plan.ts';
import type { KernelMode } from '../../src/ruleset/skeleton.ts';
import type { Operation } from '../../src/ruleset/transaction.ts';

const BULK = 2000;

type Who = readonly [kind: 'user' | 'group', id: number];
const named = ([kind, id]: Who) => `${kind} ${id}`;

function permissions([kind, id]: Who, first: number, count: number): Element[] {
  return Array.from({ length: count }, (_, index) => ({ set: `${kind}_egress4`, key: `${id} . ${first + index}`, mode: null, timeout: null, comment: null }));
}
const ranges = ([kind, id]: Who, ...numbers: number[]): Element[] => numbers.map((number) => ({ set: `${kind}_egress_net4`, key: `${id} . ${number}`, mode: null, timeout: null, comment: null }));
const drain = ([kind, id]: Who, key: number): Element => ({ set: `${kind}_drain4`, key: `${id} . ${key}`, mode: null, timeout: 300, comment: null });

/** A principal in some mode, with permissions numbered from `first` on; null: without a gate. */
const held = (who: Who, mode: KernelMode | null, count: number, first = 0): [string, Holding] => [
  named(who),
  { gate: mode === null ? [] : gateElements(...who, mode), elements: permissions(who, first, count) },
];
const wanted = (who: Who, mode: KernelMode, count: number, first = 0): PrincipalRuleset => ({
  principal: named(who),
  service: `service of ${named(who)}`,
  gate: gateElements(...who, mode),
  elements: permissions(who, first, count),
});

const modes = (elements: readonly Element[]) =>
  elements.flatMap(({ set, key, mode }) => (set.endsWith('_mode') ? [`${set.slice(0, set.indexOf('_'))} ${key} ${mode}`] : []));

/** `-2` are elements without those of gates; `- user 1 hold` are gates. */
function showOperation(operation: Operation): string {
  if (operation.do !== 'add' && operation.do !== 'remove') return operation.do;
  const gates = modes(operation.elements);
  const sign = operation.do === 'add' ? '+' : '-';
  return gates.length > 0 ? `${sign} ${gates.join(', ')}` : `${sign}${operation.elements.length}`;
}

function show({ transaction, completes, releases }: Step): string {
  const done = [...completes.map(({ principal }) => principal), ...releases.map((principal) => `${principal} gone`)];
  return `${transaction.map(showOperation).join(' ')} => ${done.join(', ')}`;
}

const A: Who = ['user', 1];
const B: Who = ['user', 2];
const C: Who = ['group', 1];

const CASES: readonly [what: string, input: Omit<PlanInput, 'held' | 'rebuild'> & { held?: [string, Holding][]; rebuild?: boolean }, steps: readonly string[]][] = [
  ['nothing', { desired: [] }, []],
  ['nothing, and no table', { desired: [], rebuild: true }, ['rebuild => ']],
  ['all as it should be', { held: [held(A, 'enforce', 3)], desired: [wanted(A, 'enforce', 3)] }, []],
  ['a newcomer', { desired: [wanted(A, 'enforce', 3)] }, ['+3 + user 1 enforce => user 1']],
  ['a newcomer in a new table', { desired: [wanted(A, 'enforce', 3)], rebuild: true }, ['rebuild +3 + user 1 enforce => user 1']],
  ['a newcomer without permissions', { desired: [wanted(A, 'block', 0)] }, ['+ user 1 block => user 1']],
  ['nothing for who is shut in already', { held: [held(A, 'block', 0)], desired: [wanted(A, 'block', 0)] }, []],
  ['one permission for another', { held: [held(A, 'enforce', 3)], desired: [wanted(A, 'enforce', 3, 1)] }, ['-1 +1 => user 1']],
  ['another mode', { held: [held(A, 'enforce', 3)], desired: [wanted(A, 'audit', 3)] }, ['- user 1 enforce + user 1 audit => user 1']],
  ['shut in for good', { held: [held(A, 'audit', 3)], desired: [wanted(A, 'block', 0)] }, ['-3 - user 1 audit + user 1 block => user 1']],
  ['left on hold', { held: [held(A, 'hold', 3)], desired: [wanted(A, 'enforce', 3)] }, ['- user 1 hold + user 1 enforce => user 1']],
  ['permissions without a gate', { held: [held(A, null, 3)], desired: [wanted(A, 'enforce', 3)] }, ['+ user 1 enforce => user 1']],
  [
    'several at once',
    { held: [held(A, 'enforce', 1), held(B, 'enforce', 1)], desired: [wanted(C, 'enforce', 2), wanted(A, 'enforce', 2), wanted(B, 'enforce', 1)] },
    ['+3 + group 1 enforce => group 1, user 1'],
  ],
  ['one that leaves: its gate first', { held: [held(A, 'enforce', 3)], desired: [] }, ['- user 1 enforce -3 => user 1 gone']],
  ['one that leaves and had a gate alone', { held: [held(A, 'block', 0)], desired: [] }, ['- user 1 block => user 1 gone']],
  ['one that leaves and had no gate', { held: [held(A, null, 2)], desired: [] }, ['-2 => user 1 gone']],
  [
    'one that leaves after the others came',
    { held: [held(A, 'enforce', 3)], desired: [wanted(B, 'enforce', 1)] },
    ['+1 + user 2 enforce => user 2', '- user 1 enforce -3 => user 1 gone'],
  ],
  [
    'many that leave: all gates first, and all are gone at the end',
    { held: [held(A, 'enforce', BULK), held(B, 'audit', BULK)], desired: [] },
    ['- user 1 enforce, user 2 audit -2000 => ', '-2000 => user 1 gone, user 2 gone'],
  ],
  [
    'as much as one transaction takes',
    { desired: [wanted(A, 'enforce', 996), wanted(B, 'enforce', 1000)] },
    ['+1996 + user 1 enforce, user 2 enforce => user 1, user 2'],
  ],
  [
    'one more: hold, fill, open',
    { desired: [wanted(A, 'enforce', 1000), wanted(B, 'enforce', 997)] },
    ['+ user 1 hold, user 2 hold => ', '+997 - user 2 hold + user 2 enforce => user 2', '+1000 - user 1 hold + user 1 enforce => user 1'],
  ],
  [
    'small ones open first',
    { desired: [wanted(A, 'enforce', 5000), wanted(B, 'audit', 1500), wanted(C, 'enforce', 900)], rebuild: true },
    [
      'rebuild + user 1 hold, user 2 hold, group 1 hold => ',
      '+900 - group 1 hold + group 1 enforce => group 1',
      '+1500 - user 2 hold + user 2 audit => user 2',
      '+5000 - user 1 hold + user 1 enforce => user 1',
    ],
  ],
  [
    'who is governed already is not held',
    { held: [held(A, 'enforce', 1500)], desired: [wanted(A, 'audit', 1500, 1500), wanted(B, 'block', 0)] },
    ['+ user 2 hold => ', '- user 2 hold + user 2 block => user 2', '-1500 +1500 - user 1 enforce + user 1 audit => user 1'],
  ],
  [
    'a large change to who is governed needs no hold',
    { held: [held(A, 'enforce', 1500)], desired: [wanted(A, 'enforce', 1500, 1500)] },
    ['-1500 +1500 => user 1'],
  ],
  [
    'drains go with their principal',
    { held: [held(A, 'enforce', 2)], desired: [wanted(A, 'enforce', 1)], drains: new Map([[named(A), { added: [drain(A, 1)], removed: [drain(A, 7)] }]]) },
    ['-2 +1 => user 1'],
  ],
  [
    'drains alone are a change',
    { held: [held(A, 'enforce', 1)], desired: [wanted(A, 'enforce', 1)], drains: new Map([[named(A), { added: [], removed: [drain(A, 7)] }]]) },
    ['-1 => user 1'],
  ],
  [
    'drains of one that leaves',
    { held: [held(A, 'enforce', 1)], desired: [], drains: new Map([[named(A), { added: [], removed: [drain(A, 7), drain(A, 8)] }]]) },
    ['- user 1 enforce -3 => user 1 gone'],
  ],
];

const withRanges = <T extends Holding>(holding: T, more: readonly Element[]): T => ({ ...holding, elements: [...holding.elements, ...more] });
const heldWith = (who: Who, mode: KernelMode | null, count: number, ...numbers: number[]): [string, Holding] => [named(who), withRanges(held(who, mode, count)[1], ranges(who, ...numbers))];
const wantedWith = (who: Who, mode: KernelMode, count: number, ...numbers: number[]): PrincipalRuleset => withRanges(wanted(who, mode, count), ranges(who, ...numbers));

const RANGES: typeof CASES = [
  ['a newcomer with a range: shut in once the range is there', { desired: [wantedWith(A, 'enforce', 1, 7)] }, ['+2 => ', '+ user 1 enforce => user 1']],
  [
    '… in a new table: held until then, so that no live flow is refused',
    { desired: [wantedWith(A, 'enforce', 1, 7), wanted(B, 'block', 0)], rebuild: true },
    ['rebuild + user 1 hold, user 2 hold +2 => ', '- user 1 hold, user 2 hold + user 1 enforce, user 2 block => user 1, user 2'],
  ],
  ['a range for a range', { held: [heldWith(A, 'enforce', 1, 7)], desired: [wantedWith(A, 'enforce', 1, 8)] }, ['-1 +1 => user 1']],
  ['a range for an exact key: the range first', { held: [held(A, 'enforce', 2)], desired: [wantedWith(A, 'enforce', 1, 8)] }, ['+1 => ', '-1 => user 1']],
  ['an exact key for a range', { held: [heldWith(A, 'enforce', 1, 7)], desired: [wanted(A, 'enforce', 2)] }, ['-1 +1 => user 1']],
  ['a range and a mode', { held: [held(A, 'audit', 1)], desired: [wantedWith(A, 'enforce', 1, 7)] }, ['+1 => ', '- user 1 audit + user 1 enforce => user 1']],
];

for (const [what, { held = [], rebuild = false, ...input }, steps] of [...CASES, ...RANGES]) {
  test(`plan: ${what}`, (t) => t.deepEqual(planSteps({ held: new Map(held), rebuild, ...input }).map(show), steps));
}

function carried(steps: readonly Step[]): [string, Counter][] {
  const operations = steps.flatMap(({ transaction }) => transaction);
  return operations.flatMap((operation) => (operation.do === 'add' ? [...(operation.counters ?? [])].map(([element, counter]): [string, Counter] => [elementId(element), counter]) : []));
}

// a gate may be half there: somebody else emptied the map of modes, and the counting set still has the principal
test('in a large load, who has lost its mode is held at once', (t) => {
  const [name, holding] = held(A, 'enforce', 1500);
  const half = { ...holding, gate: holding.gate.filter(({ set }) => set !== 'user_mode') };
  const steps = planSteps({ held: new Map([[name, half]]), desired: [wanted(A, 'enforce', 1500, 1500), wanted(B, 'enforce', 1)], rebuild: false });
  t.is(steps.map(show)[0], '+ user 1 hold, user 2 hold => ');
});

test('a gate that changes its mode takes its counter along, one that stays needs none', (t) => {
  const counters = new Map([['user_mode 1', { packets: 5, bytes: 300 }], ['user_refused 1', { packets: 1, bytes: 60 }], ['user_mode 2', { packets: 9, bytes: 540 }]]);
  const input = { held: new Map([held(A, 'enforce', 1), held(B, 'enforce', 1)]), desired: [wanted(A, 'audit', 1), wanted(B, 'enforce', 2)], rebuild: false };
  t.deepEqual(carried(planSteps({ ...input, counters })), [['user_mode 1', { packets: 5, bytes: 300 }]]);
  t.deepEqual(carried(planSteps(input)), []);
  const large = { ...input, desired: [wanted(A, 'audit', 3000), wanted(B, 'enforce', 2)] };
  t.deepEqual(carried(planSteps({ ...large, counters })), [['user_mode 1', { packets: 5, bytes: 300 }]]);
});

const people: readonly Who[] = [...[1, 2, 3, 4].map((id): Who => ['user', id]), ...[1, 2].map((id): Who => ['group', id])];
/** Few runs would be large if all sizes were as likely. */
const count = fc.oneof(fc.nat(4), fc.constantFrom(1, 700, 990, 1990, 1999, 2000, 2001, 4100));
const range = fc.record({ first: fc.constantFrom(0, 1, 600), count });
const before = fc.record({ mode: fc.constantFrom<KernelMode | null>(null, 'enforce', 'audit', 'block', 'hold'), range, drains: fc.nat(3) });
const after = fc.record({ mode: fc.constantFrom<KernelMode>('enforce', 'audit', 'block'), range, drains: fc.nat(3) });
const person = fc.record({ before: fc.option(before), after: fc.option(after) });

type Situation = {
  readonly held: Map<string, Holding>;
  readonly desired: PrincipalRuleset[];
  readonly drains: Map<string, ElementChanges>;
  readonly kernel: Map<string, Element>;
  readonly goal: Map<string, Element>;
};

const situation = fc.tuple(fc.array(person, { minLength: people.length, maxLength: people.length }), fc.boolean()).map(([states, rebuild]) => {
  const made: Situation = { held: new Map(), desired: [], drains: new Map(), kernel: new Map(), goal: new Map() };
  const put = (into: Map<string, Element>, elements: readonly Element[]) => {
    for (const element of elements) into.set(elementId(element), element);
  };
  for (const [index, { before, after }] of states.entries()) {
    const who = people[index] ?? A;
    const old = rebuild ? null : before;
    const draining = Array.from({ length: old?.drains ?? 0 }, (_, key) => drain(who, key));
    if (old !== null) {
      const [principal, holding] = held(who, old.mode, old.range.count, old.range.first);
      made.held.set(principal, holding);
      put(made.kernel, [...holding.gate, ...holding.elements, ...draining]);
    }
    const next = Array.from({ length: after?.drains ?? 0 }, (_, key) => drain(who, key + 1));
    const has = (list: readonly Element[], one: Element) => list.some(({ key }) => key === one.key);
    const changes = { added: next.filter((one) => !has(draining, one)), removed: draining.filter((one) => !has(next, one)) };
    if (changes.added.length + changes.removed.length > 0) made.drains.set(named(who), changes);
    if (after !== null) {
      const ruleset = after.mode === 'block' ? wanted(who, 'block', 0) : wanted(who, after.mode, after.range.count, after.range.first);
      made.desired.push(ruleset);
      put(made.goal, [...ruleset.gate, ...ruleset.elements, ...next]);
    }
  }
  return { ...made, rebuild };
});

/** What one principal has, in the order of nothing. */
const possessions = (kernel: ReadonlyMap<string, Element>, [kind, id]: Who) =>
  [...kernel.values()].filter(({ set, key }) => set === `${kind}_egress4` && key.startsWith(`${id} . `)).map(elementId).toSorted().join();
const modeOf = (kernel: ReadonlyMap<string, Element>, [kind, id]: Who) => kernel.get(`${kind}_mode ${id}`)?.mode ?? null;

/** Faults of one operation on the model; drains alone may be added again, as the packet path knows them too. */
function perform(kernel: Map<string, Element>, operation: Operation): string[] {
  if (operation.do === 'rebuild') {
    kernel.clear();
    return [];
  }
  if (operation.do !== 'add' && operation.do !== 'remove') return [`did ${operation.do}`];
  const faults: string[] = operation.elements.length === 0 ? ['an operation on nothing'] : [];
  for (const element of operation.elements) {
    const id = elementId(element);
    if (operation.do === 'remove' && !kernel.delete(id)) faults.push(`removed ${id}, which was not there`);
    if (operation.do === 'remove') continue;
    if (kernel.has(id)) faults.push(`added ${id}, which was there`);
    kernel.set(id, element);
  }
  return faults;
}

test('step by step, nobody passes what is not allowed and nobody is cut off, until all is as desired', (t) => {
  const seen = { steps: 0, large: 0 };
  fc.assert(
    fc.property(situation, ({ held, desired, drains, kernel, goal, rebuild }) => {
      const start = new Map(people.map((who) => [named(who), { mode: modeOf(kernel, who), owns: possessions(kernel, who) }]));
      const end = new Map(people.map((who) => [named(who), { mode: modeOf(goal, who), owns: possessions(goal, who) }]));
      const steps = planSteps({ held, desired, drains, rebuild });
      const completed: string[] = [];
      const released: string[] = [];
      seen.steps += 1;
      if (steps.length > 2) seen.large += 1;
      for (const [index, { transaction, completes, releases }] of steps.entries()) {
        t.deepEqual(transaction.flatMap((operation) => perform(kernel, operation)), []);
        completed.push(...completes.map(({ principal }) => principal));
        released.push(...releases);
        for (const who of people) {
          const [name, mode, owns] = [named(who), modeOf(kernel, who), possessions(kernel, who)];
          const [first, last] = [start.get(name), end.get(name)];
          if (last?.mode === null) {
            if (owns !== first?.owns) t.is(mode, null, `${name} leaves: its gate goes before the rest`);
            if (released.includes(name)) t.deepEqual([mode, owns], [null, '']);
          } else {
            t.true(mode !== null, `${name} is governed from the first step on`);
            t.true(owns === first?.owns || owns === last?.owns, `${name} is never half filled`);
            if (mode === 'enforce' || mode === 'audit') {
              const whole = mode === last?.mode && owns === last.owns;
              t.true(whole || (mode === first?.mode && owns === first.owns), `${name} is open with what it had, or with what it should have`);
            }
            if (completed.includes(name)) t.deepEqual([mode, owns], [last?.mode, last?.owns], `${name} stays complete`);
          }
        }
        if (index === 0 && rebuild) t.is(transaction[0]?.do, 'rebuild');
      }
      t.deepEqual([...kernel.keys()].toSorted(), [...goal.keys()].toSorted());
      for (const [id, element] of goal) {
        const is = kernel.get(id);
        t.true(is !== undefined && sameElement(is, element));
      }
      t.deepEqual(released.toSorted(), [...held.keys()].filter((name) => end.get(name)?.mode === null).toSorted());
      t.is(new Set(completed).size, completed.length, 'completed once');
    }),
    { numRuns: 150 },
  );
  t.true(seen.large > seen.steps / 10, 'large loads were among them');
});

test('a step is small, or of one principal alone, and small ones come first', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000), { minLength: 1, maxLength: 12 }), (counts) => {
      const desired = counts.map((count, id) => wanted(['user', id], 'enforce', count));
      const steps = planSteps({ held: new Map(), desired, rebuild: false });
      const opened = steps.flatMap(({ completes }) => completes);
      t.is(opened.length, desired.length);
      for (const { completes, transaction } of steps) {
        const added = transaction.flatMap((operation) => (operation.do === 'add' ? operation.elements : []));
        t.true(completes.length <= 1 || added.length <= BULK);
      }
      if (steps.length > 1) t.deepEqual(opened.map(({ elements }) => elements.length), counts.toSorted((a, b) => a - b));
    }),
  );
});
