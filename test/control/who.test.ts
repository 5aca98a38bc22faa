import test from 'ava';
import { who } from '../../src/control/who.ts';
import { confinements } from '../ruleset/policies.ts';

const policies = confinements(
  `service: webapp
match: { user: 1001 }
egress:
  allow:
    - { to: [api.example.com, 10.0.0.0/8], ports: [443, 53/udp] }
    - { to: inside.example.com, ports: [80] }
  deny:
    - to: 10.9.0.0/16
ingress:
  allow:
    - { from: 10.0.0.0/8, ports: [8080] }
---
service: crawler
match: { group: 1002 }
mode: audit
egress:
  allow:
    - { to: "*.example.com", ports: [any/tcp] }
`,
  { addresses: { 'api.example.com': ['93.184.215.14'], 'inside.example.com': ['192.168.1.1'] } },
);
const ask = (text: string) => {
  const answer = who(text, policies, () => []);
  return answer.ok ? answer.report.services.map(({ service, kind, entry, ports, line, mode }) => `${service} ${kind} ${entry} [${ports.join(', ')}] ${line} ${mode}`) : answer.error;
};

const CASES: readonly [question: string, answer: readonly string[] | string][] = [
  ['api.example.com', ['webapp allow api.example.com [443, 53/udp] 5 enforce', 'crawler allow *.example.com [any/tcp] 18 audit']],
  ['API.example.com.', ['webapp allow api.example.com [443, 53/udp] 5 enforce', 'crawler allow *.example.com [any/tcp] 18 audit']],
  ['example.com', []],
  ['93.184.215.14', ['webapp allow api.example.com [443, 53/udp] 5 enforce', 'crawler allow *.example.com [any/tcp] 18 audit']],
  ['::ffff:10.1.1.1', ['webapp allow 10.0.0.0/8 [443, 53/udp] 5 enforce', 'webapp ingress from 10.0.0.0/8 [8080] 11 enforce']],
  ['10.1.1.1', ['webapp allow 10.0.0.0/8 [443, 53/udp] 5 enforce', 'webapp ingress from 10.0.0.0/8 [8080] 11 enforce']],
  ['10.9.1.1', ['webapp allow 10.0.0.0/8 [443, 53/udp] 5 enforce', 'webapp deny 10.9.0.0/16 [any] 8 enforce', 'webapp ingress from 10.0.0.0/8 [8080] 11 enforce']],
  // the address guard keeps it out
  ['192.168.1.1', []],
  ['11.1.1.1', []],
  ['*.example.com', '"*.example.com" is neither an address nor a name'],
  ['1.2.3.4/8', '"1.2.3.4/8" is neither an address nor a name'],
];
for (const [question, answer] of CASES) test(`who: ${question}`, (t) => t.deepEqual(ask(question), answer));

test('an address that a name is denied at is denied, special-use or not', (t) => {
  const inside = confinements(
    'service: webapp\nmatch: { user: 1001 }\negress:\n  allow:\n    - { to: api.example.com, ports: [443], private: true }\n  deny:\n    - to: evil.example.com\n',
    { addresses: { 'api.example.com': ['10.0.0.5'], 'evil.example.com': ['10.0.0.5'] } },
  );
  const answer = who('10.0.0.5', inside, () => []);
  t.deepEqual(answer.ok && answer.report.services.map(({ kind, entry }) => `${kind} ${entry}`), ['allow api.example.com', 'deny evil.example.com']);
});
