/**
 * A YAML tree against a zod schema. Whatever zod finds wrong becomes a problem at the place in the source where it is written,
 * in the words of this file or of the function that read the field.
 */
import type { z } from 'zod';
import { readIssueParams } from './field.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { hintsAt, keysAt } from './schema-path.ts';
import { problemIn, type SourceText } from './source-text.ts';
import { quoted } from './visible.ts';
import { dataOf, type Tree, treeAt } from './yaml-tree.ts';

export type Shaped<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Checks a tree and gives the value, defaults filled in, or everything that is wrong with it. Never throws. */
export function shape<Schema extends z.ZodType>(schema: Schema, tree: Tree, source: SourceText): Shaped<z.output<Schema>> {
  const result = schema.safeParse(dataOf(tree));
  if (result.success) return { ok: true, value: result.data };
  const problems = result.error.issues.flatMap((issue) => new Finding(schema, tree, source).problems(issue, []));
  return { ok: false, problems: withoutConsequences(problems) };
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];
/** `missing` and `meant` tell a field that is missing only because its key is misspelt. */
type Found = Problem & { readonly missing?: string; readonly meant?: string; readonly within?: Tree | null };

class Finding {
  readonly #schema: z.ZodType;
  readonly #tree: Tree;
  readonly #source: SourceText;

  constructor(schema: z.ZodType, tree: Tree, source: SourceText) {
    this.#schema = schema;
    this.#tree = tree;
    this.#source = source;
  }

