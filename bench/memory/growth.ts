/** Curves of what a daemon of each size needs. Pure. */
import type { Curve } from '../outcome.ts';

/** MB and % of a core. */
export type Need = {
  readonly size: number;
  readonly idle: number;
  readonly busy: number;
  readonly most: number;
  readonly children: number;
  readonly idleShare: number;
  readonly busyShare: number;
};

type Line = readonly [name: string, value: (need: Need) => number];

const MEMORY: readonly Line[] = [
  ['daemon, idle', ({ idle }) => idle],
  ['daemon, after changes', ({ busy }) => busy],
  ['daemon, the most it ever had', ({ most }) => most],
  ['its nft', ({ children }) => children],
];

const CPU: readonly Line[] = [
  ['idle', ({ idleShare }) => idleShare],
  ['with changes', ({ busyShare }) => busyShare],
];

const drawn = (what: string, unit: string, label: string, lines: readonly Line[], needs: readonly Need[]): Curve => ({
  what,
  x: { label, scale: 'logarithmic' },
  y: { label: unit, scale: 'linear' },
  lines: lines.map(([name, value]) => ({ name, points: needs.map((need) => ({ x: need.size, y: value(need) })) })),
});

/** `label`: of what there are so many. */
export const curvesOf = (label: string, needs: readonly Need[]): Curve[] => [drawn(`memory by ${label}`, 'MB', label, MEMORY, needs), drawn(`CPU by ${label}`, '% of a core', label, CPU, needs)];
