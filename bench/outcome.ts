/** What a suite of benchmarks finds: data that is printed, recorded as JSON, and drawn from the JSON again. */
import type { Figure } from './figures.ts';

/** What one contestant measured, in the order of measuring. */
export type Series = { readonly name: string; readonly samples: readonly number[] };

/** The median of `of` divided by the median of `to` should be within these. */
export type Goal = { readonly of: string; readonly to: string; readonly atLeast?: number; readonly atMost?: number };

/** The same work, done by contestants in turns. */
export type Comparison = {
  readonly what: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** The contestant that the others are divided by. */
  readonly reference: string;
  readonly series: readonly Series[];
  readonly goals?: readonly Goal[];
  /** What a reader must know to not be misled. */
  readonly note?: string;
};

/** A median with the least and the greatest sample around it. */
export type Point = { readonly x: number; readonly y: number; readonly low?: number; readonly high?: number };

type Axis = { readonly label: string; readonly scale: 'linear' | 'logarithmic' };

/** How something grows. */
export type Curve = {
  /** Names its file as well. */
  readonly what: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[];
};

export type Outcome = { readonly figures?: readonly Figure[]; readonly comparisons?: readonly Comparison[]; readonly curves?: readonly Curve[]; readonly notes?: readonly string[] };

/** `short`: everything is done once, with the least of everything, in a few seconds; tells that the suite works, and nothing else. */
export type Effort = 'short' | 'full';
