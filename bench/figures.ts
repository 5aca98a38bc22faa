/** What a benchmark finds, and how it is printed. */
export type Figure = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The value should not be above this. */
  readonly atMost?: number;
  /** What the value was taken from, in the order of measuring. */
  readonly samples?: readonly number[];
};

const rounded = (value: number): number => (Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100);

/** The nearest-rank quantile; where it falls between two samples (the median of an even number) their mean. */
export const quantile = (samples: readonly number[], share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = share * sorted.length;
  const [below = Number.NaN, above = below] = sorted.slice(Math.max(0, Math.ceil(rank) - 1));
  return Number.isInteger(rank) && rank > 0 ? (below + above) / 2 : below;
};

const goal = (atMost: number | undefined): Pick<Figure, 'atMost'> => (atMost === undefined ? {} : { atMost: rounded(atMost) });

export const median = (what: string, unit: string, samples: readonly number[], atMost?: number): Figure => ({
  what,
  value: rounded(quantile(samples, 0.5)),
  unit,
  ...goal(atMost),
  samples: samples.map(rounded),
});

export const single = (what: string, value: number, unit: string, atMost?: number): Figure => ({ what, value: rounded(value), unit, ...goal(atMost) });

export const tableOf = (figures: readonly Figure[]): string => {
  const rows = figures.map(({ what, value, unit, atMost, samples }) => [
    what,
    `${value} ${unit}`,
    atMost === undefined ? '' : `<= ${atMost} ${unit} ${value <= atMost ? 'met' : 'MISSED'}`,
    samples === undefined ? '' : `${samples.length} runs, ${Math.min(...samples)} to ${Math.max(...samples)}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()).join('\n');
};
