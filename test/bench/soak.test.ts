import test from 'ava';
import type { Point } from '../../bench/outcome.ts';
import { slopeOf, thinned } from '../../bench/soak/trend.ts';

const points = (...values: readonly (readonly [x: number, y: number])[]): Point[] => values.map(([x, y]) => ({ x, y }));

const SLOPES: readonly [title: string, points: readonly Point[], slope: number | null][] = [
  ['nothing has no slope', [], null],
  ['one sample has none', points([3, 100]), null],
  ['samples of one moment have none', points([3, 100], [3, 200]), null],
  ['a line has its own', points([0, 100], [1, 102], [3, 106]), 2],
  ['a sawtooth that stays has almost none', points([0, 100], [1, 104], [2, 104], [3, 100]), 0],
  ['what falls has a negative one', points([5, 100], [10, 90]), -2],
];
for (const [title, given, slope] of SLOPES) test(title, (t) => t.is(slopeOf(given), slope));

const THINNED: readonly [title: string, points: readonly Point[], most: number, left: readonly Point[]][] = [
  ['few points stay as they are', points([1, 5], [2, 7]), 2, points([1, 5], [2, 7])],
  ['none are left of none', [], 10, []],
  ['of many each stretch is one, with its least and greatest', points([1, 5], [2, 7], [3, 6], [4, 6], [5, 1]), 3, [
    { x: 2, y: 6, low: 5, high: 7 },
    { x: 4, y: 6, low: 6, high: 6 },
    { x: 5, y: 1, low: 1, high: 1 },
  ]],
];
for (const [title, given, most, left] of THINNED) test(title, (t) => t.deepEqual(thinned(given, most), left));
