/**
 * A transaction is data that prints itself: log, test and kernel see one text. One command a line, so that the line nft
 * complains about is the operation that failed.
 */
import type { ElementChanges } from './diff.ts';
import { type Counter, type Element, timeoutAt, writtenKey, writtenRange } from './element.ts';
import { ALL_PARTS, chainNames, INTERVAL_SETS, type Parts, plainDeclaration, writtenSkeletonText, type Table } from './skeleton.ts';

export type Operation =
  /** The whole table from nothing, whatever was there before. Without `parts`: all of them. */
  | { readonly do: 'rebuild'; readonly parts?: Parts }
  /** Every rule anew, elements and their counters untouched. Fails where a set or a base chain is not as declared. */
  | { readonly do: 'rewrite-rules'; readonly parts?: Parts }
  | { readonly do: 'add'; readonly elements: readonly Element[]; readonly counters?: ReadonlyMap<Element, Counter> }
  /** The same in a form that is several times faster for few elements, as nft then asks the kernel for no other set. */
  | { readonly do: 'open'; readonly elements: readonly Element[] }
  | { readonly do: 'remove'; readonly elements: readonly Element[] }
  | { readonly do: 'unload' };

/** What is done, in this order, all or nothing. */
export type Transaction = readonly Operation[];

export function changesTransaction({ added, removed }: ElementChanges): Transaction {
  const operations: Operation[] = [];
  if (removed.length > 0) operations.push({ do: 'remove', elements: removed });
  if (added.length > 0) operations.push({ do: 'add', elements: added });
  return operations;
}

function bySet(elements: readonly Element[]): Map<string, Element[]> {
  const sets = new Map<string, Element[]>();
  for (const element of elements) {
    const list = sets.get(element.set);
    if (list === undefined) sets.set(element.set, [element]);
    else list.push(element);
  }
  return sets;
}

/**
 * One command for many elements is several netlink messages of 64 KB. The element that no longer fits into one is written anew into the
 * next, and of a key in a set of intervals nft 1.0.6 then has turned the bytes of its id twice: another user would get the permission. So
 * such commands are kept to one message: an element takes 300 bytes at most.
 */
const MOST_INTERVALS = 128;

function commands(elements: readonly Element[]): (readonly [set: string, elements: readonly Element[]])[] {
  return [...bySet(elements)].flatMap(([set, list]) => {
    const most = INTERVAL_SETS.has(set) ? MOST_INTERVALS : list.length;
    return Array.from({ length: Math.ceil(list.length / most) }, (_, index) => [set, list.slice(index * most, (index + 1) * most)] as const);
  });
}

/** An element as nft reads it. A map's target chain is named after its side: `user_mode` goes to `user_enforce`. */
export function elementText(element: Element, counter?: Counter, now = 0): string {
  const { set, key, mode, port, comment } = element;
  const timeout = timeoutAt(element, now);
  const parts = [writtenKey(key)];
  if (counter !== undefined) parts.push(`counter packets ${counter.packets} bytes ${counter.bytes}`);
  if (timeout !== null) parts.push(`timeout ${timeout}s`);
  if (comment !== null) parts.push(`comment "${comment}"`);
  if (mode !== null) parts.push(`: goto ${set.slice(0, set.indexOf('_'))}_${mode}`);
  if (port !== undefined) parts.push(`: ${port}`);
  return parts.join(' ');
}

function addLines(table: string, elements: readonly Element[], now: number, counters?: ReadonlyMap<Element, Counter>): string[] {
  return commands(elements).map(([set, list]) => {
    const texts = list.map((element) => elementText(element, counters?.get(element), now));
    return `add element inet ${table} ${set} { ${texts.join(', ')} }`;
  });
}

/**
 * nft 1.0.6 lists all sets of all tables before an `add element`, as it must know the set's type, and none for a set that is declared.
 * The kernel takes the declaration of a set that is there as one of the same set if it is the same.
 */
function openLines(table: string, elements: readonly Element[], now: number): string[] {
  return [...bySet(elements)].flatMap(([set, list]) => {
    const declaration = plainDeclaration(set);
    if (declaration === null) return addLines(table, list, now);
    return [`add set inet ${table} ${set} { ${declaration}; elements = { ${list.map((element) => elementText(element, undefined, now)).join(', ')} }; }`];
  });
}

/**
 * The key as `delete element` takes it. In a set of intervals nft 1.0.6 does not find a key without a range unless one part is
 * written as a range: it adds such keys with an upper end, and looks for them without.
 */
const deletedKey = ({ set, key }: Element) => (INTERVAL_SETS.has(set) ? writtenRange(key) : writtenKey(key));

/**
 * Removing names keys alone. A timed element may run out on its way to the kernel, and deleting what is gone fails the whole
 * transaction; added first, it is there to be deleted (adding what exists is no error).
 */
function removeLines(table: string, elements: readonly Element[], now: number): string[] {
  const timed = elements.filter(({ timeout }) => timeout !== null);
  const lines = addLines(table, timed, now);
  for (const [set, list] of commands(elements)) {
    lines.push(`delete element inet ${table} ${set} { ${list.map(deletedKey).join(', ')} }`);
  }
  return lines;
}

/** The rules of the skeleton as commands that leave its sets alone. */
function rewriteRules(table: Table, parts = ALL_PARTS): string[] {
  const chainsOnly = (some: Parts) => writtenSkeletonText(table, some).replaceAll(/^\t(?:set|map) \S+ \{\n(?:\t\t.*\n)+\t\}\n\n?/gm, '').trimEnd();
  const all = chainNames(table);
  const kept = new Set(chainNames(table, parts));
  return [
    // the first time only for chains that may be gone; flushed, what jumps and what is jumped to are both empty
    chainsOnly(ALL_PARTS),
    ...all.map((chain) => `flush chain inet ${table.name} ${chain}`),
    ...all.filter((chain) => !kept.has(chain)).map((chain) => `delete chain inet ${table.name} ${chain}`),
    chainsOnly(parts),
  ];
}

function operationLines(owner: Table, operation: Operation, now: number): string[] {
  const table = owner.name;
  switch (operation.do) {
    case 'rebuild':
      // nft 1.0.6 has no `destroy`: what is added can be deleted
      return [`add table inet ${table}`, `delete table inet ${table}`, writtenSkeletonText(owner, operation.parts).trimEnd()];
    case 'rewrite-rules':
      return rewriteRules(owner, operation.parts);
    case 'add':
      return addLines(table, operation.elements, now, operation.counters);
    case 'open':
      return openLines(table, operation.elements, now);
    case 'remove':
      return removeLines(table, operation.elements, now);
    case 'unload':
      return [`add table inet ${table}`, `delete table inet ${table}`];
  }
}

/** The transaction as a script for `nft -f`. `now`: by the daemon's monotonic clock, for elements that end at a time. */
export function transactionText(table: Table, transaction: Transaction, now = 0): string {
  return transaction.flatMap((operation) => operationLines(table, operation, now)).map((line) => `${line}\n`).join('');
}
