/** Permissions that are in no file, and the deny entries that leave nothing of them. */
import test from 'ava';
import { deniesAll, temporaryRules } from '../../src/policy/temporary.ts';

const ruleOf = (to: string, port: string) => {
  const found = temporaryRules({ to, ports: [port], private: false }, 'filtered', 'grant');
  const [rule] = found.ok ? found.rules : [];
  if (rule === undefined) throw new Error(`no rule for ${to}`);
  return rule;
};

test('ports are as in a policy', (t) => {
  const read = (port: string) => temporaryRules({ to: '10.0.0.1', ports: [port], private: false }, 'filtered', 'grant');
  for (const port of ['443', '53/udp', '8000-8010', 'any', 'icmp']) t.true(read(port).ok, port);
  for (const port of ['0443', '0', '65536', '', '1-0', ' 443']) t.false(read(port).ok, port);
});

for (const [deny, denied, rule, asked, nothingLeft] of [
  ['45.64.0.0/16', 'any', '45.64.3.1', '443', true],
  ['45.64.0.0/16', '443', '45.64.3.0/24', '443', true],
  ['45.64.0.0/16', '80-90', '45.64.3.1', '85', true],
  ['45.64.0.0/16', '80-90', '45.64.3.1', '85-95', false],
  ['45.64.0.0/16', '443/udp', '45.64.3.1', '443', false],
  ['45.64.3.1', 'any', '45.64.0.0/16', '443', false],
  ['2a0f::/32', 'any', '45.64.3.1', '443', false],
  ['example.com', 'any', 'example.com', '443', true],
  ['example.com', 'any', 'a.example.com', '443', false],
  ['*.example.com', 'any', 'a.example.com', '443', true],
  ['*.example.com', 'any', 'example.com', '443', false],
  ['*.example.com', 'any', '*.example.com', '443', true],
  ['*.example.com', 'any', '*.a.example.com', '443', true],
  ['*.a.example.com', 'any', '*.example.com', '443', false],
  ['*.example.com', 'any', '45.64.3.1', '443', false],
  ['45.64.0.0/16', 'any', 'example.com', '443', false],
] as const) {
  test(`${deny} at ${denied} denied: ${nothingLeft ? 'nothing' : 'something'} is left of ${rule} at ${asked}`, (t) => t.is(deniesAll(ruleOf(deny, denied), ruleOf(rule, asked)), nothingLeft));
}
