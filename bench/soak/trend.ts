/** What a long row of samples says. Pure. */
import type { Point } from '../outcome.ts';

/** The line of least squares rises by so much per unit of x; null: fewer than two different x. */
export const slopeOf = (points: readonly Point[]): number | null => {
  const mean = (value: (point: Point) => number): number => points.reduce((sum, point) => sum + value(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const spread = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
  return spread > 0 ? points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread : null;
};

/** At most `most` points: of each stretch the mean, with the least and the greatest. */
export const thinned = (points: readonly Point[], most: number): Point[] => {
  const stretch = Math.ceil(points.length / most);
  if (stretch <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / stretch) }, (_, at) => {
    const some = points.slice(at * stretch, (at + 1) * stretch);
    const values = some.map(({ y }) => y);
    return { x: some.at(-1)?.x ?? 0, y: values.reduce((sum, value) => sum + value, 0) / values.length, low: Math.min(...values), high: Math.max(...values) };
  });
};
