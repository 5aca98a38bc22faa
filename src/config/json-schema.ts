/** The JSON Schema of `netwalld.yaml`, for editors. */
import { type JsonSchema, jsonSchemaOf, orNothing } from '../policy/json-schema.ts';
import { configDocument } from './schema.ts';

export function configJsonSchema(): JsonSchema {
  return orNothing(jsonSchemaOf(configDocument));
}
