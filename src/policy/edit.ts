/**
 * Writes a permission into the text of a policy file. Nothing is reformatted: text is added where the YAML nodes say, every other
 * byte stays. What comes out is read again, and is only given back when it says exactly what was asked for. Pure.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { DEFAULT_STYLE, entryLines, type EntryStyle, flowEntry, quoteOf, scalarText, styleOf } from './entry-text.ts';
import { type ParsedFile, parsePolicyFile } from './parse.ts';
import { destinationText, judgePermission, type Judgement, type Permission } from './permission.ts';
import type { Destination, Policy, PortMatch } from './policy.ts';
import { portMatchText } from './ports.ts';
import { hasErrors, type Problem } from './problem.ts';
import { type Groups, linkPolicy } from './rule.ts';
import { readSource } from './source-text.ts';
import { behindInBrackets, behindInList, type Collection, columnOf, endOf, isFlow, linesBehind, paddingAt, type Splice, splice, startOf } from './splice.ts';
import { visible } from './visible.ts';
import { readYaml, YAML_OPTIONS } from './yaml-source.ts';

export type Edit =
  | Exclude<Judgement, { readonly kind: 'missing' }>
  /** `except`: deny entries that take a part of it out. */
  | { readonly kind: 'edited'; readonly text: string; readonly except: Extract<Judgement, { readonly kind: 'missing' }>['except'] }
  /** The file is not valid, or would not be: `text` is what the problems' positions are about. */
  | { readonly kind: 'invalid'; readonly text: string; readonly problems: readonly Problem[] }
  /** It is written in a way that is left to people; `lines` are what to add. */
  | { readonly kind: 'by hand'; readonly reason: string; readonly lines: readonly string[] };

export type EditRequest = {
  /** What positions say. */
  readonly path: string;
  readonly text: string;
  readonly service: string;
  readonly permission: Permission;
  /** One line, without its `#`. */
  readonly comment: string | null;
  /** Those of every file. */
  readonly groups: Groups;
};

type Mapping = YAMLMap<Node, Node | null>;
type Found = { readonly text: string; readonly document: Document.Parsed; readonly root: Mapping };

/** Never throws. */
export function addPermission({ path, text: raw, service, permission, comment, groups }: EditRequest): Edit {
  const mark = raw.startsWith('\ufeff') ? '\ufeff' : '';
  const text = raw.slice(mark.length);
  const original = parsePolicyFile(path, text);
  // from here on it is known to be YAML, and of a bounded depth and size
  const { source, problems: unreadable } = readSource(path, text);
  if (unreadable.length + readYaml(source).problems.length > 0) return { kind: 'invalid', text, problems: original.problems };
  // a key with nothing behind it is refused by the parser, and is filled in here
  const found = documentOf(text, service);
  const readable = found === null ? text : withoutNulls(found, permission.direction);
  const before = readable === text ? original : parsePolicyFile(path, readable);
  if (hasErrors(before.problems)) return { kind: 'invalid', text, problems: original.problems };
  const policy = before.policies.find((candidate) => candidate.service === service);
  if (found === null || policy === undefined) return { kind: 'invalid', text, problems: [{ severity: 'error', at: { file: path, line: 1, column: 1 }, message: `no policy of service "${service}" in this file` }] };
  const judged = judgePermission(permission, linkPolicy(policy, groups).linked, groups);
  if (judged.kind !== 'missing') return judged;
  const byHand = (reason: string): Edit => ({ kind: 'by hand', reason, lines: entryLines(judged.permission, DEFAULT_STYLE, comment) });
  if (comment !== null && visible(comment) !== comment) return byHand('the comment holds what cannot be shown on a line');
  const planned = plan(found, policy, judged.permission, comment);
  if (typeof planned === 'string') return byHand(planned);
  const edited = splice(text, planned);
  const after = parsePolicyFile(path, edited);
  if (hasErrors(after.problems)) return { kind: 'invalid', text: edited, problems: after.problems };
  if (!isExactly(before, after, service, judged.permission)) return byHand('it is written in an unusual way');
  return { kind: 'edited', text: mark + edited, except: judged.except };
}

