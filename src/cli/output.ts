/** Text for people: tables and colours, for a terminal that has them. */

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof COLOURS;
export type Paint = (colour: Colour, text: string) => string;

/** Colours only on a terminal, and never where NO_COLOR is set (no-color.org). */
export function painter(isTerminal: boolean, environment: NodeJS.ProcessEnv): Paint {
  const colours = isTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  return colours ? (colour, text) => `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : (_colour, text) => text;
}

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001B\[\d+m/g;
const width = (text: string) => text.replaceAll(ESCAPES, '').length;

/** Columns as wide as they must be, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, width(cell))));
  return rows.map((row) => row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join('  ').trimEnd()).join('\n');
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'];
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < BYTES.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTES[unit]}`;
}
