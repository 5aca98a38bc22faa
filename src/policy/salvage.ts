/**
 * What a refused file still names. Its policies cannot be trusted to be complete, but whose they are can often be read; those
 * users are then shut in rather than left open. So this reads more generously than anything else here: it only ever tightens.
 */
import { NAME } from './destination.ts';
import { nearest } from './nearest.ts';
import type { Position, PrincipalKind, Subject } from './policy.ts';
import { positionAt, type SourceText } from './source-text.ts';
import { parseSubject } from './subject.ts';
import { keyStart, type MapEntry, type MapTree, type Tree } from './yaml-tree.ts';

export type Salvage = {
  /** Null when the document does not name it readably. */
  readonly service: string | null;
  readonly kind: PrincipalKind;
  /** Empty when the document does not name them readably. */
  readonly subjects: readonly Subject[];
  /** The `service` key, or where the document starts. */
  readonly at: Position;
};

/** Of one match; a refused file may list its subjects by way of aliases. */
const MAX_SUBJECTS = 1000;

/** What a document names: nothing, one service, or one per kind where it has both users and groups. */
export function salvage(tree: Tree, source: SourceText): Salvage[] {
  if (tree.kind !== 'map') return [];
  const service = serviceOf(tree);
  const at = positionAt(source, keyStart(tree, 'service'));
  // users that stand beside "match" instead of below it are meant all the same
  const holders = [entryLike(tree, 'match')?.value, tree].filter((holder) => holder?.kind === 'map');
  for (const holder of holders) {
    const found = (['user', 'group'] as const).flatMap((kind) => {
      const entry = entryLike(holder, kind);
      const subjects = entry === null ? [] : subjectsOf(entry.value, source);
      return subjects.length === 0 ? [] : [{ service, kind, subjects, at }];
    });
    if (found.length > 0) return found;
  }
  return service === null ? [] : [{ service, kind: 'user', subjects: [], at }];
}

function serviceOf(tree: MapTree): string | null {
  const entry = entryLike(tree, 'service');
  const value = entry?.value.kind === 'scalar' ? String(entry.value.value) : '';
  return NAME.test(value) ? value : null;
}

/** The entry of that key, or else of one that is nearly that key. */
function entryLike(tree: MapTree, key: string): MapEntry | null {
  const exact = tree.entries.get(key);
  if (exact !== undefined) return exact;
  for (const [written, entry] of tree.entries) {
    // "groups" of a document without a match is another document's key
    if (written !== 'groups' && nearest(written, [key]) !== null) return entry;
  }
  return null;
}

function subjectsOf(tree: Tree, source: SourceText): Subject[] {
  const items = tree.kind === 'list' ? tree.items.slice(0, MAX_SUBJECTS) : [tree];
  const subjects = new Map<string | number, Subject>();
  for (const item of items) {
    if (item.kind !== 'scalar' || (typeof item.value !== 'string' && typeof item.value !== 'number')) continue;
    const parsed = parseSubject(item.value);
    if (parsed.ok) subjects.set(parsed.value, { id: parsed.value, at: positionAt(source, item.start) });
  }
  return [...subjects.values()];
}
