/** Reads what the kernel holds, as `nft` lists it, back into the form that was applied. Pure. */
import type { Element, ObservedElement } from './element.ts';
import { elementId } from './element.ts';
import { protocolName } from './protocol.ts';
import { MODES, POLICY_SETS } from './skeleton.ts';

/** What table `inet netwall` holds now; null at the edge means there is no such table. */
export type ObservedRuleset = {
  /** Elements of the policy sets by `elementId`. */
  readonly elements: ReadonlyMap<string, ObservedElement>;
};

/** The listing has a form that is none of nft's for what we write. */
export class ListingError extends Error {
  override readonly name = 'ListingError';
}

// by hand: a schema library takes ten times as long, and this is read every half minute
type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function fail(what: string, found: unknown): never {
  throw new ListingError(`${what}: ${(JSON.stringify(found) ?? 'nothing').slice(0, 200)}`);
}
const object = (what: string, value: unknown): Json => (isObject(value) ? value : fail(what, value));
const list = (what: string, value: unknown): readonly unknown[] => (Array.isArray(value) ? value : fail(what, value));
const text = (what: string, value: unknown): string => (typeof value === 'string' ? value : fail(what, value));
const number = (what: string, value: unknown): number => (typeof value === 'number' ? value : fail(what, value));
const bound = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? `${value}` : fail('bound of a range', value));

function atomText(part: unknown): string {
  if (typeof part === 'string' || typeof part === 'number') return `${part}`;
  const { prefix, range } = object('part of a key', part);
  if (isObject(prefix)) return `${text('address', prefix['addr'])}/${number('prefix', prefix['len'])}`;
  const [first, last] = list('range', range);
  return `${bound(first)}-${bound(last)}`;
}

/** Keys are id . address . protocol [. port]: the third part is numeric in listings with `-n`. */
function keyText(part: unknown): string {
  if (!isObject(part) || part['concat'] === undefined) return atomText(part);
  return list('key', part['concat'])
    .map((piece, index) => (index === 2 && typeof piece === 'number' ? protocolName(piece) : atomText(piece)))
    .join(' . ');
}

const seconds = (value: unknown): number | null => (value === undefined ? null : number('time', value));

function counterOf(value: unknown): ObservedElement['counter'] {
  if (value === undefined) return null;
  const { packets, bytes } = object('counter', value);
  return { packets: number('packets', packets), bytes: number('bytes', bytes) };
}

function observe(set: string, found: unknown, mode: Element['mode']): ObservedElement {
  const details = isObject(found) && found['elem'] !== undefined ? object('element', found['elem']) : null;
  if (details === null) return { set, key: keyText(found), mode, timeout: null, comment: null, expires: null, counter: null };
  const { val, timeout, comment, expires, counter } = details;
  return {
    set,
    key: keyText(val),
    mode,
    timeout: seconds(timeout),
    comment: comment === undefined ? null : text('comment', comment),
    expires: seconds(expires),
    counter: counterOf(counter),
  };
}

/** A verdict that is none of ours reads as null, and so differs from whatever is desired. */
function modeOf(map: string, target: string | undefined): Element['mode'] {
  const side = map.slice(0, map.indexOf('_'));
  return MODES.find((mode) => target === `${side}_${mode}`) ?? null;
}

function readMap(name: string, found: readonly unknown[]): ObservedElement[] {
  return found.map((pair) => {
    const [item, data] = list('element of a map', pair);
    if (typeof data === 'number') return { ...observe(name, item, null), port: data };
    const { goto } = object('verdict', data);
    return observe(name, item, modeOf(name, goto === undefined ? undefined : text('target', object('verdict', goto)['target'])));
  });
}

/** Elements of the sets in an `nft -n -j list …` answer. Throws ListingError where the listing is of no form we know. */
export function readElements(json: unknown): readonly ObservedElement[] {
  const elements: ObservedElement[] = [];
  for (const entry of list('listing', object('listing', json)['nftables'])) {
    const { set, map } = object('object', entry);
    const declared = set ?? map;
    if (declared === undefined) continue;
    const { name, elem } = object('set', declared);
    const found = elem === undefined ? [] : list('elements', elem);
    const called = text('name', name);
    for (const element of map === undefined ? found.map((item) => observe(called, item, null)) : readMap(called, found)) elements.push(element);
  }
  return elements;
}

/**
 * Of the listing of one set, as text, only what concerns these ids: of 40,000 elements parsing all takes a tenth of a second, in which nobody
 * would get an answer. Inside a string a quote is escaped, so what is looked for is nowhere but where an element begins.
 */
export function readElementsOf(text: string, ids: ReadonlySet<number>): readonly ObservedElement[] {
  const name = /"set":\s*\{[^{}]*?"name":\s*"(\w+)"/.exec(text)?.[1];
  if (name === undefined || ids.size === 0) return [];
  const own = new RegExp(String.raw`\{\s*"elem":\s*\{\s*"val":\s*\{\s*"concat":\s*\[\s*(?:${[...ids].join('|')}),`, 'g');
  return Array.from(text.matchAll(own), ({ index }) => observe(name, parsed(objectAt(text, index)), null));
}

/** The object that begins here, to its closing brace. */
function objectAt(text: string, start: number): string {
  let depth = 0;
  // strings as a whole: their braces are none
  for (const { 0: found, index } of text.slice(start, start + LONGEST_ELEMENT).matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (found === '{') depth += 1;
    else if (found === '}') depth -= 1;
    if (depth === 0) return text.slice(start, start + index + 1);
  }
  return fail('element', text.slice(start, start + LONGEST_ELEMENT));
}
const LONGEST_ELEMENT = 4096;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fail('element', text);
  }
}

/** The policy part of a listing of the whole table. */
export function readRuleset(json: unknown): ObservedRuleset {
  const policy = new Set(POLICY_SETS);
  const elements = readElements(json).filter(({ set }) => policy.has(set));
  return { elements: new Map(elements.map((element) => [elementId(element), element])) };
}