const pairOf = (map: Mapping, key: string): Pair<Node, Node | null> | null => map.items.find((pair) => isScalar(pair.key) && pair.key.value === key) ?? null;

function documentOf(text: string, service: string): Found | null {
  for (const document of parseAllDocuments(text, YAML_OPTIONS)) {
    const root: unknown = document.contents;
    if (!isMap<Node, Node | null>(root)) continue;
    const name = pairOf(root, 'service')?.value ?? null;
    const value = isAlias(name) ? name.resolve(document) : name;
    if (isScalar(value) && value.value === service) return { text, document, root };
  }
  return null;
}

const isNull = (node: Node | null): boolean => node === null || (isScalar(node) && node.type === 'PLAIN' && /^(?:null|Null|NULL|~|)$/.test(node.source ?? ''));

type Hole = { readonly at: number; readonly length: number };

/** Where a value is, or would be. The library puts one that is not written behind the comment that follows its key. */
function holeOf(text: string, { key, value }: Pair<Node, Node | null>): Hole {
  if (value !== null && endOf(value) > startOf(value)) return { at: startOf(value), length: endOf(value) - startOf(value) };
  const colon = text.indexOf(':', endOf(key));
  return { at: colon < 0 ? endOf(key) : colon + 1, length: 0 };
}

/** The sections that are to be added to, as if they were empty. */
function withoutNulls({ text, root }: Found, direction: string): string {
  const section = pairOf(root, direction);
  const allow = isMap<Node, Node | null>(section?.value) ? pairOf(section.value, 'allow') : null;
  for (const [pair, empty] of [[section, '{}'], [allow, '[]']] as const) {
    if (pair === null || !isNull(pair.value)) continue;
    const { at, length } = holeOf(text, pair);
    return splice(text, [{ at, remove: length, insert: ` ${empty}` }]);
  }
  return text;
}

/** What is to be added to, or why it cannot be. */
function plan(found: Found, policy: Policy, permission: Permission, comment: string | null): readonly Splice[] | string {
  const { document, root } = found;
  const section = pairOf(root, permission.direction);
  if (section === null) return addKey(found, root, [permission.direction, 'allow'], permission, comment);
  const shared = sharedNode(document, section.value, `"${permission.direction}"`);
  if (shared !== null) return shared;
  if (isEmpty(found.text, section.value)) return fill(found, root, section, ['allow'], permission, comment);
  if (!isMap<Node, Node | null>(section.value)) return `"${permission.direction}" is no mapping`;
  const allow = pairOf(section.value, 'allow');
  if (allow === null) return addKey(found, section.value, ['allow'], permission, comment);
  const sharedList = sharedNode(document, allow.value, '"allow"');
  if (sharedList !== null) return sharedList;
  if (isEmpty(found.text, allow.value)) return fill(found, section.value, allow, [], permission, comment);
  if (!isSeq<Node>(allow.value)) return '"allow" is no list';
  return (comment === null ? extend(found, allow.value, policy, permission) : null) ?? append(found, allow.value, permission, comment);
}

/** An alias, or what one stands for: a change would be one elsewhere too. */
function sharedNode(document: Document.Parsed, node: Node | null, what: string): string | null {
  if (isAlias(node)) return `${what} is the YAML alias *${node.source}`;
  if (node === null || !('anchor' in node) || node.anchor === undefined) return null;
  const { anchor } = node;
  let used = false;
  visit(document, { Alias: (_key, alias) => (alias.source === anchor ? ((used = true), visit.BREAK) : undefined) });
  return used ? `${what} is used elsewhere by the YAML alias *${anchor}` : null;
}

/** Nothing, or brackets with nothing between them. */
const isEmpty = (text: string, node: Node | null): boolean =>
  isNull(node) || ((isMap(node) || isSeq(node)) && node.items.length === 0 && text.slice(startOf(node) + 1, endOf(node) - 1).trim() === '');

