/** What a schema says of the value at a path: which keys it knows, and which hints were given for it. */
import { z } from 'zod';
import { type FieldHints, hintsFor } from './field.ts';

type Path = readonly PropertyKey[];

/** The keys that mappings at that path may have. */
export function keysAt(schema: z.ZodType, path: Path): string[] {
  return [...schemasAt(schema, path)].flatMap((found) => (found instanceof z.ZodObject ? Object.keys(found.shape) : []));
}

/** Of several schemas, the outermost that gives a hint of a kind gives it. */
export function hintsAt(schema: z.ZodType, path: Path): FieldHints {
  return Object.assign({}, ...Array.from(schemasAt(schema, path), hintsFor).toReversed());
}

/** The schemas a value at that path may have, what wraps them first. */
function* schemasAt(schema: z.core.$ZodType, path: Path): Generator<z.core.$ZodType> {
  if (path.length === 0) yield schema;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    yield* schemasAt(schema.def.innerType, path);
  } else if (schema instanceof z.ZodPipe) {
    yield* schemasAt(schema.def.in, path);
  } else if (schema instanceof z.ZodUnion) {
    for (const option of schema.options) yield* schemasAt(option, path);
  } else {
    const inner = innerSchema(schema, path[0]);
    if (inner !== null) yield* schemasAt(inner, path.slice(1));
  }
}

function innerSchema(schema: z.core.$ZodType, step: PropertyKey | undefined): z.core.$ZodType | null {
  if (step === undefined) return null;
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return schema instanceof z.ZodObject && Object.hasOwn(schema.shape, step) ? (schema.shape[String(step)] ?? null) : null;
}
