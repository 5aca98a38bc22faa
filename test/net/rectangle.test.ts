import test from 'ava';
import * as fc from 'fast-check';
import { maxValue } from '../../src/net/address.ts';
import {
  covers, paint, paintPorts, portIndex, portsAt, subtract, union,
  type Labelled, type PortInterval, type PortLayer, type Rectangle,
} from '../../src/net/rectangle.ts';

/** The model: a grid of 16 addresses × 16 ports, painted cell by cell. */
const SIZE = 16;
type Label = 'a' | 'b' | 'c';
type Grid = readonly (readonly (Label | null)[])[];

const range = fc.tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
const rectangle: fc.Arbitrary<Rectangle> = fc.tuple(range, range).map(([addresses, ports]) => ({
  addresses: { first: BigInt(addresses.first), last: BigInt(addresses.last) }, ports,
}));
const label = fc.constantFrom<Label>('a', 'b', 'c');
const layer: fc.Arbitrary<Labelled<Label>> = fc.tuple(rectangle, label).map(([of, label]) => ({ ...of, label }));
const layers = fc.array(layer, { maxLength: 7 });
const holes = fc.array(rectangle, { maxLength: 3 });

const rect = (addressFirst: bigint, addressLast: bigint, portFirst: number, portLast: number): Rectangle =>
  ({ addresses: { first: addressFirst, last: addressLast }, ports: { first: portFirst, last: portLast } });

const inside = ({ addresses, ports }: Rectangle, address: number, port: number) =>
  addresses.first <= address && address <= addresses.last && ports.first <= port && port <= ports.last;

function gridOf(stack: readonly Labelled<Label>[], erased: readonly Rectangle[]): Grid {
  return Array.from({ length: SIZE }, (_, address) => Array.from({ length: SIZE }, (_, port) =>
    erased.some((hole) => inside(hole, address, port)) ? null : stack.find((of) => inside(of, address, port))?.label ?? null));
}

function row(cells: readonly (Label | null)[]): PortLayer<Label>[] {
  const list: { ports: { first: number; last: number }; label: Label }[] = [];
  for (const [port, label] of cells.entries()) {
    const before = list.at(-1);
    if (label === null) continue;
    if (before?.label === label && before.ports.last === port - 1) before.ports.last = port;
    else list.push({ ports: { first: port, last: port }, label });
  }
  return list;
}

/** The normal form, found the slow way: each port interval of a row reaches down as long as the next row has it too. */
function normalForm(grid: Grid): Labelled<Label>[] {
  const rows = grid.map(row);
  const has = (address: number, item: PortLayer<Label>) =>
    rows[address]?.some(({ ports, label }) => label === item.label && ports.first === item.ports.first && ports.last === item.ports.last) === true;
  return rows.flatMap((items, first) => items.filter((item) => !has(first - 1, item)).map((item) => {
    let last = first;
    while (has(last + 1, item)) last += 1;
    return { addresses: { first: BigInt(first), last: BigInt(last) }, ...item };
  }));
}

test('painting gives the normal form of the painted grid', (t) => {
  fc.assert(fc.property(layers, holes, (stack, erased) => {
    t.deepEqual(paint(stack, erased), normalForm(gridOf(stack, erased)));
  }), { numRuns: 3000 });
});

test('painting the result again changes nothing, in any order, and neither do the holes', (t) => {
  fc.assert(fc.property(layers, holes, fc.infiniteStream(fc.nat(100)), (stack, erased, dice) => {
    const once = paint(stack, erased);
    const shuffled = once.map((of) => ({ of, key: dice.next().value })).sort((a, b) => a.key - b.key).map(({ of }) => of);
    t.deepEqual(paint(once, []), once);
    t.deepEqual(paint(shuffled, erased), once);
  }), { numRuns: 500 });
});

test('the result depends on the region, not on how it was put together', (t) => {
  fc.assert(fc.property(fc.array(rectangle, { maxLength: 6 }), fc.infiniteStream(fc.nat(100)), (region, dice) => {
    const cells = region.flatMap(({ addresses, ports }) =>
      Array.from({ length: Number(addresses.last - addresses.first) + 1 }, (_, index) => addresses.first + BigInt(index))
        .map((address) => ({ addresses: { first: address, last: address }, ports })));
    const shuffled = cells.map((of) => ({ of, key: dice.next().value })).sort((a, b) => a.key - b.key).map(({ of }) => of);
    t.deepEqual(union(shuffled), union(region));
    t.deepEqual(union(region.toReversed()), union(region));
  }), { numRuns: 500 });
});

test('subtract is set difference, covers is membership', (t) => {
  fc.assert(fc.property(fc.array(rectangle, { maxLength: 6 }), holes, (a, b) => {
    const rest = subtract(a, b);
    for (let address = 0; address < SIZE; address += 1) {
      for (let port = 0; port < SIZE; port += 1) {
        const [inA, inB] = [a, b].map((region) => region.some((of) => inside(of, address, port)));
        if (covers(rest, BigInt(address), port) !== (inA === true && inB === false)) t.fail(`${address} × ${port}`);
      }
    }
    t.is(rest.filter((left, index) => rest.slice(index + 1).some((right) => overlap(left, right))).length, 0);
  }), { numRuns: 500 });
});

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.addresses.first <= b.addresses.last && b.addresses.first <= a.addresses.last
    && a.ports.first <= b.ports.last && b.ports.first <= a.ports.last;
}

