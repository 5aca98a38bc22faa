/** The JSON Schema of a file, for editors, from the zod schema that reads it. */
import { z } from 'zod';
import { fileDocument } from './schema.ts';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * Draft 7, which every editor knows. What `meta` says of a field that is read by a function replaces what its raw input says, which is
 * no more than "text or number".
 */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-07',
    override: ({ zodSchema, jsonSchema }) => {
      const { examples, type } = z.globalRegistry.get(zodSchema) ?? {};
      // zod leaves both out where a function reads the value, as they could be of what it makes; here they are of what is written
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      if (zodSchema instanceof z.ZodDefault) jsonSchema.default = written(zodSchema.def.defaultValue);
      if (typeof type === 'string') delete jsonSchema.anyOf;
      const [only, ...others] = jsonSchema.allOf ?? [];
      if (only !== undefined && others.length === 0 && Object.keys(jsonSchema).length === 1) Object.assign(jsonSchema, { allOf: undefined }, only);
      delete jsonSchema['id'];
    },
  });
}

/** A copy: zod's own is frozen. */
function written(value: unknown): unknown {
  return Array.isArray(value) ? [...value] : value;
}

/** A document without content says nothing, and nothing is wrong with it. */
export function orNothing(schema: JsonSchema): JsonSchema {
  return { ...schema, type: ['object', 'null'] };
}

/** Of one document of a policy file. */
export function policyJsonSchema(): JsonSchema {
  const { anyOf: [policy, ...others] = [], ...rest } = jsonSchemaOf(fileDocument);
  return { ...rest, anyOf: typeof policy === 'object' ? [orNothing(policy), ...others] : others };
}
