/** Text for people: tables and colours, for a terminal that has them, and nothing that a terminal would obey. */

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof COLOURS;
export type Paint = (colour: Colour, text: string) => string;

export const COLOUR_CHOICES = ['auto', 'always', 'never'] as const;
export type ColourChoice = (typeof COLOUR_CHOICES)[number];

type Environment = Readonly<Record<string, string | undefined>>;
const isSet = (value: string | undefined) => value !== undefined && value !== '';

/** What was asked for on the command line counts first, then NO_COLOR (no-color.org), then CLICOLOR_FORCE (bixense.com/clicolors). */
function hasColours(isTerminal: boolean, environment: Environment, choice: ColourChoice): boolean {
  if (choice !== 'auto') return choice === 'always';
  if (isSet(environment['NO_COLOR'])) return false;
  if (isSet(environment['CLICOLOR_FORCE']) && environment['CLICOLOR_FORCE'] !== '0') return true;
  return isTerminal && environment['TERM'] !== 'dumb' && environment['CLICOLOR'] !== '0';
}

export function painter(isTerminal: boolean, environment: Environment, choice: ColourChoice = 'auto'): Paint {
  return hasColours(isTerminal, environment, choice) ? (colour, text) => `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : (_colour, text) => text;
}

/** Where a command says what it has to say. */
export type Printer = { readonly json: boolean; readonly say: (text: string) => void; readonly complain: (text: string) => void };
export type ColourPrinter = Printer & { readonly paint: Paint };

/** The locale's own say, by POSIX's order. */
export function isUnicode({ LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  return /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find(isSet) ?? '');
}

/** How things are to look where they are shown. */
export type Look = {
  readonly paint: Paint;
  /** Of the terminal; null: as wide as it gets, as in a pipe or with `-o wide`. */
  readonly columns: number | null;
  readonly unicode: boolean;
  /** All there is to say. */
  readonly wide: boolean;
};

type Terminal = { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };

export function lookOf(terminal: Terminal, environment: Environment, { color = 'auto', wide = false }: { readonly color?: ColourChoice; readonly wide?: boolean } = {}): Look {
  const isTerminal = terminal.isTTY === true;
  const columns = isTerminal && !wide && (terminal.columns ?? 0) > 0 ? (terminal.columns ?? null) : null;
  return { paint: painter(isTerminal, environment, color), columns, unicode: isUnicode(environment), wide };
}

/** Controls, format characters such as bidirectional overrides, lone surrogates, line and paragraph separators. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const escaped = (text: string) => Array.from({ length: text.length }, (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');

/** Whatever a terminal would obey, as JSON would write it; line ends stay. */
export const shown = (text: string): string => text.replaceAll(OBEYED, (found) => (found === '\n' ? found : escaped(found)));
/** The same, in one line. */
export const oneLine = (text: string): string => shown(text).replaceAll('\n', '\\u000a');

/** The same of every text in an answer: names, details and programs' names are whatever somebody called them. */
export function shownAll<T>(value: T): T;
export function shownAll(value: unknown): unknown {
  if (typeof value === 'string') return shown(value);
  if (Array.isArray(value)) return value.map((part: unknown) => shownAll(part));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]: [string, unknown]) => [shown(key), shownAll(part)]));
}

/** Our own signs where the locale has no others. */
const PLAIN: Readonly<Record<string, string>> = { '–': '-', '…': '...', '×': 'x', '→': '>', '←': '<' };
const OWN_COLOURS = new RegExp(`\u001B\\[(?:0|${Object.values(COLOURS).join('|')})m|[\\p{Cc}\\p{Cf}\\p{Cs}\\u2028\\u2029]`, 'gu');

/** The last gate before the terminal: our colours pass, and line ends. */
export function printable(text: string, unicode: boolean): string {
  const safe = text.replaceAll(OWN_COLOURS, (found) => (found === '\n' || found.length > 2 ? found : escaped(found)));
  return unicode ? safe : safe.replaceAll(/[^\0-\u007E]/gu, (character) => PLAIN[character] ?? escaped(character));
}

// eslint-disable-next-line no-control-regex
const ESCAPES = /(\u001B\[\d+m)/;
const pieces = (text: string) => text.split(ESCAPES);
export const width = (text: string): number => pieces(text).reduce((sum, piece) => sum + (ESCAPES.test(piece) ? 0 : Array.from(piece).length), 0);

/** At most so wide; what is cut off leaves an ellipsis, and its colours. */
export function cut(text: string, columns: number, { unicode }: Pick<Look, 'unicode'>): string {
  if (width(text) <= columns) return text;
  const ellipsis = (unicode ? '…' : '...').slice(0, columns);
  let room = columns - ellipsis.length;
  let ended = false;
  const kept = pieces(text).map((piece) => {
    if (ESCAPES.test(piece)) return piece;
    const characters = Array.from(piece);
    if (ended) return '';
    if (characters.length <= room) {
      room -= characters.length;
      return piece;
    }
    ended = true;
    return characters.slice(0, room).join('') + ellipsis;
  });
  return kept.join('');
}

/** What gives way when a table is wider than the terminal: columns that go, the first one first, and then those that are cut. */
export type Giving = { readonly drop?: readonly number[]; readonly shrink?: readonly number[]; readonly right?: readonly number[] };

const GAP = 2;
const LEAST = 8;

function shrunk(widths: readonly number[], order: readonly number[], columns: number): number[] {
  const result = [...widths];
  for (const column of order) {
    const excess = result.reduce((sum, each) => sum + each + GAP, -GAP) - columns;
    const own = result[column] ?? 0;
    if (excess > 0) result[column] = Math.max(Math.min(LEAST, own), own - excess);
  }
  return result;
}

/** Columns as wide as they must be, two spaces apart; with a look, no wider than the terminal. The first row is the head. */
export function table(rows: readonly (readonly string[])[], look?: Pick<Look, 'columns' | 'unicode'>, { drop = [], shrink = [], right = [] }: Giving = {}): string {
  const lines = rows.map((row) => row.map((cell) => cell.replaceAll('\n', '\\u000a')));
  const full: number[] = [];
  for (const row of lines) row.forEach((cell, column) => (full[column] = Math.max(full[column] ?? 0, width(cell))));
  const columns = look?.columns ?? null;
  const unicode = look?.unicode ?? true;
  const gone = new Set<number>();
  const total = () => full.reduce((sum, each, column) => (gone.has(column) ? sum : sum + each + GAP), -GAP);
  if (columns !== null) for (const column of drop) if (total() > columns) gone.add(column);
  const kept = full.map((_, column) => column).filter((column) => !gone.has(column));
  const natural = kept.map((column) => full[column] ?? 0);
  const widths = columns === null ? natural : shrunk(natural, shrink.map((column) => kept.indexOf(column)).filter((at) => at >= 0), columns);
  return lines
    .map((row) => {
      const cells = kept.map((column, at) => {
        const cell = cut(row[column] ?? '', widths[at] ?? 0, { unicode });
        const space = ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(cell)));
        return right.includes(column) ? space + cell : cell + space;
      });
      const line = cells.join(' '.repeat(GAP)).trimEnd();
      return columns === null ? line : cut(line, columns, { unicode });
    })
    .join('\n');
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'];
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < BYTES.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${BYTES[unit]}`;
}