  problems(issue: Issue, base: Path): Found[] {
    const path = [...base, ...issue.path];
    if (issue.code === 'invalid_union') {
      const branch = issue.errors.find((issues) => !isMismatch(issues));
      return branch === undefined ? [this.#wrongKind(path, expectedKinds(issue))] : branch.flatMap((inner) => this.problems(inner, path));
    }
    if (issue.code === 'invalid_key') return issue.issues.map((inner) => this.#custom(path, inner, true));
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => this.#unknownKey(path, key));
    if (issue.code === 'invalid_type') return [this.#wrongKind(path, [issue.expected])];
    if (issue.code === 'invalid_value') return [this.#notOneOf(path, issue.values.map(String))];
    if (issue.code === 'too_small' || issue.code === 'too_big') return [this.#outOfBounds(path, issue)];
    return [this.#custom(path, issue, false)];
  }

  #custom(path: Path, issue: Issue, isKey: boolean): Found {
    const { hint, onKey } = readIssueParams(issue.code === 'custom' ? issue.params : undefined);
    return isKey || onKey ? this.#onKey(path, issue.message, hint) : this.#onValue(path, issue.message, hint);
  }

  #onValue(path: Path, message: string, hint?: string): Found {
    const tree = treeAt(this.#tree, path);
    // an empty value has no place of its own: its key stands for it
    if (tree === null || tree.start >= tree.end) return this.#onKey(path, message, hint);
    const length = tree.kind === 'scalar' ? tree.end - tree.start : 1;
    return problemIn(this.#source, tree.start, length, message, hint);
  }

  #onKey(path: Path, message: string, hint?: string): Found {
    const parent = treeAt(this.#tree, path.slice(0, -1));
    const entry = parent?.kind === 'map' ? parent.entries.get(String(path.at(-1))) : undefined;
    if (entry !== undefined) return problemIn(this.#source, entry.key.start, entry.key.end - entry.key.start, message, hint);
    return problemIn(this.#source, (treeAt(this.#tree, path) ?? parent ?? this.#tree).start, 1, message, hint);
  }

  #wrongKind(path: Path, expected: readonly string[]): Found {
    const tree = treeAt(this.#tree, path);
    const hints = hintsAt(this.#schema, path);
    if (tree === null) return this.#missing(path, hints.missing);
    const kinds = [...new Set(expected.map((kind) => KINDS[kind] ?? kind))];
    const isEmpty = tree.kind === 'scalar' && tree.start >= tree.end;
    const hint = (isEmpty ? hints.missing : undefined) ?? hints.kind ?? scalarHint(tree, expected);
    return this.#onValue(path, `expected ${listed(kinds)}, found ${described(tree)}`, hint);
  }

  #missing(path: Path, hint?: string): Found {
    const key = String(path.at(-1));
    const within = treeAt(this.#tree, path.slice(0, -1));
    const [first] = within?.kind === 'map' ? within.entries.values() : [];
    const { start, end } = first?.key ?? within ?? this.#tree;
    const length = first === undefined ? 1 : end - start;
    return { ...problemIn(this.#source, start, length, `"${key}" is missing`, hint), missing: key, within };
  }

  #unknownKey(path: Path, key: string): Found {
    const within = treeAt(this.#tree, path);
    const known = keysAt(this.#schema, path);
    const near = nearest(key, known);
    const hint = hintsAt(this.#schema, path).misplaced?.get(key) ?? (near === null ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`);
    const problem = this.#onKey([...path, key], `unknown key ${quoted(key)}`, hint);
    return near === null ? problem : { ...problem, meant: near, within };
  }

  #notOneOf(path: Path, values: readonly string[]): Found {
    const tree = treeAt(this.#tree, path);
    if (tree === null) return this.#missing(path, `one of ${values.join(', ')}`);
    const near = tree.kind === 'scalar' && typeof tree.value === 'string' ? nearest(tree.value, values) : null;
    const hint = near === null ? {} : { hint: `did you mean ${near}?` };
    return { ...this.#onValue(path, `expected ${listed(values)}, found ${described(tree)}`), ...hint };
  }

  #outOfBounds(path: Path, issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Found {
    const hints = hintsAt(this.#schema, path);
    if (issue.origin === 'array') {
      const message = issue.code === 'too_small' ? 'the list is empty' : `the list has more than ${issue.maximum} items`;
      return this.#onValue(path, message, issue.code === 'too_small' ? hints.missing : undefined);
    }
    const tree = treeAt(this.#tree, path);
    const bound = issue.code === 'too_small' ? `the least is ${issue.minimum}` : `the most is ${issue.maximum}`;
    return this.#onValue(path, `${tree === null ? 'the value' : described(tree)} is out of bounds: ${bound}`);
  }
}

/** Whether a branch of a union is out of question because the value is of another kind altogether. */
function isMismatch(issues: readonly Issue[]): boolean {
  return issues.some(
    (issue) => issue.path.length === 0 && (issue.code === 'invalid_type' || (issue.code === 'invalid_union' && issue.errors.every(isMismatch))),
  );
}

function expectedKinds(issue: Issue): string[] {
  if (issue.code === 'invalid_type') return [issue.expected];
  return issue.code === 'invalid_union' ? issue.errors.flat().filter(({ path }) => path.length === 0).flatMap(expectedKinds) : [];
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text', int: 'a number', number: 'a number', boolean: 'true or false', array: 'a list', object: 'a mapping', record: 'a mapping', null: 'null',
};

function described(tree: Tree): string {
  if (tree.kind !== 'scalar') return tree.kind === 'list' ? 'a list' : 'a mapping';
  if (typeof tree.value === 'string') return quoted(tree.value);
  return tree.start >= tree.end ? 'nothing' : String(tree.value);
}

function scalarHint(tree: Tree, expected: readonly string[]): string | undefined {
  if (tree.kind !== 'scalar') return undefined;
  const wantsText = expected.includes('string');
  if (wantsText && tree.value !== null && typeof tree.value !== 'string') return `quote it if that is its name: "${String(tree.value)}"`;
  if (expected.includes('boolean') && typeof tree.value === 'string') {
    if (/^(?:yes|on|y)$/i.test(tree.value)) return 'did you mean true?';
    if (/^(?:no|off|n)$/i.test(tree.value)) return 'did you mean false?';
  }
  return undefined;
}

function listed(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

/** A missing field whose key was misspelt is named once, as the misspelling. */
function withoutConsequences(found: readonly Found[]): Problem[] {
  const meant = found.filter((problem) => problem.meant !== undefined);
  return found
    .filter(({ missing, within }) => missing === undefined || !meant.some((typo) => typo.meant === missing && typo.within === within))
    .map(({ missing: _missing, meant: _meant, within: _within, ...problem }) => problem);
}
