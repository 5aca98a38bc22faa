/** Axes: where a value lies, and which values are named. */
export type Scale = { readonly at: (value: number) => number; readonly ticks: readonly number[]; readonly text: (tick: number) => string };

export type Span = { readonly least: number; readonly most: number };

/** Tolerates what adding up steps of 0.1 does to floating point. */
const tidy = (value: number): number => Number(value.toPrecision(12));

/** 1, 2 or 5 times a power of ten, so that about `count` of them fill the span. */
const stepOf = ({ least, most }: Span, count: number): number => {
  const rough = (most - least) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
};

const SUFFIXES = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const;

/** 12,000,000 as 12M: short enough to stand under a tick. */
export const short = (value: number): string => {
  const [unit, suffix] = SUFFIXES.find(([size]) => Math.abs(value) >= size) ?? [1, ''];
  return `${Number((value / unit).toPrecision(3))}${suffix}`;
};

/** From zero, or below it if need be. `from` and `to` are where the drawing begins and ends. */
export const linear = ({ least, most }: Span, from: number, to: number): Scale => {
  const bottom = Math.min(0, least);
  const step = stepOf({ least: bottom, most: most > bottom ? most : bottom + 1 }, 5);
  const first = Math.floor(bottom / step);
  const last = Math.max(first + 1, Math.ceil(tidy(most / step)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => tidy((first + index) * step));
  return { at: (value) => from + ((value - first * step) / ((last - first) * step)) * (to - from), ticks, text: short };
};

/** Whole powers of ten, and where there are few of them 2 and 5 times those. Nothing at or below zero has a place on it. */
export const logarithmic = ({ least, most }: Span, from: number, to: number): Scale => {
  const first = Math.floor(tidy(Math.log10(least)));
  const last = Math.max(first + 1, Math.ceil(tidy(Math.log10(most))));
  const factors = last - first <= 2 ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: last - first }, (_, index) => factors.map((factor) => tidy(factor * 10 ** (first + index)))).flat();
  return { at: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from), ticks: [...ticks, 10 ** last], text: short };
};
