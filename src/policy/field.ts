/**
 * The kinds of fields that schemas of files are made of. What is more than text or a number is read by a function that says
 * itself what is wrong; the words of the rest are in `shape.ts`.
 */
import { z } from 'zod';
import type { Parsed } from '../net/address.ts';

/** What to write when a field is missing, or is of the wrong kind, or when a mapping has a key that belongs elsewhere. */
export type FieldHints = { readonly missing?: string; readonly kind?: string; readonly misplaced?: ReadonlyMap<string, string> };
const hintsOf = new WeakMap<z.core.$ZodType, FieldHints>();

/** Gives a schema its hints. To be called last: `meta`, `optional` and the like make another schema. */
export function withHints<Schema extends z.ZodType>(schema: Schema, hints: FieldHints): Schema {
  hintsOf.set(schema, hints);
  return schema;
}

export function hintsFor(schema: z.core.$ZodType): FieldHints | undefined {
  return hintsOf.get(schema);
}

/** A text field that `read` understands. */
export function textField<T>(read: (text: string) => Parsed<T>) {
  return z.string().transform((text, context) => settle(read(text), context));
}

/** A field of text or of a plain decimal number. */
export function scalarField<T>(read: (item: string | number) => Parsed<T>) {
  return z.union([z.string(), z.int()]).transform((item, context) => settle(read(item), context));
}

/** One item, or a list of at least one; always a list once it is read. `list`: what JSON Schema is to say of the list. */
export function oneOrMany<Item extends z.ZodType>(item: Item, list: z.core.GlobalMeta = {}) {
  return z.union([item.transform((one): z.output<Item>[] => [one]), z.array(item).min(1).meta(list)]);
}

function settle<T>(parsed: Parsed<T>, context: z.core.$RefinementCtx): T {
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: 'custom', message: parsed.fault, input: context.value, params: issueParams(parsed.hint) });
  return z.NEVER;
}

/** For `params` of a custom issue. `key`: the place is the key at the issue's path, not its value. */
export function issueParams(hint: string | undefined, on: 'key' | 'value' = 'value'): Record<string, unknown> {
  return { hint, on };
}

export function readIssueParams(params: Readonly<Record<string, unknown>> | undefined): { hint: string | undefined; onKey: boolean } {
  const hint = params?.['hint'];
  return { hint: typeof hint === 'string' ? hint : undefined, onKey: params?.['on'] === 'key' };
}
