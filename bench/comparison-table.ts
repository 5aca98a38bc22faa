/** A comparison as text: medians with their spread, and how often the reference's median goes into each. */
import { quantile } from './figures.ts';
import type { Comparison, Goal, Series } from './outcome.ts';

export const digits = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Two decimals, or as many as show it. */
export const ratioText = (ratio: number): string => `${ratio < 0.01 ? ratio.toPrecision(1) : ratio.toFixed(2)} ×`;

export const medianOf = ({ samples }: Series): number => quantile(samples, 0.5);

const named = (series: readonly Series[], name: string): Series => {
  const found = series.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no contestant "${name}"`);
  return found;
};

export type Row = { readonly name: string; readonly median: number; readonly least: number; readonly most: number; readonly runs: number; readonly ratio: number };

export const rowsOf = ({ series, reference }: Comparison): Row[] => {
  const whole = medianOf(named(series, reference));
  return series.map((each) => ({
    name: each.name,
    median: medianOf(each),
    least: Math.min(...each.samples),
    most: Math.max(...each.samples),
    runs: each.samples.length,
    ratio: medianOf(each) / whole,
  }));
};

export type Verdict = Goal & { readonly ratio: number; readonly met: boolean };

export const verdictsOf = ({ series, goals = [] }: Comparison): Verdict[] =>
  goals.map((goal) => {
    const ratio = medianOf(named(series, goal.of)) / medianOf(named(series, goal.to));
    return { ...goal, ratio, met: ratio >= (goal.atLeast ?? 0) && ratio <= (goal.atMost ?? Infinity) };
  });

export const sentenceOf = ({ of, to, atLeast, atMost, ratio, met }: Verdict): string =>
  `${of} / ${to}: ${ratio.toFixed(2)} (${atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`}) ${met ? 'met' : 'MISSED'}`;

export const comparisonTable = (comparison: Comparison): string => {
  const rows = rowsOf(comparison);
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(
    ({ name, median, least, most, runs, ratio }) => `    ${name.padEnd(width)}  ${ratioText(ratio).padStart(8)}  ${digits(median)} ${comparison.unit} (${runs} runs, ${digits(least)} to ${digits(most)})`,
  );
  return [`  ${comparison.what} (${comparison.better} is better; 1.00 = ${comparison.reference})`, ...lines, ...verdictsOf(comparison).map((verdict) => `    ${sentenceOf(verdict)}`)].join('\n');
};
