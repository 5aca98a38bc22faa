/** `netwallctl schema`: what editors check files by. */
import { configJsonSchema } from '../config/json-schema.ts';
import { policyJsonSchema } from '../policy/json-schema.ts';

const SCHEMAS = { policy: policyJsonSchema, config: configJsonSchema } as const;

/** As it is shipped, without the last line feed. */
export function schemaText(kind: keyof typeof SCHEMAS): string {
  return JSON.stringify(SCHEMAS[kind](), null, 2);
}
