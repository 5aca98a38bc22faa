/** The text of a file and the places in it. Before anything is read as YAML, it must be text that shows what it says. */
import type { Position } from './policy.ts';
import type { Problem } from './problem.ts';

/** Of policy files and of the configuration, in bytes. A policy of a thousand lines has about 40 KB. */
export const MAX_FILE_SIZE = 1024 * 1024;
/** More places of the same mistake help nobody. */
const MAX_REPORTED = 10;

export type SourceText = {
  readonly path: string;
  /** Without a byte order mark. */
  readonly text: string;
  /** Offset of the beginning of each line. */
  readonly lineStarts: readonly number[];
};

/** Problems that make it pointless to look at what the text says; the text is then read for salvage only. */
export type ReadSource = { readonly source: SourceText; readonly problems: readonly Problem[] };

/** Bytes must be UTF-8. Never throws. */
export function readSource(path: string, input: string | Uint8Array): ReadSource {
  if (input.length > MAX_FILE_SIZE) {
    const at = { file: path, line: 1, column: 1 };
    const message = `the file has ${input.length} bytes, the most is ${MAX_FILE_SIZE}`;
    return { source: sourceOf(path, ''), problems: [{ severity: 'error', at, message, hint: 'split it into several files' }] };
  }
  if (typeof input === 'string') {
    const source = sourceOf(path, input);
    return { source, problems: unseenCharacters(source) };
  }
  const source = sourceOf(path, new TextDecoder('utf-8', { ignoreBOM: true }).decode(input));
  const sound = soundLength(input);
  if (sound === null) return { source, problems: unseenCharacters(source) };
  const prefix = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input.subarray(0, sound), { stream: true });
  const offset = prefix.length - (prefix.startsWith('\ufeff') ? 1 : 0);
  const byte = (input[sound] ?? 0).toString(16).padStart(2, '0');
  return { source, problems: [problemIn(source, offset, 1, `byte 0x${byte} is not valid UTF-8`, 'save the file as UTF-8')] };
}

/** Line and column of an offset, clamped into the text; what lies behind the last line with anything on it is at its end. */
export function positionAt({ path, text, lineStarts }: SourceText, offset: number): Position {
  const inside = offset >= text.length ? text.trimEnd().length : Math.max(offset, 0);
  let low = 0;
  let high = lineStarts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((lineStarts[middle] ?? 0) <= inside) low = middle;
    else high = middle - 1;
  }
  return { file: path, line: low + 1, column: inside - (lineStarts[low] ?? 0) + 1 };
}

/** An error about `length` characters from an offset on. */
export function problemIn(source: SourceText, offset: number, length: number, message: string, hint?: string): Problem {
  const problem = { severity: 'error' as const, at: positionAt(source, offset), message, length: Math.max(length, 1) };
  return hint === undefined ? problem : { ...problem, hint };
}

function sourceOf(path: string, raw: string): SourceText {
  const text = raw.startsWith('\ufeff') ? raw.slice(1) : raw;
  const lineStarts = [0];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) lineStarts.push(end + 1);
  return { path, text, lineStarts };
}

/** How many bytes are UTF-8 before the first that is not, or null when all are. */
function soundLength(bytes: Uint8Array): number | null {
  if (decodes(bytes, false)) return null;
  // a prefix that ends inside a character decodes as a stream; so the longest one that does ends before the bad byte
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (middle <= bytes.length && decodes(bytes.subarray(0, middle), true)) good = middle;
    else bad = middle;
  }
  return Math.min(good, bytes.length - 1);
}

function decodes(bytes: Uint8Array, stream: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}

/**
 * YAML allows only some of these, terminals obey others, and the bidirectional ones make an editor show another text than the
 * one that is in force (CVE-2021-42574).
 */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- finding them is what it is for
  /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\p{Surrogate}]|\r(?!\n)/gu;

function unseenCharacters(source: SourceText): Problem[] {
  const problems: Problem[] = [];
  for (const { 0: character, index } of source.text.matchAll(UNSEEN)) {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const what = character === '\r' ? 'a carriage return without a line feed' : `the character U+${code}`;
    const hint = code === '0000' ? 'save the file as UTF-8 text' : 'remove it: what cannot be seen has no place in a policy';
    problems.push(problemIn(source, index, 1, `${what} is not allowed`, hint));
    if (problems.length === MAX_REPORTED) break;
  }
  return problems;
}
