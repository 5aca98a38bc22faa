import test from 'ava';
import { revokedFlows } from '../../src/daemon/revoked.ts';
import type { Flow } from '../../src/host/sockets.ts';
import { address, confinements } from '../ruleset/policies.ts';

const webapp = (rules: string) => confinements(`service: webapp\nmatch: { user: 1001 }\n${rules}`)[0] ?? null;
const BEFORE = 'egress:\n  allow:\n    - to: [45.64.0.0/16, 91.200.1.1]\n      ports: [443, 5432]\ningress:\n  allow:\n    - ports: [8080]\n';

const flow = (to: string, port: number, uid = 1001, localPort = 40_000): Flow => ({ uid, local: address('10.0.0.2'), localPort, remote: address(to), remotePort: port });
const FLOWS = {
  still: flow('45.64.1.1', 443),
  port: flow('45.64.1.1', 5432),
  inbound: flow('10.0.0.9', 50_000, 1001, 8080),
  never: flow('8.8.8.8', 443),
  other: flow('45.64.1.1', 5432, 1002),
  closed: flow('45.64.1.1', 5432, 0),
} as const;

const CASES: readonly [what: string, after: string, revoked: readonly (keyof typeof FLOWS)[]][] = [
  ['nothing changed', BEFORE, []],
  ['a port less', BEFORE.replace(', 5432', ''), ['port']],
  ['no ingress', BEFORE.replace(/ingress[^]*/, ''), ['inbound']],
  ['nothing allowed', 'dns: none\n', ['still', 'port', 'inbound']],
  ['denied', BEFORE.replace('ingress', '  deny:\n    - { to: 45.64.1.0/24, ports: [443] }\ningress'), ['still']],
  ['blocked', `mode: block\n${BEFORE}`, ['still', 'port', 'inbound']],
  ['only watched from now on', 'mode: audit\n', []],
];
for (const [what, rules, revoked] of CASES) {
  test(`revoked: ${what}`, (t) => {
    const [before, after] = [webapp(BEFORE), webapp(rules)];
    if (before === null || after === null) throw new Error('no policy');
    const found = revokedFlows([{ before, after }], Object.values(FLOWS), () => false);
    t.deepEqual(found, revoked.map((name) => FLOWS[name]));
  });
}

test('what was only watched before is not ended by this: the kernel refuses its next packet', (t) => {
  const [before, after] = [webapp('mode: audit\n'), webapp('dns: none\n')];
  if (before === null || after === null) throw new Error('no policy');
  t.deepEqual(revokedFlows([{ before, after }], Object.values(FLOWS), () => false), []);
});

test('a flow that drains lives on', (t) => {
  const [before, after] = [webapp(BEFORE), webapp('dns: none\n')];
  if (before === null || after === null) throw new Error('no policy');
  t.deepEqual(revokedFlows([{ before, after }], [FLOWS.still, FLOWS.port], ({ remotePort }) => remotePort === 443), [FLOWS.port]);
});
