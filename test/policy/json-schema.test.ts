/** The JSON Schema of policy files, as another validator reads it: never stricter than netwalld, and nearly as strict. */
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import test from 'ava';
import * as fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { type JsonSchema, policyJsonSchema } from '../../src/policy/json-schema.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { readSource } from '../../src/policy/source-text.ts';
import { readYaml } from '../../src/policy/yaml-source.ts';
import { dataOf } from '../../src/policy/yaml-tree.ts';
import { destinationGroup, groupsYaml, policy, policyYaml } from './arbitrary.ts';
import { corpusFiles } from './corpus.ts';

const schema = policyJsonSchema();
const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, keywords: ['patternErrorMessage'] });
const validate = ajv.compile(schema);

/** The documents of a file as netwalld reads them, but for those that are not even YAML. */
const documentsOf = (text: string | Uint8Array) => readYaml(readSource('policy.yaml', text).source).documents.flatMap(({ sound, tree }) => (sound ? [dataOf(tree)] : []));
/** As an editor reads them: by the YAML core schema. */
const asEditorsRead = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS());

const folder = (name: string) => {
  const url = new URL(`../../${name}/`, import.meta.url);
  return readdirSync(url).filter((file) => file.endsWith('.yaml')).map((file) => ({ name: `${name}/${file}`, bytes: readFileSync(new URL(file, url)) }));
};

for (const { name, bytes } of [...folder('policies'), ...folder('test/golden'), ...corpusFiles('good')]) {
  test(`a good file is good for editors: ${name}`, (t) => {
    const text = Buffer.from(bytes).toString();
    t.false(parsePolicyFile(name, bytes).problems.some(({ severity }) => severity === 'error'));
    for (const document of [...documentsOf(bytes), ...asEditorsRead(text)]) t.true(validate(document), JSON.stringify(validate.errors));
  });
}

test('whatever policy can be written is good for editors', (t) => {
  fc.assert(
    fc.property(policy, fc.array(destinationGroup, { minLength: 1, maxLength: 3 }), (policy, groups) => {
      for (const document of documentsOf(`${policyYaml(policy)}---\n${groupsYaml(groups)}`)) t.true(validate(document), JSON.stringify([document, validate.errors]));
    }),
    { numRuns: 300 },
  );
});

/** What only a program can tell: names that repeat over documents, characters, tags, other people's domains, null for nothing. */
const BEYOND = [
  'document-null',   'groups-twice', 'port-reversed', 'principal-twice', 'service-twice', 'text-bidirectional', 'text-carriage-return', 'text-escape-in-comment', 'text-latin-1', 'text-line-separator',
  'wildcard-public-suffix', 'wildcard-suffix-rule', 'yaml-bare-tag', 'yaml-binary', 'yaml-core-tag', 'yaml-directive', 'yaml-tag', 'yaml-undeclared-tag',
];
for (const { name, bytes } of corpusFiles('bad')) {
  const documents = documentsOf(bytes);
  if (documents.length === 0) continue; // an editor says so already
  const beyond = BEYOND.includes(name.replace('.yaml', ''));
  test(`a bad file is ${beyond ? 'beyond' : 'bad for'} editors: ${name}`, (t) => {
    t.is(documents.every((document) => validate(document)), beyond);
  });
}

