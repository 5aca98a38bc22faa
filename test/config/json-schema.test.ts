/** The JSON Schema of the configuration, as another validator reads it: never stricter than netwalld, and nearly as strict. */
import { Ajv } from 'ajv';
import test from 'ava';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/config.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';

const schema = configJsonSchema();
const validate = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, keywords: ['patternErrorMessage'] }).compile(schema);

const accepts = (text: string) => parseConfig('netwalld.yaml', text).problems.length === 0;
const said = (keys: readonly string[], value: unknown) => JSON.stringify(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value));

const of = (characters: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...characters.split('')), maxLength });
const duration = fc.oneof(fc.tuple(fc.oneof(fc.nat(100), fc.nat(100_000), fc.nat()), fc.constantFrom('ms', 's', 'm', 'h', 'd', '', 'min')).map(([number, unit]) => `${number}${unit}`), fc.nat(3));
const path = fc.oneof(fc.array(fc.constantFrom('a', 'b c', '.', '..', 'ä', '.x', '\u0001', '', '...'), { maxLength: 4 }).map((parts) => `/${parts.join('/')}`), of('/.a~', 6));
const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV6().map((text) => `[${text}]`), fc.constantFrom('localhost', '01.2.3.4', ''));
const port = fc.oneof(fc.constant(''), fc.nat(70_000).map((number) => `:${number}`));
const server = fc.tuple(fc.constantFrom('', 'udp://', 'tls://', 'TLS://', 'dot://'), address, port, fc.constantFrom('', '', '#dns.quad9.net', '#localhost', '#a.1', '#-a.b')).map((parts) => parts.join(''));

const rows: readonly (readonly [keys: readonly string[], values: fc.Arbitrary<unknown>])[] = [
  [['reconcile_interval'], duration],
  [['dns', 'timeout'], duration],
  [['state_dir'], path],
  [['policy_dirs'], fc.array(path, { maxLength: 3 })],
  [['table'], fc.oneof(fc.constantFrom('netwall', 'policy', 'ip', 'Table', 'xt'), of('aZ1_-', 4), of('a', 34))],
  [['dns', 'servers'], fc.array(server, { maxLength: 2 })],
  [['dns', 'tries'], fc.oneof(fc.integer({ min: -1, max: 12 }), fc.constant('3'))],
  [['guard', 'mark'], fc.oneof(fc.constant(null), fc.nat().map((number) => `0x${number.toString(16)}`), fc.nat(33).map((bit) => `0x${(2 ** bit).toString(16)}`), of('0x124', 6), fc.nat(4))],
  [['metrics', 'listen'], fc.oneof(fc.constant(null), fc.tuple(fc.oneof(address, fc.constantFrom('127.0.0.1', '127.255.0.9', '[::1]', '127.0.0.256', '[::2]')), port).map((parts) => parts.join('')))],
];
for (const [keys, values] of rows) {
  test(`${keys.join('.')}: editors accept what netwalld accepts, and nothing else`, (t) => {
    let accepted = 0;
    fc.assert(
      fc.property(values, (value) => {
        const text = said(keys, value);
        const good = accepts(text);
        if (good) accepted += 1;
        t.is(validate(JSON.parse(text)), good, text);
      }),
      { numRuns: 2000 },
    );
    t.true(accepted > 20, `${accepted}`);
  });
}

for (const text of ['', '# nothing\n', '---\n', '{}', 'dns: {}\nlog: { level: debug, format: pretty }\n', 'metrics: { listen: }\n', 'dns: { servers: [], require_ad: true, refuse_with: nxdomain }', 'dns: { min_ttl: 5s, max_ttl: 1h, hold: 0s, max_stale: 24h }']) {
  test(`good: ${JSON.stringify(text)}`, (t) => {
    t.true(accepts(text));
    t.true(validate(parse(text)), JSON.stringify(validate.errors));
  });
}

const bad: readonly (readonly [place: string, text: string])[] = [
  ['/tabel', 'tabel: x'],
  ['/timeout', 'timeout: 2s'],
  ['/dns', 'dns:'],
  ['/dns', 'dns: system'],
  ['/dns/server', 'dns: { server: [9.9.9.9] }'],
  ['/dns/servers', 'dns: { servers: 9.9.9.9 }'],
  ['/dns/servers/1', 'dns: { servers: [9.9.9.9, dns.google] }'],
  ['/dns/hold', 'dns: { hold: 8d }'],
  ['/dns/max_stale', 'dns: { max_stale: 59s }'],
  ['/dns/refuse_with', 'dns: { refuse_with: servfail }'],
  ['/policy_dirs', 'policy_dirs: [/a, /a]'],
  ['/policy_dirs', 'policy_dirs: []'],
  ['/runtime_dir', `runtime_dir: /${'a'.repeat(94)}`],
  ['/nft', 'nft: nft'],
  ['/log/level', 'log: { level: verbose }'],
  ['/log/format', 'log: { format: text }'],
  ['/guard/mark', 'guard: { mark: "0x3" }'],
  ['/metrics/listen', 'metrics: { listen: localhost:9477 }'],
];
for (const [place, text] of bad) {
  test(`bad at ${place}: ${text.slice(0, 50)}`, (t) => {
    t.false(accepts(text));
    t.false(validate(parse(text)));
    const places = (validate.errors ?? []).map(({ instancePath, params }) => [instancePath, params['additionalProperty']].filter((part) => part !== undefined).join('/'));
    t.true(places.includes(place), JSON.stringify(places));
  });
}

test('every key has a description and, but for sections, its default', (t) => {
  const keys = Object.entries(schema.properties ?? {}).flatMap(([key, part]) =>
    typeof part === 'object' && part.properties !== undefined ? [[key, part] as const, ...Object.entries(part.properties).map(([inner, part]) => [`${key}.${inner}`, part] as const)] : [[key, part] as const],
  );
  t.true(keys.length > 20);
  for (const [key, part] of keys) t.true(typeof part === 'object' && typeof part.description === 'string' && part.default !== undefined, key);
});
