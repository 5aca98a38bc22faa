/** What all drawings share: elements as text, one look for light and for dark. Drawings hold no scripts and load nothing. */
type Attributes = Readonly<Record<string, string | number>>;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Two decimals are finer than any screen, and the same on every machine. */
const rounded = (value: string | number): string => (typeof value === 'number' ? String(Number(value.toFixed(2))) : escaped(value));

export const element = (name: string, attributes: Attributes, ...children: readonly string[]): string => {
  const opening = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${rounded(value)}"`)].join(' ');
  return children.length === 0 ? `<${opening}/>` : `<${opening}>${children.join('')}</${name}>`;
};

export const label = (x: number, y: number, text: string, attributes: Attributes = {}): string => element('text', { x, y, ...attributes }, escaped(text));

export const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string => element('line', { class: kind, x1, y1, x2, y2 });

/** Nobody measures text here: about how wide it is at the size of the style below. */
export const widthOf = (text: string): number => text.length * 6.6;

/** Told apart by people who see few colours as well; lines also differ in their dashes. */
const colours = { light: ['#0b62a4', '#c2410c', '#0f766e', '#a21caf', '#a16207', '#475569'], dark: ['#6cb6ff', '#fb923c', '#2dd4bf', '#e879f9', '#facc15', '#a8b3c2'] } as const;
const dashes = ['none', '7 3', '2 3', '9 3 2 3', '4 4', '12 4'] as const;

type Look = { readonly ink: string; readonly quiet: string; readonly grid: string; readonly paper: string; readonly colours: readonly string[] };

/** Without variables, which not every viewer of SVG knows. */
const look = ({ ink, quiet, grid, paper, colours }: Look): string =>
  [
    `text{fill:${ink}}text.quiet{fill:${quiet}}.paper{fill:${paper}}.grid{stroke:${grid}}.axis{stroke:${quiet}}.whisker{stroke:${ink}}`,
    ...colours.map((colour, index) => `.c${index}{fill:${colour};stroke:${colour}}`),
  ].join('');

const style = [
  'text{font:12px system-ui,sans-serif}text.title{font-size:14px;font-weight:600}',
  look({ ink: '#1f2328', quiet: '#59636e', grid: '#d8dee4', paper: '#fff', colours: colours.light }),
  `@media(prefers-color-scheme:dark){${look({ ink: '#e6edf3', quiet: '#9198a1', grid: '#30363d', paper: '#0d1117', colours: colours.dark })}}`,
  dashes.map((dash, index) => `.curve.c${index}{fill:none;stroke-width:2;stroke-dasharray:${dash}}`).join(''),
].join('\n');

export const colourOf = (index: number): string => `c${index % colours.light.length}`;

/** A whole drawing with its title. */
export const drawing = (width: number, height: number, title: string, parts: readonly string[]): string => {
  const frame = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': title };
  const body = [`<style>\n${style}\n</style>`, element('rect', { class: 'paper', width, height }), label(12, 22, title, { class: 'title' }), ...parts];
  return element('svg', frame, `\n${body.join('\n')}\n`).concat('\n');
};
