/** What `--record` left: an outcome, when it was measured and on what machine. */
import { z } from 'zod';
import type { Outcome } from './outcome.ts';

const series = z.object({ name: z.string(), samples: z.array(z.number()).nonempty() });
const goal = z.object({ of: z.string(), to: z.string(), atLeast: z.number().exactOptional(), atMost: z.number().exactOptional() });
const comparison = z.object({
  what: z.string(),
  unit: z.string(),
  better: z.enum(['more', 'less']),
  reference: z.string(),
  series: z.array(series).nonempty(),
  goals: z.array(goal).exactOptional(),
  note: z.string().exactOptional(),
});
const figure = z.object({ what: z.string(), value: z.number(), unit: z.string(), atMost: z.number().exactOptional(), samples: z.array(z.number()).exactOptional() });
const axis = z.object({ label: z.string(), scale: z.enum(['linear', 'logarithmic']) });
const point = z.object({ x: z.number(), y: z.number(), low: z.number().exactOptional(), high: z.number().exactOptional() });
const curve = z.object({ what: z.string(), x: axis, y: axis, lines: z.array(z.object({ name: z.string(), points: z.array(point) })) });

const shape = z.object({
  measured: z.string().exactOptional(),
  machine: z.object({ kernel: z.string(), cpu: z.string(), cores: z.number(), load: z.number() }).exactOptional(),
  /** The commit that was measured, and versions of what took part, by Debian package. */
  build: z.string().exactOptional(),
  versions: z.record(z.string(), z.string()).exactOptional(),
  figures: z.array(figure).exactOptional(),
  comparisons: z.array(comparison).exactOptional(),
  curves: z.array(curve).exactOptional(),
  notes: z.array(z.string()).exactOptional(),
});

export type Recording = z.infer<typeof shape> & Outcome;

/** JSON has no NaN: what could not be measured would be null, and is refused here. */
export const recordingOf = (name: string, text: string): Recording => {
  const { data, error } = shape.safeParse(JSON.parse(text));
  if (data === undefined) throw new Error(`bench/results/${name}.json is not what a benchmark records\n${z.prettifyError(error)}`);
  return data;
};