/** The style of entries in a list that has none: that of what is around it. */
function bareStyle({ text, root }: Found, around: Collection): EntryStyle {
  const flow = isFlow(around);
  const json = flow && root.items.every(({ key }) => isScalar(key) && key.type === 'QUOTE_DOUBLE');
  const model = flow ? [around, ...root.items.map(({ value }) => value)].find((one) => isMap<Node, Node | null>(one) && isFlow(one) && one.items.length > 0 && !text.slice(startOf(one), endOf(one)).includes('\n')) : null;
  return { ...DEFAULT_STYLE, flow, json, brace: model === null || model === undefined ? DEFAULT_STYLE.brace : paddingAt(text, startOf(model)) };
}

/** How far lists and mappings stand to the right of their keys in this document. */
function indentation({ text, document }: Found): { readonly map: number; readonly list: number } {
  let map: number | null = null;
  let list: number | null = null;
  visit(document, {
    Pair: (_key, pair) => {
      const { key, value } = pair;
      if (!isScalar(key) || (!isMap<Node, Node | null>(value) && !isSeq<Node>(value)) || isFlow(value)) return;
      const by = columnOf(text, startOf(value)) - columnOf(text, startOf(key));
      if (isMap(value)) map ??= by;
      else list ??= by;
    },
  });
  return { map: map ?? 2, list: list ?? map ?? 2 };
}

/** The lines of `keys`, each below the one before, and of the entry below the last. */
function nested(found: Found, keys: readonly string[], permission: Permission, comment: string | null): readonly string[] {
  const { map, list } = indentation(found);
  const depth = (keys.length - 1) * map + list;
  const entry = entryLines(permission, DEFAULT_STYLE, comment).map((line) => ' '.repeat(Math.max(depth, 0)) + line);
  return [...keys.map((key, index) => `${' '.repeat(index * map)}${key}:`), ...entry];
}

function nestedFlow(keys: readonly string[], permission: Permission, style: EntryStyle): string {
  const [key, ...rest] = keys;
  if (key === undefined) return `[${flowEntry(permission, style)}]`;
  const pair = `${style.json ? `"${key}"` : key}: ${nestedFlow(rest, permission, style)}`;
  return `{${style.brace}${pair}${style.brace}}`;
}

const NO_COMMENT = 'a comment has no place in a list on one line: leave it out';

function addKey(found: Found, map: Mapping, keys: readonly string[], permission: Permission, comment: string | null): readonly Splice[] | string {
  const { text } = found;
  if (!isFlow(map)) return [linesBehind(text, endOf(map), columnOf(text, startOf(map)), nested(found, keys, permission, comment))];
  const [key = '', ...rest] = keys;
  const style = bareStyle(found, map);
  const pair = `${style.json ? `"${key}"` : key}: ${nestedFlow(rest, permission, style)}`;
  return behindInBrackets(text, map, [pair], comment) ?? NO_COMMENT;
}

/** `pair` has an empty value: `keys` and the entry become it. */
function fill(found: Found, map: Mapping, pair: Pair<Node, Node | null>, keys: readonly string[], permission: Permission, comment: string | null): readonly Splice[] | string {
  const { text } = found;
  const { at, length } = holeOf(text, pair);
  if (isFlow(map)) {
    if (comment !== null) return NO_COMMENT;
    return [{ at, remove: length, insert: `${/\s/.test(text[at - 1] ?? '') ? '' : ' '}${nestedFlow(keys, permission, bareStyle(found, map))}` }];
  }
  const space = / *$/.exec(text.slice(0, at))?.[0].length ?? 0;
  const removed = length === 0 ? [] : [{ at: at - space, remove: space + length, insert: '' }];
  // the first level is that of the key, which is there already
  const lines = nested(found, [String(pair.key), ...keys], permission, comment).slice(1);
  return [...removed, linesBehind(text, at + length, columnOf(text, startOf(pair.key)), lines)];
}

