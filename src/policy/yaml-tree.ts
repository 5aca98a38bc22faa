/**
 * YAML as data that knows where it is written: text, numbers, true, false, nothing, lists and mappings with text keys, and
 * nothing else. What YAML offers beyond that is refused here: merge keys, keys that are no text, repeated keys, aliases that
 * multiply.
 *
 * A number is plain decimal digits and nothing else. YAML 1.1 and 1.2 read `010`, `0x50`, `1_000`, `1e3` and `22:22` as
 * different numbers; here all of them are text, which no field that wants a number accepts.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml';
import type { Problem } from './problem.ts';
import { positionAt, problemIn, type SourceText } from './source-text.ts';
import { quoted } from './visible.ts';

/** Offsets into the source text; `end` is behind the last character. */
type Span = { readonly start: number; readonly end: number };

export type ScalarTree = Span & { readonly kind: 'scalar'; readonly value: string | number | boolean | null };
export type ListTree = Span & { readonly kind: 'list'; readonly items: readonly Tree[] };
export type MapTree = Span & { readonly kind: 'map'; readonly entries: ReadonlyMap<string, MapEntry> };
export type MapEntry = { readonly key: Span; readonly value: Tree };
export type Tree = ScalarTree | ListTree | MapTree;

/** What a document comes to once its aliases are written out. A file of a MiB cannot hold more without them. */
const MAX_VALUES = 200_000;
const MAX_ALIASES = 100;

/**
 * The tree of a document, as far as it can be made out; it is all of it when there are no problems. Aliases share the tree of what
 * they stand for, so a tree is never larger than its source, however many values it comes to.
 */
export function treeOf(document: Document.Parsed, source: SourceText): { tree: Tree | null; problems: readonly Problem[] } {
  const builder = new TreeBuilder(source);
  const { contents } = document;
  const tree = contents === null ? null : builder.build(contents);
  if (tree !== null && builder.size(tree) > MAX_VALUES) {
    builder.refuse(tree, `this document comes to more than ${MAX_VALUES} values`, 'write fewer aliases, or split the file');
  }
  return { tree, problems: builder.problems };
}

/** Plain data, aliases written out. */
export function dataOf(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(dataOf);
  return Object.fromEntries(Array.from(tree.entries, ([key, { value }]) => [key, dataOf(value)]));
}

/** The tree at a path of keys and indices, or null where there is none. */
export function treeAt(tree: Tree, path: readonly PropertyKey[]): Tree | null {
  let found: Tree | null = tree;
  for (const step of path) {
    if (found?.kind === 'map' && typeof step === 'string') found = found.entries.get(step)?.value ?? null;
    else if (found?.kind === 'list' && typeof step === 'number') found = found.items[step] ?? null;
    else return null;
  }
  return found;
}

/** Where a mapping's key is written, for positions: its offset, or that of the mapping when it has no such key. */
export function keyStart(map: MapTree, key: string): number {
  return map.entries.get(key)?.key.start ?? map.start;
}

class TreeBuilder {
  readonly problems: Problem[] = [];
  readonly #source: SourceText;
  /** Null while the anchored value is being built: an alias to it would be inside itself. */
  readonly #anchors = new Map<string, Tree | null>();
  readonly #sizes = new Map<Tree, number>();
  #aliases = 0;

  constructor(source: SourceText) {
    this.#source = source;
  }

  build(node: Node): Tree {
    const span = spanOf(node);
    if (isAlias(node)) return this.#alias(node.source, span);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, null);
    const tree = this.#value(node, span);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, tree);
    return tree;
  }

  /** How many values it comes to with all aliases written out. Astronomic for a bomb, which a float has no trouble with. */
  size(tree: Tree): number {
    const known = this.#sizes.get(tree);
    if (known !== undefined) return known;
    const parts = tree.kind === 'list' ? tree.items : tree.kind === 'map' ? [...tree.entries.values()].map(({ value }) => value) : [];
    const size = parts.reduce((sum, part) => sum + this.size(part), 1);
    this.#sizes.set(tree, size);
    return size;
  }

  refuse({ start, end }: Span, message: string, hint?: string): void {
    this.problems.push(problemIn(this.#source, start, end - start, message, hint));
  }

  #value(node: Node, span: Span): Tree {
    if (isMap<Node, Node | null>(node)) return this.#map(node, span);
    if (isSeq<Node>(node)) return { kind: 'list', items: node.items.map((item) => this.build(item)), ...span };
    return { kind: 'scalar', value: isScalar(node) ? scalarValue(node) : null, ...span };
  }

  #map(node: YAMLMap<Node, Node | null>, span: Span): Tree {
    const entries = new Map<string, MapEntry>();
    for (const pair of node.items) {
      const key = this.#key(pair);
      const where = spanOf(pair.key);
      const value: Tree = pair.value === null ? { kind: 'scalar', value: null, start: where.end, end: where.end } : this.build(pair.value);
      if (key === null) continue;
      const first = entries.get(key);
      if (first === undefined) {
        entries.set(key, { key: where, value });
        continue;
      }
      const { line, column } = positionAt(this.#source, first.key.start);
      this.refuse(where, `key ${quoted(key)} is given twice`, `it is already at ${line}:${column}; keep one of the two`);
    }
    return { kind: 'map', entries, ...span };
  }

  #key({ key }: Pair<Node, Node | null>): string | null {
    const span = spanOf(key);
    const tree = this.build(key);
    if (tree.kind !== 'scalar' || isAlias(key)) {
      this.refuse(span, 'a key must be plain text');
      return null;
    }
    if (tree.value === '<<') {
      this.refuse(span, 'YAML merge keys are not allowed', 'name shared destinations under "groups:" and write "@name"');
      return null;
    }
    // zod drops this one without a word; no field has that name
    if (tree.value === '__proto__') {
      this.refuse(span, 'unknown key "__proto__"');
      return null;
    }
    if (typeof tree.value === 'string') return tree.value;
    const hint = tree.value === null ? 'write the key before the ":"' : `quote it: "${String(tree.value)}"`;
    this.refuse(span, `key ${String(tree.value)} is not text`, hint);
    return null;
  }

  #alias(name: string, span: Span): Tree {
    this.#aliases += 1;
    if (this.#aliases === MAX_ALIASES + 1) {
      this.refuse(span, `more than ${MAX_ALIASES} YAML aliases`, 'name shared destinations under "groups:" and write "@name"');
    }
    const tree = this.#anchors.get(name);
    // beyond the limit they are not followed: a long chain of them is as deep as it is long
    if (tree !== null && tree !== undefined && this.#aliases <= MAX_ALIASES) return tree;
    const nothing: Tree = { kind: 'scalar', value: null, ...span };
    if (this.#aliases > MAX_ALIASES) return nothing;
    const text = quoted(`*${name}`);
    if (tree === null) {
      this.refuse(span, `the YAML alias ${text} is inside what it stands for`);
    } else if (name.startsWith('.') || name === '') {
      this.refuse(span, `${text} must be quoted: an unquoted "*" begins a YAML alias`, `write ${text}`);
    } else {
      this.refuse(span, `the YAML alias ${text} has no anchor ${quoted(`&${name}`)} before it`, 'quote it if the "*" is meant');
    }
    return nothing;
  }
}

function spanOf(node: Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}

function scalarValue({ type, value }: Scalar): string | number | boolean | null {
  const text = typeof value === 'string' ? value : '';
  if (type !== 'PLAIN') return text;
  // YAML 1.2 core schema (§10.3.2), but for numbers
  if (/^(?:null|Null|NULL|~|)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  return /^(?:0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text;
}