/** A policy that is good but for one key. */
const bad: readonly (readonly [place: string, yaml: string])[] = [
  ['/service', 'service: Web_App\nmatch: { user: a }'],
  ['/service', 'match: { user: a }'],
  ['/match', 'service: a'],
  ['/match', 'service: a\nmatch: { user: a, group: b }'],
  ['/match', 'service: a\nmatch: {}'],
  ['/match/users', 'service: a\nmatch: { users: a }'],
  ['/match/user', 'service: a\nmatch: { user: [] }'],
  ['/match/user', 'service: a\nmatch: { user: [b, b] }'],
  ['/match/user', 'service: a\nmatch: { user: "1001" }'],
  ['/match/user', 'service: a\nmatch: { user: 4294967295 }'],
  ['/match/user/1', 'service: a\nmatch: { user: [b, "c,d"] }'],
  ['/mode', 'service: a\nmatch: { user: a }\nmode: enforced'],
  ['/dns', 'service: a\nmatch: { user: a }\ndns: off'],
  ['/egres', 'service: a\nmatch: { user: a }\negres: {}'],
  ['/egress/allow', 'service: a\nmatch: { user: a }\negress: { allow: { to: a.b, ports: 1 } }'],
  ['/egress/allow/0/ports', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: a.b }] }'],
  ['/egress/allow/0/ports', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: a.b, ports: 0 }] }'],
  ['/egress/allow/0/ports', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: a.b, ports: https }] }'],
  ['/egress/allow/0/ports/1', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: a.b, ports: [443, 65536] }] }'],
  ['/egress/allow/0/to', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: 10.0.0.1/8, ports: 443 }] }'],
  ['/egress/allow/0/to', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: 010.1.2.3, ports: 443 }] }'],
  ['/egress/allow/0/to/1', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: [a.b, "https://a.b"], ports: 443 }] }'],
  ['/egress/allow/0/to', 'service: a\nmatch: { user: a }\ndns: system\negress: { allow: [{ to: "*.a.b", ports: 443 }] }'],
  ['/egress/allow/0/private', 'service: a\nmatch: { user: a }\negress: { allow: [{ to: a.b, ports: 443, private: yes }] }'],
  ['/egress/deny/0/private', 'service: a\nmatch: { user: a }\negress: { deny: [{ to: a.b, private: true }] }'],
  ['/ingress/allow/0/from', 'service: a\nmatch: { user: a }\ningress: { allow: [{ from: a.b, ports: 80 }] }'],
  ['/ingress/deny', 'service: a\nmatch: { user: a }\ningress: { deny: [] }'],
  ['/groups/a', 'groups: { a: "@b" }'],
  ['/groups/a/0', 'groups: { a: ["*.b.c"] }'],
  ['/groups/A', 'groups: { A: b.c }'],
  ['/service', 'groups: { a: b.c }\nservice: a'],
];

/** Where the errors are that a document has as that which it is meant to be. */
function places(document: unknown): string[] {
  const [policy = {}, groups = {}] = schema.anyOf ?? [];
  const branch: JsonSchema = { ...(typeof document === 'object' && document !== null && 'groups' in document ? groups : policy), definitions: schema['definitions'] };
  const validate = ajv.compile(branch);
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, params }) => [instancePath, params['additionalProperty'] ?? params['missingProperty'] ?? params['propertyName']].filter((part) => part !== undefined).join('/'));
}

for (const [place, yaml] of bad) {
  test(`bad at ${place}: ${yaml.replaceAll('\n', ', ')}`, (t) => {
    t.true(parsePolicyFile('policy.yaml', yaml).problems.some(({ severity }) => severity === 'error'), 'netwalld refuses it');
    for (const document of asEditorsRead(yaml)) {
      t.false(validate(document));
      t.true(places(document).includes(place), JSON.stringify(places(document)));
    }
  });
}

/** The names of all properties, and those that have no description. */
function undescribed(schema: JsonSchema, name = ''): string[] {
  const inner = [...Object.entries(schema.properties ?? {}), ...[...(schema.anyOf ?? []), schema.items, schema.additionalProperties].map((part) => [name, part] as const)];
  return inner.flatMap(([name, part]) => {
    if (typeof part !== 'object' || Array.isArray(part)) return [];
    const own = Object.values(schema.properties ?? {}).includes(part) && part.description === undefined ? [name] : [];
    return [...own, ...undescribed(part, name)];
  });
}

test('every key has a description, and every document a title', (t) => {
  t.deepEqual(undescribed(schema), []);
  t.deepEqual([schema, ...(schema.anyOf ?? [])].map((part) => (typeof part === 'object' ? part.title : null)), ['netwall policy file', 'netwall policy', 'netwall groups']);
  t.is(schema.$schema, 'http://json-schema.org/draft-07/schema#');
});
