/** Additions to YAML text at the places its nodes are at: whatever is not added to keeps its bytes. Pure. */
import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';

/** `remove` characters at an offset give way to `insert`. */
export type Splice = { readonly at: number; readonly remove: number; readonly insert: string };

export function splice(text: string, splices: readonly Splice[]): string {
  return splices
    .toSorted((a, b) => b.at - a.at)
    .reduce((result, { at, remove, insert }) => result.slice(0, at) + insert + result.slice(at + remove), text);
}

export type Collection = YAMLMap<Node, Node | null> | YAMLSeq<Node>;
export const isFlow = (node: Collection): boolean => node.flow === true;

const rangeOf = (node: Node): readonly [start: number, end: number] => [node.range?.[0] ?? 0, node.range?.[1] ?? 0];
export const startOf = (node: Node): number => rangeOf(node)[0];
/** Spaces, line breaks and comments that follow a block are none of it. */
export function endOf(node: Node): number {
  if ((!isMap<Node, Node | null>(node) && !isSeq<Node>(node)) || isFlow(node)) return rangeOf(node)[1];
  const last = node.items.at(-1);
  if (last === undefined) return rangeOf(node)[1];
  return isPair(last) ? endOfPair(last) : endOf(last);
}
const isPair = (item: Node | Pair<Node, Node | null>): item is Pair<Node, Node | null> => 'key' in item && 'value' in item && !('range' in item);
const endOfPair = ({ key, value }: Pair<Node, Node | null>): number => (value === null ? endOf(key) : endOf(value));

const lineStart = (text: string, offset: number): number => text.lastIndexOf('\n', offset - 1) + 1;
export const columnOf = (text: string, offset: number): number => offset - lineStart(text, offset);
/** The beginning of the next line. */
const nextLine = (text: string, offset: number): number => {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end + 1;
};

/** As the line before an offset ends, or else the first line of the text. */
function lineEnding(text: string, offset: number): string {
  const end = text.lastIndexOf('\n', offset - 1);
  const known = end < 0 ? text.indexOf('\n') : end;
  return known > 0 && text[known - 1] === '\r' ? '\r\n' : '\n';
}

/** Whole lines behind what ends at `end`, and behind the comments that belong to it: those that stand to the right of `column`. */
export function linesBehind(text: string, end: number, column: number, lines: readonly string[]): Splice {
  // the text of a block scalar ends with its line
  let at = text[end - 1] === '\n' ? end : nextLine(text, end);
  for (;;) {
    const indent = /^( *)#/.exec(text.slice(at, nextLine(text, at)))?.[1];
    if (indent === undefined || indent.length <= column) break;
    at = nextLine(text, at);
  }
  const eol = lineEnding(text, at);
  const whole = lines.map((line) => ' '.repeat(column) + line).join(eol);
  return { at, remove: 0, insert: at > 0 && text[at - 1] !== '\n' ? `${eol}${whole}` : `${whole}${eol}` };
}

/** What stands between a bracket and the first thing in it, on one line. */
export function paddingAt(text: string, open: number): string {
  return /^ +(?=\S)/.exec(text.slice(open + 1, open + 3)) === null ? '' : ' ';
}

/** Where the next token begins: behind space and comments. */
function nextToken(text: string, offset: number): number {
  const blank = /(?:\s|(?<=\s)#.*)*/y;
  blank.lastIndex = offset;
  return offset + (blank.exec(text)?.[0].length ?? 0);
}

/** Adds to `[…]` or `{…}`; `comment` only where each item has a line of its own. Null: there is no place for it. */
export function behindInBrackets(text: string, node: Collection, added: readonly string[], comment: string | null): readonly Splice[] | null {
  const [open, end] = rangeOf(node);
  const close = end - 1;
  const last = node.items.at(-1);
  if (last === undefined) {
    if (comment !== null) return null;
    const inside = text.slice(open + 1, close);
    const padding = isMap(node) ? paddingAt(text, open) || (inside === '' ? ' ' : '') : paddingAt(text, open);
    if (inside.trim() === '') return [{ at: open + 1, remove: inside.length, insert: padding + added.join(', ') + padding }];
    return [{ at: open + 1, remove: 0, insert: `${padding}${added.join(', ')}${/^\s/.test(inside) ? '' : ' '}` }];
  }
  const first = isPair(last) ? startOf(last.key) : startOf(last);
  const lastEnd = isPair(last) ? endOfPair(last) : endOf(last);
  const token = nextToken(text, lastEnd);
  const comma = text[token] === ',' ? token : null;
  const indent = text.slice(lineStart(text, first), first);
  const next = nextLine(text, comma ?? lastEnd);
  if (indent.trim() === '' && next <= close) {
    const tail = comment === null ? '' : `  # ${comment}`;
    const eol = lineEnding(text, next);
    const lines = added.map((item, index) => `${indent}${item}${comma !== null || index < added.length - 1 ? ',' : ''}${index === added.length - 1 ? tail : ''}${eol}`);
    return [...(comma === null ? [{ at: lastEnd, remove: 0, insert: ',' }] : []), { at: next, remove: 0, insert: lines.join('') }];
  }
  if (comment !== null) return null;
  return [comma === null ? { at: lastEnd, remove: 0, insert: `, ${added.join(', ')}` } : { at: comma + 1, remove: 0, insert: ` ${added.join(', ')},` }];
}

/** Adds to what is one scalar or a list. Null: it is written in a way that cannot be added to. */
export function behindInList(text: string, node: Node, added: readonly string[]): readonly Splice[] | null {
  if (isSeq<Node>(node) && isFlow(node)) return behindInBrackets(text, node, added, null);
  if (isSeq<Node>(node)) {
    const [first] = node.items;
    if (first === undefined) return null;
    const dash = startOf(node);
    const between = text.slice(dash, startOf(first));
    if (!/^- +$/.test(between)) return null;
    return [linesBehind(text, endOf(node), columnOf(text, dash), added.map((item) => between + item))];
  }
  if (!isScalar(node) || !['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE'].includes(node.type ?? '')) return null;
  const [start, end] = rangeOf(node);
  if (text.slice(start, end).includes('\n')) return null;
  return [
    { at: start, remove: 0, insert: '[' },
    { at: end, remove: 0, insert: `, ${added.join(', ')}]` },
  ];
}
