/** An entry of `allow` as YAML, written the way its neighbours are. Pure. */
import { isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { destinationText, type Permission } from './permission.ts';
import { portMatchText } from './ports.ts';
import { columnOf, paddingAt } from './splice.ts';

export type EntryStyle = {
  /** `- { to: …, ports: […] }`, or a line for each key. */
  readonly flow: boolean;
  /** Keys and text in double quotes, as JSON has them. */
  readonly json: boolean;
  /** Around destinations; '' where they need none. */
  readonly quote: '"' | "'" | '';
  /** Between braces, and between brackets, and what they hold. */
  readonly brace: string;
  readonly bracket: string;
  /** Whether one destination, or one port, is a list all the same. */
  readonly toList: boolean;
  readonly portsList: boolean;
  /** Columns of `-` to the right of the key whose list it begins; null: lists are in brackets. */
  readonly listIndent: number | null;
  /** Spaces behind a `-`. */
  readonly gap: number;
  readonly portsFirst: boolean;
};

export const DEFAULT_STYLE: EntryStyle = { flow: false, json: false, quote: '', brace: ' ', bracket: '', toList: false, portsList: true, listIndent: null, gap: 1, portsFirst: false };

/** What needs no quotes in YAML, in brackets or not. IPv6 would not always, but it is never wrong. */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_./-]*$/;

/** A destination or port as it is written into a list. */
export function scalarText(text: string, { quote, json }: Pick<EntryStyle, 'quote' | 'json'>): string {
  if (/^[0-9]+$/.test(text)) return text;
  if (json) return `"${text}"`;
  if (quote !== '') return `${quote}${text}${quote}`;
  return PLAIN.test(text) ? text : `"${text}"`;
}

type Field = { readonly key: string; readonly items: readonly string[]; readonly list: boolean };

function fieldsOf({ direction, destinations, ports, private: isPrivate }: Permission, style: EntryStyle): readonly Field[] {
  const { json, toList, portsList, portsFirst } = style;
  const key = (name: string) => (json ? `"${name}"` : name);
  const items = destinations.map((value) => scalarText(destinationText(value), style));
  const to: Field[] = items.length === 0 ? [] : [{ key: key(direction === 'egress' ? 'to' : 'from'), items, list: toList }];
  const open: Field = { key: key('ports'), items: ports.map((port) => scalarText(portMatchText(port), { json, quote: '' })), list: portsList };
  const rest: Field[] = isPrivate ? [{ key: key('private'), items: ['true'], list: false }] : [];
  return portsFirst ? [open, ...to, ...rest] : [...to, open, ...rest];
}

const isList = ({ items, list }: Field) => list || items.length > 1;
const inBrackets = (items: readonly string[], { bracket }: EntryStyle) => `[${bracket}${items.join(', ')}${bracket}]`;
const valueText = (field: Field, style: EntryStyle) => (isList(field) ? inBrackets(field.items, style) : (field.items[0] ?? ''));

/** In braces. */
export function flowEntry(permission: Permission, style: EntryStyle): string {
  const fields = fieldsOf(permission, style).map((field) => `${field.key}: ${valueText(field, style)}`);
  return `{${style.brace}${fields.join(', ')}${style.brace}}`;
}

/** As an item of a list, without indentation; the comment is on its first line. */
export function entryLines(permission: Permission, style: EntryStyle, comment: string | null): readonly string[] {
  const dash = `-${' '.repeat(style.gap)}`;
  const lines = style.flow ? [flowEntry(permission, style)] : fieldsOf(permission, style).flatMap((field) => fieldLines(field, style));
  return lines.map((line, index) => `${index === 0 ? dash : ' '.repeat(dash.length)}${line}${index === 0 && comment !== null ? `  # ${comment}` : ''}`);
}

function fieldLines(field: Field, style: EntryStyle): readonly string[] {
  if (!isList(field) || style.listIndent === null) return [`${field.key}: ${valueText(field, style)}`];
  const indent = ' '.repeat(style.listIndent);
  return [`${field.key}:`, ...field.items.map((item) => `${indent}-${' '.repeat(style.gap)}${item}`)];
}

/** For a hint: one line that may stand in a list of entries as it is. */
export const entryHint = (permission: Permission): string => entryLines(permission, { ...DEFAULT_STYLE, flow: true }, null).join('');

const fieldOf = (map: YAMLMap, key: string): Node | null => {
  const found = map.items.find((pair) => isScalar(pair.key) && pair.key.value === key)?.value;
  return isScalar(found) || isSeq(found) ? found : null;
};

/** What to be like: the last entry of the list that says so much. */
export function styleOf(list: YAMLSeq | null, inFlow: boolean, text: string): EntryStyle {
  const neighbour = list?.items.findLast((item): item is YAMLMap => isMap(item) && item.items.length > 0) ?? null;
  const start = neighbour?.range?.[0] ?? 0;
  if (list === null || neighbour === null) return { ...DEFAULT_STYLE, flow: inFlow };
  const flow = inFlow || neighbour.flow === true;
  const to = fieldOf(neighbour, 'to') ?? fieldOf(neighbour, 'from');
  const ports = fieldOf(neighbour, 'ports');
  const keys = neighbour.items.map(({ key }) => (isScalar(key) ? key.value : null));
  const lists = [to, ports].filter(isSeq);
  const [block] = lists.filter((one) => one.flow !== true);
  const [brackets] = lists.filter((one) => one.flow === true);
  const dash = list.flow === true ? null : text.lastIndexOf('-', start - 1);
  return {
    flow,
    json: flow && neighbour.items.every(({ key }) => isScalar(key) && key.type === 'QUOTE_DOUBLE'),
    quote: quoteOf(to),
    brace: neighbour.flow === true ? paddingAt(text, start) : DEFAULT_STYLE.brace,
    bracket: brackets === undefined ? '' : paddingAt(text, brackets.range?.[0] ?? 0),
    toList: isSeq(to) && to.items.length === 1,
    portsList: ports === null || isSeq(ports),
    listIndent: flow || block === undefined ? null : Math.max(0, columnOf(text, block.range?.[0] ?? 0) - columnOf(text, start)),
    gap: dash === null || dash < 0 || text.slice(dash + 1, start).trim() !== '' || neighbour.flow === true ? 1 : Math.max(1, start - dash - 1),
    portsFirst: keys[0] === 'ports',
  };
}

/** The quotes that all of it is in. */
export function quoteOf(node: Node | null): EntryStyle['quote'] {
  const scalars = isSeq(node) ? node.items : [node];
  if (scalars.length > 0 && scalars.every((one) => isScalar(one) && one.type === 'QUOTE_DOUBLE')) return '"';
  return scalars.length > 0 && scalars.every((one) => isScalar(one) && one.type === 'QUOTE_SINGLE') ? "'" : '';
}
