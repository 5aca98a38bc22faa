import test from 'ava';
import { linear, logarithmic, short, type Span } from '../../bench/scale.ts';

const linears: readonly (readonly [span: Span, ticks: readonly number[]])[] = [
  [{ least: 3, most: 9.5 }, [0, 2, 4, 6, 8, 10]],
  [{ least: 0, most: 1 }, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [{ least: 0, most: 0.3 }, [0, 0.1, 0.2, 0.3]],
  [{ least: -3, most: 7 }, [-4, -2, 0, 2, 4, 6, 8]],
  [{ least: 0, most: 0 }, [0, 0.2]],
  [{ least: 100, most: 1234 }, [0, 500, 1000, 1500]],
];
for (const [span, ticks] of linears) test(`linear, ${span.least} to ${span.most}`, (t) => t.deepEqual(linear(span, 0, 100).ticks, ticks));

const logarithms: readonly (readonly [span: Span, ticks: readonly number[]])[] = [
  [{ least: 10, most: 10_000 }, [10, 100, 1000, 10_000]],
  [{ least: 12, most: 80 }, [10, 20, 50, 100]],
  [{ least: 0.5, most: 20 }, [0.1, 1, 10, 100]],
  [{ least: 7, most: 7 }, [1, 2, 5, 10]],
];
for (const [span, ticks] of logarithms) test(`logarithmic, ${span.least} to ${span.most}`, (t) => t.deepEqual(logarithmic(span, 0, 100).ticks, ticks));

test('values lie between the ends, upside down if those are', (t) => {
  t.is(linear({ least: 0, most: 10 }, 20, 120).at(5), 70);
  t.is(linear({ least: 0, most: 10 }, 300, 100).at(10), 100);
  t.is(logarithmic({ least: 1, most: 100 }, 0, 100).at(10), 50);
});

test('short', (t) => t.deepEqual([0, 0.1, 12, 999, 1000, 12_500, 2_000_000, -1500].map(short), ['0', '0.1', '12', '999', '1k', '12.5k', '2M', '-1.5k']));
