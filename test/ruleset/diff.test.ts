import * as fc from 'fast-check';
import test from 'ava';
import { diffElements, expiringElements, NO_CHANGES } from '../../src/ruleset/diff.ts';
import { type Element, elementId, type ObservedElement, sameElement } from '../../src/ruleset/element.ts';

const of = (key: string, more: Partial<Element> = {}): Element => ({ set: 'user_egress4', key, mode: null, timeout: null, comment: null, ...more });
const keys = (elements: readonly Element[]) => elements.map(({ key }) => key);

const TABLE: readonly [what: string, from: Element[], to: Element[], added: string[], removed: string[]][] = [
  ['nothing from nothing', [], [], [], []],
  ['a first load', [], [of('a'), of('b')], ['a', 'b'], []],
  ['the end', [of('a'), of('b')], [], [], ['a', 'b']],
  ['one of each', [of('a'), of('b')], [of('b'), of('c')], ['c'], ['a']],
  ['another order', [of('a'), of('b')], [of('b'), of('a')], [], []],
  ['another comment', [of('a', { comment: 'x' })], [of('a', { comment: 'y' })], [], []],
  ['another timeout', [of('a', { timeout: 60 })], [of('a', { timeout: 90 })], [], []],
  ['one that begins to run out', [of('a')], [of('a', { timeout: 60 })], ['a'], ['a']],
  ['one that no longer runs out', [of('a', { timeout: 60 })], [of('a')], ['a'], ['a']],
  ['another mode', [of('a', { mode: 'enforce' })], [of('a', { mode: 'block' })], ['a'], ['a']],
  ['a mode that is none of ours', [of('a', { mode: null })], [of('a', { mode: 'block' })], ['a'], ['a']],
  ['one key in two sets', [of('a')], [of('a'), of('a', { set: 'group_egress4' })], ['a'], []],
];
for (const [what, from, to, added, removed] of TABLE) {
  test(`the difference: ${what}`, (t) => {
    const changes = diffElements(from, to);
    t.deepEqual(keys(changes.added), added);
    t.deepEqual(keys(changes.removed), removed);
  });
}

test('what is removed is what was there: its timeout says how to remove it', (t) => {
  const { added, removed } = diffElements([of('a', { timeout: 60 })], [of('a')]);
  t.is(removed[0]?.timeout, 60);
  t.is(added[0]?.timeout, null);
});

test('a list has no difference to itself', (t) => {
  const list = [of('a')];
  t.is(diffElements(list, list), NO_CHANGES);
});

const anyElements = fc.uniqueArray(
  fc.record({
    set: fc.constantFrom('user_egress4', 'group_egress4', 'user_mode'),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    mode: fc.constantFrom(null, 'enforce' as const, 'audit' as const),
    timeout: fc.constantFrom(null, 60, 90),
    comment: fc.constantFrom(null, 'x', 'y'),
  }),
  { selector: elementId },
);

test('removing and then adding the difference leads from any elements to any others', (t) => {
  fc.assert(
    fc.property(anyElements, anyElements, (from, to) => {
      const { added, removed } = diffElements(from, to);
      const held = new Map<string, Element>(from.map((element) => [elementId(element), element]));
      for (const element of removed) t.true(held.delete(elementId(element)), 'removed what is not there');
      for (const element of added) {
        t.false(held.has(elementId(element)), 'added what is there already');
        held.set(elementId(element), element);
      }
      t.deepEqual([...held.keys()].toSorted(), to.map(elementId).toSorted());
      for (const element of to) t.true(sameElement(held.get(elementId(element)) ?? of('none'), element));
    }),
    { numRuns: 500 },
  );
});

const observed = (element: Element, expires: number | null): [string, ObservedElement] => [elementId(element), { ...element, expires, counter: null }];

const EXPIRING: readonly [what: string, timeout: number | null, expires: number | null, renewed: boolean][] = [
  ['fresh', 100, 99, false],
  ['half its time is left', 100, 50, false],
  ['less than half is left', 100, 49, true],
  ['about to go', 100, 0, true],
  ['permanent', null, null, false],
  ['permanent by desire, timed in the kernel', null, 10, false],
  ['timed by desire, permanent in the kernel', 100, null, false],
];
for (const [what, timeout, expires, renewed] of EXPIRING) {
  test(`renewal: ${what}`, (t) => {
    const element = of('a', { timeout });
    t.deepEqual(expiringElements([element], new Map([observed(element, expires)]), 0), renewed ? [element] : []);
  });
}

test('an element the kernel does not have is not renewed but missing', (t) => {
  t.deepEqual(expiringElements([of('a', { timeout: 100 })], new Map(), 0), []);
});
