import test from 'ava';
import { curveOf, type Growth, note, timesOf } from '../../bench/control/growth.ts';

const grown = (): Growth => {
  const growth: Growth = new Map();
  note(growth, 'edit', 10, 3, 1);
  note(growth, 'edit', 10, 2);
  note(growth, 'edit', 1000, 8, 6);
  note(growth, 'diff', 10, 5);
  return growth;
};

test('a curve has the medians, with the least and the greatest around them', (t) => {
  t.deepEqual(curveOf(grown(), 'change', ['edit', 'nothing', 'diff']).lines, [
    { name: 'edit', points: [{ x: 10, y: 2, low: 1, high: 3 }, { x: 1000, y: 7, low: 6, high: 8 }] },
    { name: 'diff', points: [{ x: 10, y: 5, low: 5, high: 5 }] },
  ]);
});

const TIMES: readonly [line: string, times: ReturnType<typeof timesOf>][] = [
  ['edit', { fewest: 10, most: 1000, times: 3.5 }],
  ['diff', null],
  ['nothing', null],
];
for (const [line, times] of TIMES) test(`how ${line} grows`, (t) => t.deepEqual(timesOf(grown(), line), times));
