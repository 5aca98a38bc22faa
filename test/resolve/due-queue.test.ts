import test from 'ava';
import * as fc from 'fast-check';
import { DueQueue } from '../../src/resolve/due-queue.ts';

const of = (...items: readonly (readonly [key: string, due: number])[]) => {
  const queue = new DueQueue();
  for (const [key, due] of items) queue.set(key, due);
  return queue;
};

function drained(queue: DueQueue): [string, number][] {
  const order: [string, number][] = [];
  for (let next = queue.peek(); next !== null && order.length < 1000; next = queue.peek()) {
    order.push([next.key, next.due]);
    queue.delete(next.key);
  }
  return order;
}

test('an empty queue', (t) => {
  const queue = of();
  t.is(queue.peek(), null);
  t.is(queue.size, 0);
  t.false(queue.has('a'));
  t.deepEqual([...queue.keys()], []);
});

test('the earliest comes first', (t) => {
  t.deepEqual(drained(of(['a', 3], ['b', 1], ['c', 2])), [['b', 1], ['c', 2], ['a', 3]]);
});

const CHANGES: readonly [what: string, change: (queue: DueQueue) => void, order: string][] = [
  ['later', (queue) => queue.set('a', 9), 'bca'],
  ['earlier', (queue) => queue.set('c', 0), 'cab'],
  ['to the same time', (queue) => queue.set('b', 2), 'abc'],
  ['away', (queue) => queue.delete('b'), 'ac'],
  ['away, the first', (queue) => queue.delete('a'), 'bc'],
  ['away, the last', (queue) => queue.delete('c'), 'ab'],
  ['away, though not there', (queue) => queue.delete('x'), 'abc'],
  ['to never', (queue) => queue.set('a', Number.POSITIVE_INFINITY), 'bca'],
  ['to before all time', (queue) => queue.set('c', Number.NEGATIVE_INFINITY), 'cab'],
];
for (const [what, change, order] of CHANGES) {
  test(`a key moves ${what}`, (t) => {
    const queue = of(['a', 1], ['b', 2], ['c', 3]);
    change(queue);
    t.is(drained(queue).map(([key]) => key).join(''), order);
  });
}

test('keys may be deleted while they are gone through', (t) => {
  const queue = of(['a', 1], ['b', 2], ['c', 3]);
  for (const key of queue.keys()) queue.delete(key);
  t.is(queue.size, 0);
});

/** Many keys and no times alike: what takes the place of a deleted key is then often due before those above it. */
test('what is left after many are deleted comes in order', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(999), { minLength: 30, maxLength: 60 }), fc.array(fc.nat(59), { maxLength: 12 }), (dues, places) => {
      const queue = of(...dues.map((due): [string, number] => [`${due}`, due]));
      const gone = new Set(places.flatMap((place) => dues[place] ?? []));
      for (const due of gone) queue.delete(`${due}`);
      t.deepEqual(drained(queue).map(([, due]) => due), dues.filter((due) => !gone.has(due)).toSorted((a, b) => a - b));
    }),
    { numRuns: 1000 },
  );
});

const key = fc.constantFrom(...Array.from({ length: 20 }, (_, index) => `k${index}`));
const due = fc.oneof(fc.nat(9), fc.integer());
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key, due }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ do: 'take' as const }) },
);

/** Sorted by time; what is due at one time may come in any order. */
type Model = { key: string; due: number }[];

test('it is a sorted list, whatever is set, moved, deleted and taken', (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 150 }), (commands) => {
      const queue = new DueQueue();
      let model: Model = [];
      for (const command of commands) {
        const taken = command.do === 'take' ? queue.peek()?.key : command.key;
        if (taken !== undefined) model = model.filter((item) => item.key !== taken);
        if (command.do === 'set') {
          queue.set(command.key, command.due);
          model.push({ key: command.key, due: command.due });
          model.sort((a, b) => a.due - b.due);
        } else if (taken !== undefined) queue.delete(taken);
        const first = queue.peek();
        t.is(first?.due, model[0]?.due);
        if (first !== null) t.true(model.some((item) => item.key === first.key && item.due === first.due));
        t.is(queue.size, model.length);
        t.deepEqual([...queue.keys()].sort(), model.map((item) => item.key).sort());
        t.is(queue.has('k0'), model.some((item) => item.key === 'k0'));
      }
      const rest = drained(queue);
      t.deepEqual(rest.map(([, due]) => due), model.map(({ due }) => due));
      t.deepEqual(Object.fromEntries(rest), Object.fromEntries(model.map((item) => [item.key, item.due])));
    }),
    { numRuns: 500 },
  );
});
