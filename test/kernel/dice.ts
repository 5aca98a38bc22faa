/** Chance that can be had again: the same seed gives the same throws. */
export type Dice = {
  /** 0 to `sides` - 1. */
  below(sides: number): number;
  /** True that often. */
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Some of the list, `least` to `most` of them, in any order, none twice. */
  some<T>(list: readonly T[], least: number, most: number): T[];
};

/** mulberry32: 32 bits of state are enough for a test, and it fits on a page. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (sides: number) => Math.floor(next() * sides);
  return {
    below,
    chance: (share) => next() < share,
    pick(list) {
      const item = list[below(list.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    some(list, least, most) {
      const left = [...list];
      const count = Math.min(left.length, least + below(most - least + 1));
      return Array.from({ length: count }, () => left.splice(below(left.length), 1)).flat();
    },
  };
}
