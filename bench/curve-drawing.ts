/** How something grows, as a drawing: one line for each name, with the spread of every point. */
import type { Curve, Point } from './outcome.ts';
import { linear, logarithmic, type Scale, type Span } from './scale.ts';
import { colourOf, drawing, element, label, line, widthOf } from './svg.ts';

const WIDTH = 720;
const HEIGHT = 400;
const area = { left: 64, right: WIDTH - 24, top: 64, bottom: HEIGHT - 52 } as const;
const LEGEND_STEP = 30;

const spanOf = (values: readonly number[]): Span => ({ least: Math.min(...values), most: Math.max(...values) });

const scaleOf = (kind: 'linear' | 'logarithmic', values: readonly number[], from: number, to: number): Scale =>
  kind === 'linear' ? linear(spanOf(values), from, to) : logarithmic(spanOf(values), from, to);

/** Where a logarithmic axis has no place for it, a point is left out. */
const placed = ({ x, y }: Curve, points: readonly Point[]): Point[] =>
  points.filter((point) => (x.scale === 'linear' || point.x > 0) && (y.scale === 'linear' || Math.min(point.y, point.low ?? point.y) > 0));

const legend = (names: readonly string[]): string[] => {
  let x: number = area.left;
  return names.flatMap((name, index) => {
    const start = x;
    x += widthOf(name) + LEGEND_STEP + 16;
    return [element('path', { class: `curve ${colourOf(index)}`, d: `M${start} 42h${LEGEND_STEP - 6}` }), label(start + LEGEND_STEP, 46, name)];
  });
};

const axes = ({ x, y }: Curve, across: Scale, up: Scale): string[] => [
  ...up.ticks.flatMap((tick) => [line(area.left, up.at(tick), area.right, up.at(tick), 'grid'), label(area.left - 8, up.at(tick) + 4, up.text(tick), { 'text-anchor': 'end', class: 'quiet' })]),
  ...across.ticks.flatMap((tick) => [line(across.at(tick), area.top, across.at(tick), area.bottom, 'grid'), label(across.at(tick), area.bottom + 18, across.text(tick), { 'text-anchor': 'middle', class: 'quiet' })]),
  line(area.left, area.bottom, area.right, area.bottom, 'axis'),
  line(area.left, area.top, area.left, area.bottom, 'axis'),
  label((area.left + area.right) / 2, HEIGHT - 12, x.label, { 'text-anchor': 'middle' }),
  label(16, (area.top + area.bottom) / 2, y.label, { 'text-anchor': 'middle', transform: `rotate(-90 16 ${(area.top + area.bottom) / 2})` }),
];

/** Hundreds of samples over time are a line; a handful are dots, each with its reach. */
const FEW = 40;

const drawnLine = (points: readonly Point[], across: Scale, up: Scale, colour: string): string[] => [
  element('path', { class: `curve ${colour}`, d: points.map((point, index) => `${index === 0 ? 'M' : 'L'}${across.at(point.x).toFixed(1)} ${up.at(point.y).toFixed(1)}`).join('') }),
  ...points.flatMap(({ x, y, low, high }) => [
    ...(low === undefined || high === undefined ? [] : [line(across.at(x), up.at(low), across.at(x), up.at(high), `reach ${colour}`)]),
    ...(points.length > FEW ? [] : [element('circle', { class: `dot ${colour}`, cx: across.at(x), cy: up.at(y), r: 3.5 })]),
  ]),
];

export const curveDrawing = (curve: Curve): string => {
  const lines = curve.lines.map(({ name, points }) => ({ name, points: placed(curve, points) }));
  const points = lines.flatMap((each) => each.points);
  if (points.length === 0) throw new Error(`Of "${curve.what}" there is no point that could be drawn`);
  const across = scaleOf(curve.x.scale, points.map(({ x }) => x), area.left, area.right);
  const up = scaleOf(curve.y.scale, points.flatMap(({ y, low = y, high = y }) => [low, y, high]), area.bottom, area.top);
  return drawing(WIDTH, HEIGHT, curve.what, [
    ...legend(lines.map(({ name }) => name)),
    ...axes(curve, across, up),
    ...lines.flatMap(({ points }, index) => drawnLine(points, across, up, colourOf(index))),
  ]);
};
