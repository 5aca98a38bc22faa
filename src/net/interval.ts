/**
 * Set algebra on the two axes of a rule, addresses and ports. A set of numbers is a *normal* list of spans: sorted, with
 * a gap between any two. One set has one normal list, so equal sets are equal data. All functions return normal lists.
 *
 * Both axes use the same algorithms; only stepping to a neighbour differs between bigint and number.
 */
import { networkAt, networkOf, type Family, type Network } from './address.ts';

/** Inclusive at both ends, `first` ≤ `last`. A span that ends before it begins is a bug: RangeError. */
export type Span<N> = { readonly first: N; readonly last: N };

/** Port numbers 0 to 65535. */
export type PortInterval = Span<number>;

function algebra<N extends bigint | number>(next: (n: N) => N, previous: (n: N) => N) {
  type Spans = readonly Span<N>[];

  /** The normal list of any list: sorted, overlapping and adjacent spans merged. */
  function normalise(spans: Spans): Spans {
    const merged: { first: N; last: N }[] = [];
    for (const { first, last } of spans.map(checked).sort((a, b) => compare(a.first, b.first))) {
      const before = merged.at(-1);
      if (before === undefined || first > next(before.last)) merged.push({ first, last });
      else if (last > before.last) before.last = last;
    }
    return merged;
  }

  /** Takes any lists. */
  function union(a: Spans, b: Spans): Spans {
    return normalise([...a, ...b]);
  }

  /** What is in both. Takes normal lists. */
  function intersect(a: Spans, b: Spans): Spans {
    const common: Span<N>[] = [];
    let [left, right] = [0, 0];
    for (;;) {
      const [x, y] = [a[left], b[right]];
      if (x === undefined || y === undefined) return common;
      const first = x.first > y.first ? x.first : y.first;
      const last = x.last < y.last ? x.last : y.last;
      if (first <= last) common.push({ first, last });
      if (x.last < y.last) left += 1;
      else right += 1;
    }
  }

  /** What is in `a` and not in `b`. Takes normal lists. */
  function subtract(a: Spans, b: Spans): Spans {
    const rest: Span<N>[] = [];
    let hole = 0;
    for (const { first, last } of a) {
      let from = first;
      for (; from <= last; hole += 1) {
        const cut = b[hole];
        if (cut === undefined || cut.first > last) {
          rest.push({ first: from, last });
          break;
        }
        if (cut.first > from) rest.push({ first: from, last: previous(cut.first) });
        if (cut.last >= last) break; // it may reach into the next span too: keep it
        if (cut.last >= from) from = next(cut.last);
      }
    }
    return rest;
  }

  /** The span that holds the value, by binary search. Takes a sorted list of disjoint spans. */
  function find<S extends Span<N>>(spans: readonly S[], value: N): S | undefined {
    let [low, high] = [0, spans.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const span = spans[middle];
      if (span === undefined || value < span.first) high = middle;
      else if (value > span.last) low = middle + 1;
      else return span;
    }
    return undefined;
  }

  function contains(spans: Spans, value: N): boolean {
    return find(spans, value) !== undefined;
  }

  /**
   * Cuts the axis wherever a span of an item begins or ends and visits the slabs between the cuts in ascending order, each
   * with the items that cover it, in the order of `items`. Slabs that nothing covers are left out. `active` is only
   * valid during the visit. O(n log n) plus the number of items over each slab.
   */
  function sweep<T>(
    items: readonly T[],
    spanOf: (item: T) => Span<N>,
    visit: (slab: Span<N>, active: readonly T[]) => void,
  ): void {
    const events = items.flatMap((item, rank) => {
      const { first, last } = checked(spanOf(item));
      return [{ at: first, rank, item, opens: true }, { at: next(last), rank, item, opens: false }];
    });
    events.sort((a, b) => compare(a.at, b.at));
    const ranks: number[] = [];
    const active: T[] = [];
    let from = events[0]?.at;
    for (const { at, rank, item, opens } of events) {
      if (from !== undefined && at > from) {
        if (active.length > 0) visit({ first: from, last: previous(at) }, active);
        from = at;
      }
      const place = position(ranks, rank);
      if (opens) {
        ranks.splice(place, 0, rank);
        active.splice(place, 0, item);
      } else {
        ranks.splice(place, 1);
        active.splice(place, 1);
      }
    }
  }

  return { normalise, union, intersect, subtract, find, contains, sweep };
}

export const addressIntervals = algebra<bigint>((value) => value + 1n, (value) => value - 1n);
export const portIntervals = algebra<number>((value) => value + 1, (value) => value - 1);

/** The fewest networks that cover exactly this interval, ascending; at most 2 × 32 or 2 × 128 of them, less two. */
export function toNetworks(family: Family, interval: Span<bigint>): readonly Network[] {
  const networks: Network[] = [];
  const { last } = checked(interval);
  for (let first = interval.first; first <= last; ) {
    let network = networkOf({ family, value: first });
    while (network.prefix > 0) {
      const wider = networkAt({ family, value: first }, network.prefix - 1);
      if (wider.first < first || wider.last > last) break;
      network = wider;
    }
    networks.push(network);
    first = network.last + 1n;
  }
  return networks;
}

function checked<N extends bigint | number>(span: Span<N>): Span<N> {
  if (span.first > span.last) {
    throw new RangeError(`an interval ends at ${span.last}, before it begins at ${span.first}`);
  }
  return span;
}

function compare<N extends bigint | number>(a: N, b: N): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Where `rank` is, or belongs, in the ascending list. */
function position(ranks: readonly number[], rank: number): number {
  let [low, high] = [0, ranks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranks[middle] ?? rank) < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}
