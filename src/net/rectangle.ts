/**
 * Address × port rectangles: what a rule allows, before it becomes set elements.
 *
 * nft refuses overlapping concatenated ranges (the kernel's pipapo sets, net/netfilter/nft_set_pipapo.c), and the wall has
 * no deny set: so overlaps are settled and denials cut out here. The result is a normal form that depends on the painted
 * region only, not on how it was put together: the same policy always compiles to the same elements.
 */
import type { Interval } from './address.ts';
import { addressIntervals, portIntervals, type PortInterval } from './interval.ts';

export type { PortInterval } from './interval.ts';

/** All addresses are of one family; which one is the caller's to know. */
export type Rectangle = { readonly addresses: Interval; readonly ports: PortInterval };

/** Labels are compared by identity (`===`): two entries that read alike stay apart. */
export type Labelled<L> = Rectangle & { readonly label: L };

export type PortLayer<L> = { readonly ports: PortInterval; readonly label: L };

const ERASED = Symbol('erased');

/**
 * Lays the layers over each other: where they overlap, the earlier one keeps the ground. `erased` is cut out of everything.
 *
 * The result is disjoint and sorted by first address, then first port. At every address the ports of one label are as
 * wide as they go, and such a port interval is one rectangle over as many adjacent addresses as have exactly it. So
 * `0.0.0.0/0 × 443` over a thousand networks × 80 is 1,001 rectangles. O(n log n) plus the layers over each slab.
 */
export function paint<L>(layers: readonly Labelled<L>[], erased: readonly Rectangle[]): readonly Labelled<L>[] {
  type Open = { addresses: { first: bigint; last: bigint }; ports: PortInterval; label: L };
  const stack: Labelled<L | typeof ERASED>[] = [...erased.map((hole) => ({ ...hole, label: ERASED } as const)), ...layers];
  const painted: Open[] = [];
  /** The rectangles that reach to the end of the slab before, sorted by port. */
  let open: readonly Open[] = [];
  addressIntervals.sweep(stack, (layer) => layer.addresses, (slab, active) => {
    const touching = open[0]?.addresses.last === slab.first - 1n ? open : [];
    let before = 0;
    open = paintAxis(active).map(({ ports, label }) => {
      while ((touching[before]?.ports.first ?? Infinity) < ports.first) before += 1;
      const same = touching[before];
      if (same !== undefined && same.label === label && same.ports.first === ports.first && same.ports.last === ports.last) {
        same.addresses.last = slab.last;
        return same;
      }
      const begun = { addresses: { ...slab }, ports, label };
      painted.push(begun);
      return begun;
    });
  });
  return painted;
}

/** The same on the port axis alone: sorted, disjoint, each label as wide as it goes. */
export function paintPorts<L>(layers: readonly PortLayer<L>[], erased: readonly PortInterval[]): readonly PortLayer<L>[] {
  return paintAxis<L>([...erased.map((ports) => ({ ports, label: ERASED } as const)), ...layers]);
}

/** What is in `a` and not in `b`, in normal form. */
export function subtract(a: readonly Rectangle[], b: readonly Rectangle[]): readonly Rectangle[] {
  return paint(a.map(unlabelled), b).map(({ addresses, ports }) => ({ addresses, ports }));
}

/** The normal form of a region: no overlaps, and equal regions are equal data. */
export function union(region: readonly Rectangle[]): readonly Rectangle[] {
  return subtract(region, []);
}

export function covers(region: readonly Rectangle[], address: bigint, port: number): boolean {
  return region.some(({ addresses, ports }) =>
    addresses.first <= address && address <= addresses.last && ports.first <= port && port <= ports.last);
}

/** The ports of the region at this address, a normal list. Looks at every rectangle; see `portIndex`. */
export function portsAt(region: readonly Rectangle[], address: bigint): readonly PortInterval[] {
  return portIntervals.normalise(
    region.filter(({ addresses }) => addresses.first <= address && address <= addresses.last).map(({ ports }) => ports),
  );
}

/** `portsAt` for many addresses: sorts once, then each look-up is a binary search. */
export function portIndex(region: readonly Rectangle[]): (address: bigint) => readonly PortInterval[] {
  const slabs: (Interval & { readonly ports: readonly PortInterval[] })[] = [];
  addressIntervals.sweep(region, ({ addresses }) => addresses, (slab, active) => {
    slabs.push({ ...slab, ports: portIntervals.normalise(active.map(({ ports }) => ports)) });
  });
  return (address) => addressIntervals.find(slabs, address)?.ports ?? [];
}

function paintAxis<L>(stack: readonly PortLayer<L | typeof ERASED>[]): readonly PortLayer<L>[] {
  const painted: { ports: { first: number; last: number }; label: L }[] = [];
  portIntervals.sweep(stack, (layer) => layer.ports, (slab, [top]) => {
    if (top === undefined || top.label === ERASED) return;
    const before = painted.at(-1);
    if (before !== undefined && before.label === top.label && before.ports.last === slab.first - 1) {
      before.ports.last = slab.last;
    } else {
      painted.push({ ports: { ...slab }, label: top.label });
    }
  });
  return painted;
}

function unlabelled(rectangle: Rectangle): Labelled<null> {
  return { ...rectangle, label: null };
}
