/** Reads what the kernel holds, as `nft` lists it, back into the form that was applied. Pure. */
import { z } from 'zod';
import type { Element, ObservedElement } from './element.ts';
import { elementId } from './element.ts';
import { protocolName } from './protocol.ts';
import { MODES, POLICY_SETS } from './skeleton.ts';

/** What table `inet netwall` holds now; null at the edge means there is no such table. */
export type ObservedRuleset = {
  /** Elements of the policy sets by `elementId`. */
  readonly elements: ReadonlyMap<string, ObservedElement>;
};

const atom = z.union([
  z.string(),
  z.number(),
  z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) }),
  z.object({ range: z.tuple([z.union([z.string(), z.number()]), z.union([z.string(), z.number()])]) }),
]);
const value = z.union([atom, z.object({ concat: z.array(atom) })]);
const counter = z.object({ packets: z.number(), bytes: z.number() });
const elem = z.object({
  elem: z.object({
    val: value,
    timeout: z.number().optional(),
    expires: z.number().optional(),
    comment: z.string().optional(),
    counter: counter.optional(),
  }),
});
const bare = z.union([elem, value]);
const setListing = z.object({ name: z.string(), elem: z.array(bare).optional() });
const mapListing = z.object({
  name: z.string(),
  elem: z.array(z.tuple([bare, z.union([z.number(), z.looseObject({ goto: z.object({ target: z.string() }).optional() })])])).optional(),
});
const listing = z.object({
  nftables: z.array(z.looseObject({ set: z.unknown().optional(), map: z.unknown().optional() })),
});

type Atom = z.infer<typeof atom>;
type Bare = z.infer<typeof bare>;

function atomText(part: Atom): string {
  if (typeof part === 'object') return 'prefix' in part ? `${part.prefix.addr}/${part.prefix.len}` : `${part.range[0]}-${part.range[1]}`;
  return `${part}`;
}

/** Keys are id . address . protocol [. port]: the third part is numeric in listings with `-n`. */
function keyText(part: z.infer<typeof value>): string {
  if (typeof part !== 'object' || !('concat' in part)) return atomText(part);
  return part.concat.map((piece, index) => (index === 2 && typeof piece === 'number' ? protocolName(piece) : atomText(piece))).join(' . ');
}

function observe(set: string, found: Bare, mode: Element['mode']): ObservedElement {
  const details = typeof found === 'object' && 'elem' in found ? found.elem : { val: found };
  return {
    set,
    key: keyText(details.val),
    mode,
    timeout: 'timeout' in details ? (details.timeout ?? null) : null,
    comment: 'comment' in details ? (details.comment ?? null) : null,
    expires: 'expires' in details ? (details.expires ?? null) : null,
    counter: 'counter' in details ? (details.counter ?? null) : null,
  };
}

/** A verdict that is none of ours reads as null, and so differs from whatever is desired. */
function modeOf(map: string, target: string | undefined): Element['mode'] {
  const side = map.slice(0, map.indexOf('_'));
  return MODES.find((mode) => target === `${side}_${mode}`) ?? null;
}

/** Elements of the sets in an `nft -n -j list …` answer. Throws a ZodError where the listing is of no form we know. */
export function readElements(json: unknown): readonly ObservedElement[] {
  const elements: ObservedElement[] = [];
  for (const object of listing.parse(json).nftables) {
    if (object.set !== undefined) {
      const { name, elem: found = [] } = setListing.parse(object.set);
      for (const item of found) elements.push(observe(name, item, null));
    } else if (object.map !== undefined) {
      const { name, elem: found = [] } = mapListing.parse(object.map);
      for (const [item, data] of found) {
        if (typeof data === 'number') elements.push({ ...observe(name, item, null), port: data });
        else elements.push(observe(name, item, modeOf(name, data.goto?.target)));
      }
    }
  }
  return elements;
}

/** The policy part of a listing of the whole table. */
export function readRuleset(json: unknown): ObservedRuleset {
  const policy = new Set(POLICY_SETS);
  const elements = readElements(json).filter(({ set }) => policy.has(set));
  return { elements: new Map(elements.map((element) => [elementId(element), element])) };
}
