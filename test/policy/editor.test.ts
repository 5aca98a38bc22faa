/** The schema in the language server that editors use: what somebody sees who writes a policy. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { policyJsonSchema } from '../../src/policy/json-schema.ts';
import { LanguageServer, type Place } from './language-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'netwall-editor-'));
const schemas = { policy: join(folder, 'policy.schema.json'), config: join(folder, 'config.schema.json') } as const;
const server = new LanguageServer({ [pathToFileURL(schemas.policy).href]: '*.d/*.yaml' });
const MODELINE = '# yaml-language-server: $schema=/usr/share/netwall/policy.schema.json';

test.before(async () => {
  writeFileSync(schemas.policy, JSON.stringify(policyJsonSchema()));
  writeFileSync(schemas.config, JSON.stringify(configJsonSchema()));
  await server.start();
});

test.after.always(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

let files = 0;

/** The modeline is the first line of what is opened, so the line of the text's first character is 1. */
async function open(text: string, schema: 'policy' | 'config' = 'policy') {
  files += 1;
  const uri = pathToFileURL(join(folder, `${files}.yaml`)).href;
  return { uri, found: await server.open(uri, `${modeline(schema)}\n${text}`) };
}
const modeline = (schema: 'policy' | 'config') => MODELINE.replace(/=.*$/, `=${schemas[schema]}`);

test('the schema is set for a folder: nothing is marked in good files, and mistakes are in all documents', async (t) => {
  const texts = ['policies', 'test/golden', 'test/corpus/good'].flatMap((name) => {
    const url = new URL(`../../${name}/`, import.meta.url);
    return readdirSync(url).filter((file) => file.endsWith('.yaml')).map((file) => ({ file, text: readFileSync(new URL(file, url), 'utf8').replace(/^\ufeff/, '').replace(MODELINE, modeline('policy')) }));
  });
  t.true(texts.length > 40);
  await Promise.all(
    texts.map(async ({ file, text }, index) => {
      if (text.trim() === '') return; // which the server takes for an empty mapping, to have something to offer
      t.deepEqual(await server.open(pathToFileURL(join(folder, 'netwall.d', `${index}-${file}`)).href, text), [], file);
    }),
  );
  const found = await server.open(pathToFileURL(join(folder, 'netwall.d', 'bad.yaml')).href, `${POLICY}---\nservice: other\nmatch: { user: "1" }\n`);
  t.deepEqual(found.map(({ range }) => range.start), [{ line: 5, character: 15 }]);
});

const POLICY = 'service: web\nmatch:\n  user: web\n';
const marked: readonly (readonly [text: string, line: number, character: number, message: RegExp, schema?: 'config'])[] = [
  [`${POLICY}mode: enforced\n`, 4, 6, /"enforce", "audit", "block"/],
  [`${POLICY}egres: {}\n`, 4, 0, /egres is not allowed/],
  ['service: web\n', 1, 0, /Missing property "match"/],
  ['service: web\nmatch:\n  user: web\n  group: web\n', 3, 2, /only one/],
  [`${POLICY}egress:\n  allow:\n    - to: [a.example, 10.0.0.1/8]\n      ports: 443\n`, 6, 22, /host bits/],
  [`${POLICY}egress:\n  allow:\n    - to: a.example\n      ports: [443, 70000]\n`, 7, 19, /maximum of 65535/],
  [`${POLICY}dns: none\negress:\n  allow:\n    - to: "*.a.example"\n      ports: 443\n`, 7, 10, /wildcards need "dns: filtered"/],
  // a modeline counts for one document
  [`${POLICY}---\n${modeline('policy')}\ngroups:\n  a: "@b"\n`, 7, 5, /groups hold neither/],
  ['dns:\n  timeout: 1h\n', 2, 11, /50ms to 1m/, 'config'],
];
for (const [text, line, character, message, schema] of marked) {
  test(`marked at ${line}:${character}: ${text.replaceAll(folder, '').replaceAll('\n', ', ')}`, async (t) => {
    const { found } = await open(text, schema);
    t.deepEqual(found.map(({ range }) => range.start), [{ line, character }], JSON.stringify(found));
    t.regex(found[0]?.message ?? '', message);
  });
}

test('a key says what it is for', async (t) => {
  const { uri } = await open(`${POLICY}mode: audit\negress:\n  allow:\n    - to: a.example\n      ports: 443\n`);
  const keys: readonly (readonly [key: string, line: number, character: number, text: string])[] = [
    ['service', 1, 2, 'unique on the host'],
    ['user', 3, 3, 'User names or uids'],
    ['mode', 4, 2, 'record and let through'],
    ['egress', 5, 2, 'What goes out'],
    ['to', 7, 7, 'covers every name below example.com'],
    ['ports', 8, 8, 'A bare number is tcp'],
  ];
  for (const [key, line, character, text] of keys) t.true((await server.hover(uri, { line, character })).includes(text), key);
});

const offers: readonly (readonly [text: string, place: Place, labels: readonly string[]])[] = [
  ['', { line: 1, character: 0 }, ['service', 'match', 'mode', 'dns', 'egress', 'ingress', 'groups']],
  [`${POLICY}m`, { line: 4, character: 1 }, ['mode', 'dns', 'egress', 'ingress']],
  ['service: web\nmatch:\n  ', { line: 3, character: 2 }, ['user', 'group']],
  [`${POLICY}mode: `, { line: 4, character: 6 }, ['enforce', 'audit', 'block']],
  [`${POLICY}dns: `, { line: 4, character: 5 }, ['filtered', 'system', 'none']],
  [`${POLICY}egress:\n  allow:\n    - to: a.example\n      p`, { line: 7, character: 7 }, ['ports', 'private']],
];
for (const [text, place, labels] of offers) {
  test(`offered after ${JSON.stringify(text)}: ${labels.join(', ')}`, async (t) => {
    const { uri } = await open(text);
    const offered = await server.completion(uri, place);
    // beside them whole documents, by their titles
    t.deepEqual(offered.filter((label) => !label.includes(' ')), [...labels]);
  });
}