test('the ports at an address, by scan and by index, are those of the grid', (t) => {
  fc.assert(fc.property(fc.array(rectangle, { maxLength: 7 }), (region) => {
    const grid = gridOf(region.map((of) => ({ ...of, label: 'a' })), []);
    const lookup = portIndex(region);
    for (const [address, cells] of grid.entries()) {
      const expected = row(cells).map(({ ports }) => ports);
      t.deepEqual(portsAt(region, BigInt(address)), expected);
      t.deepEqual(lookup(BigInt(address)), expected);
    }
    t.deepEqual(lookup(BigInt(SIZE)), []);
  }), { numRuns: 500 });
});

const atZero = (ports: PortInterval): Rectangle => ({ addresses: { first: 0n, last: 0n }, ports });

test('painting ports alone is painting one address', (t) => {
  const portLayers = fc.array(fc.tuple(range, label).map(([ports, label]) => ({ ports, label })), { maxLength: 7 });
  fc.assert(fc.property(portLayers, fc.array(range, { maxLength: 3 }), (stack, erased) => {
    const [cells = []] = gridOf(stack.map(({ ports, label }) => ({ ...atZero(ports), label })), erased.map(atZero));
    t.deepEqual(paintPorts(stack, erased), row(cells));
  }), { numRuns: 1000 });
});

test('the earlier layer keeps the ground', (t) => {
  t.deepEqual(paint([{ ...rect(2n, 3n, 80, 80), label: 'narrow' }, { ...rect(0n, 9n, 70, 90), label: 'wide' }], []), [
    { ...rect(0n, 1n, 70, 90), label: 'wide' },
    { ...rect(2n, 3n, 70, 79), label: 'wide' },
    { ...rect(2n, 3n, 80, 80), label: 'narrow' },
    { ...rect(2n, 3n, 81, 90), label: 'wide' },
    { ...rect(4n, 9n, 70, 90), label: 'wide' },
  ]);
});

test('labels are compared by identity: what reads alike stays apart', (t) => {
  const [one, other] = [{ entry: 'x' }, { entry: 'x' }];
  t.is(paint([{ ...rect(0n, 1n, 1, 1), label: one }, { ...rect(2n, 3n, 1, 1), label: other }], []).length, 2);
  t.is(paint([{ ...rect(0n, 1n, 1, 1), label: one }, { ...rect(2n, 3n, 1, 1), label: one }], []).length, 1);
  t.is(paintPorts([{ ports: { first: 1, last: 1 }, label: one }, { ports: { first: 2, last: 2 }, label: other }], []).length, 2);
});

test('undefined is a label like any other', (t) => {
  t.deepEqual(paint([{ ...rect(0n, 1n, 1, 1), label: undefined }], []), [{ ...rect(0n, 1n, 1, 1), label: undefined }]);
});

test('nothing painted, and everything erased, is empty', (t) => {
  t.deepEqual(paint([], [rect(0n, 1n, 0, 1)]), []);
  t.deepEqual(subtract([rect(0n, maxValue(6), 0, 65535)], [rect(0n, maxValue(6), 0, 65535)]), []);
});

test('the whole of IPv6 and all ports, less one address and port', (t) => {
  const last = maxValue(6);
  t.deepEqual(subtract([rect(0n, last, 0, 65535)], [rect(7n, 7n, 443, 443)]), [
    rect(0n, 6n, 0, 65535),
    rect(7n, 7n, 0, 442),
    rect(7n, 7n, 444, 65535),
    rect(8n, last, 0, 65535),
  ]);
});

test('the arguments stay as they were', (t) => {
  const layers = [{ ...rect(0n, 4n, 1, 4), label: 'x' }, { ...rect(5n, 9n, 1, 4), label: 'x' }];
  const before = structuredClone(layers);
  t.deepEqual(paint(layers, []), [{ ...rect(0n, 9n, 1, 4), label: 'x' }]);
  t.deepEqual(layers, before);
});

test('a wide rectangle over many narrow ones is not cut up where they do not overlap', (t) => {
  const wide = { ...rect(0n, maxValue(4), 443, 443), label: 'everywhere' };
  const blocks = Array.from({ length: 10_000 }, (_, index) =>
    ({ ...rect(BigInt(index) << 16n, (BigInt(index) << 16n) + 255n, 80, 80), label: `block ${index}` }));
  const painted = paint([wide, ...blocks], []);
  t.is(painted.length, 10_001);
  t.deepEqual(painted[0], blocks[0]);
  t.deepEqual(painted[1], wide);
  t.deepEqual(painted.slice(2), blocks.slice(1));
  const lookup = portIndex(painted);
  t.deepEqual(lookup(9_999n << 16n), [{ first: 80, last: 80 }, { first: 443, last: 443 }]);
  t.deepEqual(lookup((9_999n << 16n) + 256n), [{ first: 443, last: 443 }]);
});

test('ten thousand holes in the whole of IPv4', (t) => {
  const erased = Array.from({ length: 10_000 }, (_, index) => rect((BigInt(index) << 16n) + 1n, (BigInt(index) << 16n) + 1n, 0, 65535));
  const rest = subtract([rect(0n, maxValue(4), 22, 22)], erased);
  t.is(rest.length, 10_001);
  t.false(covers(rest, (5000n << 16n) + 1n, 22));
  t.true(covers(rest, (5000n << 16n) + 2n, 22));
});
