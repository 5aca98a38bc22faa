import test from 'ava';
import { DEFAULT_DNS, policyDocument } from '../../src/policy/schema.ts';

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
