import test from 'ava';
import * as fc from 'fast-check';
import { addressInNetwork, formatNetwork, maxValue, networkOf, parseAddress } from '../../src/net/address.ts';
import { addressIntervals, portIntervals, toNetworks, type PortInterval } from '../../src/net/interval.ts';

/** A universe of 24 numbers: small enough to ask about each, dense enough that spans touch, nest and overlap. */
const universe = Array.from({ length: 24 }, (_, index) => index);
const span = fc.tuple(fc.nat(23), fc.nat(23)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
const spans = fc.array(span, { maxLength: 8 });
const has = (list: readonly PortInterval[], value: number) => list.some(({ first, last }) => first <= value && value <= last);

/** The normal list of a set that is given by its members, found the slow way. */
function normal(member: (value: number) => boolean): PortInterval[] {
  const list: { first: number; last: number }[] = [];
  for (const value of universe.filter((value) => member(value))) {
    const before = list.at(-1);
    if (before?.last === value - 1) before.last = value;
    else list.push({ first: value, last: value });
  }
  return list;
}

const wide = (list: readonly PortInterval[]) => list.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }));

test('normalise, union, intersect and subtract are those of sets, on both axes', (t) => {
  fc.assert(fc.property(spans, spans, (listA, listB) => {
    const [a, b] = [portIntervals.normalise(listA), portIntervals.normalise(listB)];
    const [wideA, wideB] = [addressIntervals.normalise(wide(listA)), addressIntervals.normalise(wide(listB))];
    const union = normal((value) => has(listA, value) || has(listB, value));
    const both = normal((value) => has(listA, value) && has(listB, value));
    const rest = normal((value) => has(listA, value) && !has(listB, value));
    t.deepEqual(a, normal((value) => has(listA, value)));
    t.deepEqual(wideA, wide(a));
    t.deepEqual(portIntervals.union(listA, listB), union);
    t.deepEqual(addressIntervals.union(wideA, wideB), wide(union));
    t.deepEqual(portIntervals.intersect(a, b), both);
    t.deepEqual(addressIntervals.intersect(wideA, wideB), wide(both));
    t.deepEqual(portIntervals.subtract(a, b), rest);
    t.deepEqual(addressIntervals.subtract(wideA, wideB), wide(rest));
  }), { numRuns: 2000 });
});

test('contains and find ask about one number', (t) => {
  fc.assert(fc.property(spans, (list) => {
    const set = portIntervals.normalise(list);
    for (const value of universe) {
      t.is(portIntervals.contains(set, value), has(list, value));
      t.is(portIntervals.find(set, value), set.find(({ first, last }) => first <= value && value <= last));
    }
  }));
});

test('adjacent spans are one, and the input stays as it was', (t) => {
  const list = Object.freeze([Object.freeze({ first: 5, last: 6 }), Object.freeze({ first: 1, last: 4 }), Object.freeze({ first: 8, last: 9 })]);
  t.deepEqual(portIntervals.normalise(list), [{ first: 1, last: 6 }, { first: 8, last: 9 }]);
  t.deepEqual(list.map(({ first }) => first), [5, 1, 8]);
});

test('the ends of the IPv6 space are numbers like others', (t) => {
  const all = [{ first: 0n, last: maxValue(6) }];
  const ends = addressIntervals.subtract(all, [{ first: 1n, last: maxValue(6) - 1n }]);
  t.deepEqual(ends, [{ first: 0n, last: 0n }, { first: maxValue(6), last: maxValue(6) }]);
  t.deepEqual(addressIntervals.subtract(all, all), []);
  t.deepEqual(addressIntervals.union(ends, [{ first: 1n, last: maxValue(6) - 1n }]), all);
});

test('a span that ends before it begins is a bug', (t) => {
  const inverted = { first: 2, last: 1 };
  t.throws(() => portIntervals.normalise([inverted]), { instanceOf: RangeError, message: 'an interval ends at 1, before it begins at 2' });
  t.throws(() => portIntervals.sweep([inverted], (of) => of, () => {}), { instanceOf: RangeError });
  t.throws(() => toNetworks(4, { first: 2n, last: 1n }), { instanceOf: RangeError });
});

test('a sweep visits what is covered once, in order, with its covers in their order', (t) => {
  fc.assert(fc.property(spans, (list) => {
    const seen = new Map<number, readonly PortInterval[]>();
    let end = -1;
    portIntervals.sweep(list, (of) => of, (slab, active) => {
      t.true(slab.first > end && slab.first <= slab.last && active.length > 0);
      end = slab.last;
      for (const value of universe.slice(slab.first, slab.last + 1)) seen.set(value, [...active]);
    });
    for (const value of universe) {
      const covers = list.filter(({ first, last }) => first <= value && value <= last);
      t.deepEqual(seen.get(value) ?? [], covers);
      t.true((seen.get(value) ?? []).every((of, index) => of === covers[index]), 'the items themselves');
    }
  }), { numRuns: 500 });
});

const covers: readonly (readonly [first: string, last: string, networks: string])[] = [
  ['10.0.0.0', '10.255.255.255', '10.0.0.0/8'],
  ['10.0.0.1', '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', '10.0.0.6', '10.0.0.1 10.0.0.2/31 10.0.0.4/31 10.0.0.6'],
  ['10.0.0.0', '10.0.0.2', '10.0.0.0/31 10.0.0.2'],
  ['0.0.0.0', '255.255.255.255', '0.0.0.0/0'],
  ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::/0'],
  ['2001:db8::', '2001:db9:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db8::/31'],
];

for (const [from, to, expected] of covers) {
  test(`${from} to ${to} is covered by ${expected}`, (t) => {
    const [first, last] = [parseAddress(from), parseAddress(to)];
    t.true(first.ok && last.ok);
    if (!first.ok || !last.ok) return;
    t.is(toNetworks(first.value.family, { first: first.value.value, last: last.value.value }).map(formatNetwork).join(' '), expected);
  });
}

test('the networks of an interval cover it exactly, and no two of them make one', (t) => {
  const edge = fc.oneof(fc.bigInt({ min: 0n, max: 40n }), fc.bigInt({ min: 0n, max: maxValue(4) }));
  fc.assert(fc.property(edge, edge, (a, b) => {
    const interval = a < b ? { first: a, last: b } : { first: b, last: a };
    const networks = toNetworks(4, interval);
    t.deepEqual(addressIntervals.normalise(networks), [interval]);
    t.is(networks.reduce((sum, { first, last }) => sum + last - first + 1n, 0n), interval.last - interval.first + 1n, 'disjoint');
    for (const [index, right] of networks.entries()) {
      const left = networks[index - 1];
      const twins = left?.prefix === right.prefix && (left.first ^ right.first) === 1n << BigInt(32 - right.prefix);
      t.false(twins && (left.first & (1n << BigInt(32 - right.prefix))) === 0n);
    }
  }));
});

test('the worst interval of each family takes two networks for each bit, less two', (t) => {
  t.is(toNetworks(4, { first: 1n, last: maxValue(4) - 1n }).length, 62);
  t.is(toNetworks(6, { first: 1n, last: maxValue(6) - 1n }).length, 254);
  const [first] = toNetworks(6, { first: 1n, last: maxValue(6) - 1n });
  t.deepEqual(first, networkOf({ family: 6, value: 1n }));
  t.true(first !== undefined && addressInNetwork({ family: 6, value: 1n }, first));
});
