/** What is wrong with a file an administrator wrote: a value with a place, several at once, shown to a person last. */
import type { Position } from './policy.ts';
import { columnsOf, visible } from './visible.ts';

export type Problem = {
  /** Only an error refuses the file. */
  readonly severity: 'error' | 'warning';
  readonly at: Position;
  /** A sentence without a full stop. May quote the file; `formatProblem` makes it safe to show. */
  readonly message: string;
  /** What to write instead, or what the rule is. */
  readonly hint?: string;
  /** How many characters (UTF-16 units) are meant, from `at` on; 1 when absent. */
  readonly length?: number;
};

export type ProblemPart = 'place' | 'error' | 'warning' | 'gutter' | 'caret' | 'hint';

export type FormatOptions = {
  /** Columns the source line may take; what is farther from the caret is cut. Default 100. */
  readonly width?: number;
  /** Colours a part, for a terminal that has colours. Default: none. */
  readonly paint?: (part: ProblemPart, text: string) => string;
};

/** By place in the file; problems of one place stay in the order they were found in. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(({ at: a }, { at: b }) => a.line - b.line || a.column - b.column);
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

/**
 * The problem as compilers show it, in several lines without a final newline: place and message, the source line with carets
 * under what is meant, the hint. `sourceText` is the text the problem's position is about. Shows no control character, whatever
 * the file holds.
 */
export function formatProblem(problem: Problem, sourceText: string, options: FormatOptions = {}): string {
  const { width = 100, paint = (_part, text) => text } = options;
  const { severity, at, message, hint } = problem;
  const place = visible(`${at.file}:${at.line}:${at.column}:`);
  const lines = [`${paint('place', place)} ${paint(severity, `${severity}:`)} ${visible(message)}`];
  const line = sourceLine(sourceText, at.line);
  if (line !== null) {
    const { text, carets } = excerpt(line, at.column - 1, problem.length ?? 1, Math.max(width, 20));
    lines.push(`${paint('gutter', `${String(at.line).padStart(5)} |`)} ${text}`.trimEnd());
    lines.push(`${paint('gutter', '      |')} ${paint('caret', carets)}`);
  }
  if (hint !== undefined) lines.push(`      ${paint('hint', 'hint:')} ${visible(hint)}`);
  return lines.join('\n');
}

/** The line of that number without its end, or null when there is no such line. */
function sourceLine(text: string, number: number): string | null {
  let start = text.startsWith('\ufeff') ? 1 : 0;
  for (let line = 1; line < number; line += 1) {
    const end = text.indexOf('\n', start);
    if (end < 0) return null;
    start = end + 1;
  }
  if (!(number >= 1)) return null;
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
}

type Cell = { readonly text: string; readonly columns: number; readonly marked: boolean };

/** The part of a line around the caret that fits into `width` columns, and the carets for the line below it. */
function excerpt(line: string, column: number, length: number, width: number): { text: string; carets: string } {
  const caret = Math.min(Math.max(column, 0), line.length);
  // nothing farther away can be shown, as every character but combining ones takes a column
  const from = Math.max(0, caret - width * 2);
  const cells = cellsOf(line.slice(from, caret + width * 2), caret - from, Math.max(length, 1));
  let first = cells.findIndex(({ marked }) => marked);
  if (first < 0) first = cells.length;
  let used = 0;
  let start = first;
  // a third of the width shows what stands before, the rest what follows
  while (start > 0 && used + columnsAt(cells, start - 1) <= width / 3) {
    start -= 1;
    used += columnsAt(cells, start);
  }
  let end = first;
  while (end < cells.length && used + columnsAt(cells, end) <= width) {
    used += columnsAt(cells, end);
    end += 1;
  }
  // a line that fits is shown from its beginning
  while (start > 0 && used + columnsAt(cells, start - 1) <= width) {
    start -= 1;
    used += columnsAt(cells, start);
  }
  const head = from + start > 0 ? '…' : '';
  const tail = end < cells.length || line.length > caret + width * 2 ? '…' : '';
  const before = cells.slice(start, first).reduce((sum, { columns }) => sum + columns, head.length);
  const meant = cells.slice(first, end).reduce((sum, { columns, marked }) => sum + (marked ? columns : 0), 0);
  return {
    text: head + cells.slice(start, end).map(({ text }) => text).join('') + tail,
    carets: `${' '.repeat(before)}^${'~'.repeat(Math.max(meant - 1, 0))}`,
  };
}

function columnsAt(cells: readonly Cell[], index: number): number {
  return cells[index]?.columns ?? 0;
}

function cellsOf(line: string, caret: number, length: number): Cell[] {
  let offset = 0;
  return Array.from(line, (character) => {
    const text = character === '\t' ? '    ' : visible(character);
    const columns = character === '\t' ? 4 : columnsOf(text);
    const marked = offset >= caret && offset < caret + length;
    offset += character.length;
    return { text, columns, marked };
  });
}
