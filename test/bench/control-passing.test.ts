import test from 'ava';
import { firstAfter, passingOf } from '../../bench/control/passing.ts';

test('lines of the program', (t) => {
  t.deepEqual(passingOf('1500000 1'), { at: 1.5, open: true });
  t.deepEqual(passingOf('2000000 0'), { at: 2, open: false });
  t.throws(() => passingOf('rest 1 2'), { message: /rest 1 2/ });
});

const seen = ['1000000 0', '3000000 1', '5000000 0', '7000000 1'].map(passingOf);
const FIRST: readonly [open: boolean, since: number, at: number | null][] = [
  [true, 0, 3],
  [true, 3, 3],
  [true, 4, 7],
  [false, 2, 5],
  [false, 6, null],
];
for (const [open, since, at] of FIRST) test(`first ${open ? 'open' : 'shut'} since ${since}`, (t) => t.is(firstAfter(seen, open, since), at));
