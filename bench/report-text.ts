/** The benchmarks' page: tables from recordings, put between marks in prose that stays as somebody wrote it. */
import { comparisonDrawing } from './comparison-drawing.ts';
import { digits, ratioText, rowsOf, sentenceOf, verdictsOf } from './comparison-table.ts';
import { curveDrawing } from './curve-drawing.ts';
import type { Figure } from './figures.ts';
import type { Comparison, Curve } from './outcome.ts';
import type { Recording } from './recording.ts';

export type Recordings = ReadonlyMap<string, Recording>;

/** The page and its drawings, by file name. */
export type Report = { readonly page: string; readonly drawings: ReadonlyMap<string, string> };

const slugOf = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '');

/** By the name of the suite first, so that two suites may ask the same question. */
const drawingName = (suite: string, { what }: Comparison | Curve): string => `${suite}-${slugOf(what)}.svg`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map((head, index) => (index === 0 || head === '' ? '---' : '--:')), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const spread = (least: number, most: number): string => `${digits(least)} to ${digits(most)}`;

const figureTable = (figures: readonly Figure[]): string =>
  table(
    ['', 'median', 'spread', 'runs', 'goal'],
    figures.map(({ what, value, unit, atMost, samples = [] }) => [
      what,
      `${value} ${unit}`.trimEnd(),
      samples.length === 0 ? '' : spread(Math.min(...samples), Math.max(...samples)),
      samples.length === 0 ? '' : `${samples.length}`,
      atMost === undefined ? '' : `at most ${atMost} ${unit}: ${value <= atMost ? 'met' : '**MISSED**'}`,
    ]),
  );

const emphasised = (sentence: string): string => sentence.replace(/MISSED$/, '**MISSED**');

const picture = (suite: string, drawn: Comparison | Curve): string => `![${drawn.what}](benchmarks/${drawingName(suite, drawn)})`;

const comparisonText = (suite: string, comparison: Comparison): string =>
  [
    `**${comparison.what}** (${comparison.better} is better; 1.00 is ${comparison.reference})`,
    table(
      ['', 'ratio', `median, ${comparison.unit}`, 'spread', 'runs'],
      rowsOf(comparison).map(({ name, ratio, median, least, most, runs }) => [name, ratioText(ratio), digits(median), spread(least, most), `${runs}`]),
    ),
    ...(comparison.goals === undefined ? [] : [verdictsOf(comparison).map((verdict) => `- ${emphasised(sentenceOf(verdict))}`).join('\n')]),
    ...(comparison.note === undefined ? [] : [comparison.note]),
    picture(suite, comparison),
  ].join('\n\n');

const provenance = ({ measured, machine, build }: Recording): string[] => [
  ...(measured === undefined ? [] : [`measured on ${measured.slice(0, 10)}`]),
  ...(machine === undefined ? [] : [`Linux ${machine.kernel}`, `${machine.cores} × ${machine.cpu}`, `load ${machine.load.toFixed(2)} before`]),
  ...(build === undefined ? [] : [`commit ${build}`]),
];

const sectionOf = (suite: string, recording: Recording): string => {
  const { comparisons = [], curves = [], figures = [], notes = [] } = recording;
  const from = provenance(recording).join(', ');
  return [
    ...(from === '' ? [] : [`*${from[0]?.toUpperCase()}${from.slice(1)}.*`]),
    ...comparisons.map((comparison) => comparisonText(suite, comparison)),
    ...curves.map((curve) => picture(suite, curve)),
    ...(figures.length === 0 ? [] : [figureTable(figures)]),
    ...(notes.length === 0 ? [] : [notes.map((note) => `- ${note}`).join('\n')]),
  ].join('\n\n');
};

/** "… p99" goes on from a row above it. Where rows are sorted it may stand elsewhere, so what it goes on from is said again. */
const wholeCaption = (figures: readonly Figure[], index: number): string => {
  const subject = figures.slice(0, index + 1).findLast(({ what }) => !what.startsWith('…'))?.what ?? '';
  const what = figures[index]?.what ?? '';
  return what === subject ? what : `${subject.replace(/, p\d+$/, '')} ${what}`.trimStart();
};

/** Every goal of every suite, the missed ones first. */
const goalsOf = (recordings: Recordings): string => {
  const goals = [...recordings].flatMap(([suite, { comparisons = [], figures = [] }]) => [
    ...comparisons.flatMap((comparison) => verdictsOf(comparison).map((verdict) => ({ suite, met: verdict.met, what: `${comparison.what}: ${verdict.of} / ${verdict.to}`, is: ratioText(verdict.ratio), goal: verdict.atLeast === undefined ? `at most ${verdict.atMost}` : `at least ${verdict.atLeast}` }))),
    ...figures.flatMap(({ value, unit, atMost }, index) => (atMost === undefined ? [] : [{ suite, met: value <= atMost, what: wholeCaption(figures, index), is: `${value} ${unit}`, goal: `at most ${atMost}` }])),
  ]);
  const ordered = [...goals.filter(({ met }) => !met), ...goals.filter(({ met }) => met)];
  return table(['', 'is', 'goal', 'suite'], ordered.map(({ suite, met, what, is, goal }) => [what, is, `${goal}: ${met ? 'met' : '**MISSED**'}`, suite]));
};

/** Of what took part, each once. */
const versionsOf = (recordings: Recordings): string => {
  const all = new Set([...recordings.values()].flatMap(({ versions = {} }) => Object.entries(versions).map(([program, version]) => `${program} ${version}`)));
  return `Versions: ${[...all].toSorted().join(', ')}.`;
};

const begin = (name: string): string => `<!-- begin ${name}: npm run bench -- --report -->`;
const end = (name: string): string => `<!-- end ${name} -->`;

const put = (page: string, name: string, text: string): string => {
  const generated = `${begin(name)}\n\n${text}\n\n${end(name)}`;
  const [start, stop] = [page.indexOf(begin(name)), page.indexOf(end(name))];
  if (start !== -1 && stop > start) return `${page.slice(0, start)}${generated}${page.slice(stop + end(name).length)}`;
  return `${page.trimEnd()}\n\n## ${name}\n\n${generated}\n`;
};

export const reportOf = (page: string, recordings: Recordings): Report => {
  const drawings = new Map<string, string>();
  const draw = (name: string, text: string): void => {
    if (drawings.has(name)) throw new Error(`Two drawings would be ${name}: what they show needs two names`);
    drawings.set(name, text);
  };
  for (const [suite, { comparisons = [], curves = [] }] of recordings) {
    for (const comparison of comparisons) draw(drawingName(suite, comparison), comparisonDrawing(comparison));
    for (const curve of curves) draw(drawingName(suite, curve), curveDrawing(curve));
  }
  // a place in the page without a recording is emptied, so that nothing old stands there
  const places = [...page.matchAll(/<!-- begin ([a-z0-9-]+):/g)].map(([, name = '']) => [name, 'Not recorded.'] as const);
  const recorded = [...recordings].map(([suite, recording]) => [suite, sectionOf(suite, recording)] as const);
  const sections = new Map([...places, ...recorded, ['goals', goalsOf(recordings)] as const, ...([...recordings.values()].some(({ versions }) => versions !== undefined) ? [['versions', versionsOf(recordings)] as const] : [])]);
  return { page: [...sections].reduce((text, [name, section]) => put(text, name, section), page), drawings: new Map([...drawings].sort(([a], [b]) => (a < b ? -1 : 1))) };
};