function append(found: Found, list: YAMLSeq<Node>, permission: Permission, comment: string | null): readonly Splice[] | string {
  const { text } = found;
  const style = list.items.length === 0 ? bareStyle(found, list) : styleOf(list, isFlow(list), text);
  if (isFlow(list)) return behindInBrackets(text, list, [flowEntry(permission, style)], comment) ?? NO_COMMENT;
  return [linesBehind(text, endOf(list), columnOf(text, startOf(list)), entryLines(permission, style, comment))];
}

type Entry = { readonly destinations: readonly Destination[]; readonly ports: readonly PortMatch[]; readonly private: boolean };

const entriesOf = ({ egress, ingress }: Policy, direction: Permission['direction']): readonly Entry[] =>
  direction === 'egress'
    ? egress.allow.map(({ to, ports, private: isPrivate }) => ({ destinations: to, ports, private: isPrivate }))
    : ingress.allow.map(({ from, ports }) => ({ destinations: from ?? [], ports, private: false }));

const setText = (texts: readonly string[]) => [...new Set(texts)].toSorted().join(' ');
const sameTexts = (one: readonly string[], other: readonly string[]) => setText(one) === setText(other);

/** Adds to an entry that lists the very same destinations, or else the very same ports. Null: there is none, or it is not to be added to. */
function extend({ text, document }: Found, list: YAMLSeq<Node>, policy: Policy, permission: Permission): readonly Splice[] | null {
  const { direction } = permission;
  const destinations = permission.destinations.map(destinationText);
  const ports = permission.ports.map(portMatchText);
  const entries = entriesOf(policy, direction).map((entry, index) => ({ ...entry, node: list.items[index] ?? null }));
  const alike = entries.filter((entry) => entry.private === permission.private);
  const add = (node: Node | null, key: string, items: readonly string[]): readonly Splice[] | null => {
    if (!isMap<Node, Node | null>(node) || sharedNode(document, node, '') !== null) return null;
    const value = pairOf(node, key)?.value ?? null;
    if (value === null || sharedNode(document, value, '') !== null) return null;
    const json = isFlow(node) && node.items.every((pair) => isScalar(pair.key) && pair.key.type === 'QUOTE_DOUBLE');
    return behindInList(text, value, items.map((item) => scalarText(item, { json, quote: quoteOf(value) })));
  };
  for (const { node, ...entry } of alike) {
    if (!sameTexts(entry.destinations.map(destinationText), destinations)) continue;
    const spliced = add(node, 'ports', ports);
    if (spliced !== null) return spliced;
  }
  for (const { node, ...entry } of alike) {
    if (entry.destinations.length === 0 || destinations.length === 0 || !sameTexts(entry.ports.map(portMatchText), ports)) continue;
    const spliced = add(node, direction === 'egress' ? 'to' : 'from', destinations);
    if (spliced !== null) return spliced;
  }
  return null;
}

/** Whether the policies say what they said before and the permission, and nothing else. */
function isExactly(before: ParsedFile, after: ParsedFile, service: string, permission: Permission): boolean {
  const { direction } = permission;
  const others = ({ policies, groups }: ParsedFile) =>
    JSON.stringify([policies.map((policy) => (policy.service === service ? { ...policy, [direction]: { ...policy[direction], allow: [] } } : policy)), groups], (key, value: unknown) =>
      key === 'at' ? undefined : typeof value === 'bigint' ? `${value}` : value,
    );
  const said = ({ policies }: ParsedFile) => policies.filter((policy) => policy.service === service).flatMap((policy) => entriesOf(policy, direction).flatMap(sayings));
  return others(before) === others(after) && sameTexts([...said(before), ...sayings(permission)], said(after));
}

/** One for each destination and port of an entry. */
function sayings({ destinations, ports, private: isPrivate }: Pick<Permission, 'destinations' | 'ports' | 'private'>): readonly string[] {
  const texts = destinations.length === 0 ? ['any'] : destinations.map(destinationText);
  return texts.flatMap((text) => ports.map((port) => `${text}:${portMatchText(port)}:${isPrivate}`));
}
