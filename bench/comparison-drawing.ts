/** A comparison as horizontal bars: medians, with a whisker from the least to the greatest sample. */
import { digits, ratioText, type Row, rowsOf } from './comparison-table.ts';
import type { Comparison } from './outcome.ts';
import { linear, logarithmic, type Scale } from './scale.ts';
import { colourOf, drawing, element, label, line, widthOf } from './svg.ts';

const WIDTH = 720;
const STEP = 30;
const THICK = 16;
const TOP = 56;
/** Room at the right for "12.34 ×  1234". */
const FIGURES = 136;
/** Beyond this, bars on a linear axis would show one contestant and hairlines. */
const APART = 40;

const scaleOf = (rows: readonly Row[], from: number, to: number): Scale & { readonly kind: string } => {
  const most = Math.max(...rows.map((row) => row.most));
  const least = Math.min(...rows.map((row) => row.least));
  const medians = rows.map(({ median }) => median);
  return least > 0 && Math.max(...medians) / Math.min(...medians) > APART
    ? { ...logarithmic({ least, most }, from, to), kind: ', logarithmic' }
    : { ...linear({ least: 0, most }, from, to), kind: '' };
};

/** Ours stands out; the rivals look alike. */
const kindOf = (name: string): string => `bar ${name.startsWith('netwalld') ? colourOf(0) : colourOf(5)}`;

export const comparisonDrawing = (comparison: Comparison): string => {
  const rows = rowsOf(comparison);
  const left = 24 + Math.max(...rows.map(({ name }) => widthOf(name)));
  const right = WIDTH - FIGURES;
  const bottom = TOP + rows.length * STEP;
  const scale = scaleOf(rows, left, right);
  const bars = rows.flatMap(({ name, median, least, most, ratio }, index) => {
    const middle = TOP + index * STEP + STEP / 2;
    return [
      label(left - 10, middle + 4, name, { 'text-anchor': 'end' }),
      element('rect', { class: kindOf(name), x: left, y: middle - THICK / 2, width: scale.at(median) - left, height: THICK }),
      line(scale.at(least), middle, scale.at(most), middle, 'whisker'),
      ...[least, most].map((end) => line(scale.at(end), middle - 4, scale.at(end), middle + 4, 'whisker')),
      label(right + 62, middle + 4, ratioText(ratio), { 'text-anchor': 'end' }),
      label(right + 74, middle + 4, digits(median), { class: 'quiet' }),
    ];
  });
  return drawing(WIDTH, bottom + 48, comparison.what, [
    label(12, 42, `${comparison.better} is better; 1.00 × is ${comparison.reference}`, { class: 'quiet' }),
    ...scale.ticks.flatMap((tick) => [line(scale.at(tick), TOP, scale.at(tick), bottom, 'grid'), label(scale.at(tick), bottom + 16, scale.text(tick), { 'text-anchor': 'middle', class: 'quiet' })]),
    ...bars,
    line(left, TOP, left, bottom, 'axis'),
    label((left + right) / 2, bottom + 36, `${comparison.unit}${scale.kind}`, { 'text-anchor': 'middle' }),
  ]);
};
