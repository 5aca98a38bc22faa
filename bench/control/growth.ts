/** How what was measured grows with the number of policies. Pure. */
import { quantile } from '../figures.ts';
import type { Curve, Point } from '../outcome.ts';

/** Samples by name of the line, and then by number of policies. */
export type Growth = Map<string, Map<number, number[]>>;

export const note = (growth: Growth, line: string, policies: number, ...samples: readonly number[]): void => {
  const sizes = growth.get(line) ?? new Map<number, number[]>();
  growth.set(line, sizes);
  sizes.set(policies, [...(sizes.get(policies) ?? []), ...samples]);
};

const pointOf = (x: number, samples: readonly number[]): Point => ({ x, y: quantile(samples, 0.5), low: Math.min(...samples), high: Math.max(...samples) });

/** `lines`: which of them, in this order; those that nothing was measured of are left out. */
export const curveOf = (growth: Growth, what: string, lines: readonly string[], label = 'policies'): Curve => ({
  what,
  x: { label, scale: 'logarithmic' },
  y: { label: 'ms', scale: 'logarithmic' },
  lines: lines.flatMap((name) => {
    const sizes = growth.get(name);
    return sizes === undefined ? [] : [{ name, points: [...sizes].map(([policies, samples]) => pointOf(policies, samples)) }];
  }),
});

/** How many times as long with the most policies as with the fewest; null: not measured at two sizes. */
export const timesOf = (growth: Growth, line: string): { readonly fewest: number; readonly most: number; readonly times: number } | null => {
  const sizes = [...(growth.get(line) ?? [])].sort(([a], [b]) => a - b);
  const [least, greatest] = [sizes[0], sizes.at(-1)];
  if (least === undefined || greatest === undefined || least[0] === greatest[0]) return null;
  return { fewest: least[0], most: greatest[0], times: quantile(greatest[1], 0.5) / quantile(least[1], 0.5) };
};
