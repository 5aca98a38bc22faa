import test from 'ava';
import { curvesOf, type Need } from '../../bench/memory/growth.ts';
import { nameOf, zoneOf } from '../../bench/memory/names.ts';
import { coreShare } from '../../bench/processes.ts';

const need = (size: number): Need => ({ size, idle: size + 1, busy: size + 2, most: size + 3, children: size + 4, idleShare: size + 5, busyShare: size + 6 });

test('what is needed by size becomes a curve of memory and one of CPU', (t) => {
  const [memory, cpu] = curvesOf('policies', [need(10), need(100)]);
  t.deepEqual(memory?.lines.map(({ points }) => points.map(({ y }) => y)), [[11, 101], [12, 102], [13, 103], [14, 104]]);
  t.deepEqual(cpu?.lines.map(({ points }) => points.map(({ x, y }) => [x, y])), [[[10, 15], [100, 105]], [[10, 16], [100, 106]]]);
  t.is(memory?.what, 'memory by policies');
});

const ttls = (state: 'cached' | 'fresh'): number[] =>
  Object.values(zoneOf(1000, state)).map((behaviour) => ('ttl' in behaviour ? (behaviour.ttl ?? 0) : 0));

test('a cache has names of every age', (t) => {
  const fresh = ttls('fresh');
  const left = ttls('cached').map((ttl, index) => ttl / (fresh[index] ?? Number.NaN));
  t.true(left.every((share) => share > 0 && share <= 1));
  for (const tenth of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) t.is(left.filter((share) => Math.floor(share * 9.999) === tenth).length > 50, true, `${tenth}`);
});

test('names that move have other addresses at each answer, and none of another name', (t) => {
  const zone = zoneOf(100, 'moving');
  const all = Object.values(zone).flatMap((behaviour) => ('rotate' in behaviour ? behaviour.rotate.flat() : []));
  t.is(all.length, 600);
  t.is(new Set(all).size, 600);
  t.true(nameOf(99) in zone);
});

test('CPU between two samples is a share of a core', (t) => {
  const sample = { daemon: 0, children: 0 };
  t.is(coreShare({ ...sample, at: 10, cpu: 1 }, { ...sample, at: 20, cpu: 1.5 }), 5);
});
