import test from 'ava';
import { z } from 'zod';
import { DEFAULT_DNS, fileDocument, policyDocument } from '../../src/policy/schema.ts';

test('defaults', (t) => {
  t.deepEqual(policyDocument.parse({ service: 'a', match: { user: 'b' } }), {
    service: 'a',
    match: { user: ['b'] },
    mode: 'enforce',
    dns: DEFAULT_DNS,
    egress: { allow: [], deny: [] },
    ingress: { allow: [] },
  });
});

test('filtered DNS is the default exactly when there is any', (t) => {
  t.is(DEFAULT_DNS, 'filtered');
  for (const dns of ['filtered', 'system', 'none']) t.true(policyDocument.safeParse({ service: 'a', match: { user: 'b' }, dns }).success, dns);
});

test('a JSON Schema for editors can be made of it', (t) => {
  const schema = JSON.stringify(z.toJSONSchema(fileDocument, { io: 'input' }));
  t.like(JSON.parse(schema), {
    anyOf: [
      { title: 'netwall policy', type: 'object', required: ['service', 'match'], additionalProperties: false, properties: { service: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,31}$' } } },
      { title: 'netwall groups', type: 'object', required: ['groups'], additionalProperties: false },
    ],
  });
  for (const key of ['user', 'group', 'mode', 'dns', 'egress', 'ingress', 'allow', 'deny', 'to', 'from', 'ports', 'private']) t.true(schema.includes(`"${key}":{`), key);
});
