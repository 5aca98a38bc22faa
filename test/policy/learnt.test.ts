import test from 'ava';
import * as fc from 'fast-check';
import { learntPolicy, type LearntFlow, type LearntInput } from '../../src/policy/learnt.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { formatAddress } from '../../src/net/address.ts';
import { portMatchText } from '../../src/policy/ports.ts';
import { address } from '../ruleset/policies.ts';

const BEFORE = `service: webapp
match: { user: [webapp, 1001] }
dns: none
`;
function policyOf(text: string) {
  const [policy] = parsePolicyFile('/p.yaml', text).policies;
  if (policy === undefined) throw new Error('no policy');
  return policy;
}
const out = (to: string, port: number | null, packets = 1, ...names: string[]): LearntFlow => ({ direction: 'out', address: address(to), protocol: 'tcp', port, packets, names, denied: false });
const udp = (flow: LearntFlow): LearntFlow => ({ ...flow, protocol: 'udp' });
const from = (source: string, port: number, packets = 1): LearntFlow => ({ ...out(source, port, packets), direction: 'in' });
const learn = (flows: readonly LearntFlow[], more: Partial<LearntInput> = {}) =>
  learntPolicy({ policy: policyOf(BEFORE), since: '2026-01-01T00:00:00.000Z', until: '2026-01-01T00:10:00.000Z', flows, queries: [], wildcards: false, ...more });
/** Without the words at the beginning. */
const body = (text: string) => text.split('\n').slice(2).join('\n');

const HEAD = 'service: webapp\nmatch:\n  user: [webapp, 1001]\n';
const CASES: readonly [what: string, flows: readonly LearntFlow[], more: Partial<LearntInput>, text: string][] = [
  ['nothing', [], {}, `${HEAD}dns: none\n`],
  ['an address', [out('45.64.7.1', 443, 12)], {}, `${HEAD}dns: none\negress:\n  allow:\n    - to: 45.64.7.1  # 12 packets\n      ports: [443]\n`],
  ['IPv6', [out('2a0f:9400::1', 443)], {}, `${HEAD}dns: none\negress:\n  allow:\n    - to: "2a0f:9400::1"  # 1 packet\n      ports: [443]\n`],
  [
    'a name, several addresses and ports',
    [out('45.64.7.1', 443, 5, 'api.partner.net'), out('45.64.7.2', 443, 6, 'api.partner.net'), udp(out('45.64.7.2', 53, 1, 'api.partner.net')), out('45.64.7.2', 80, 1, 'api.partner.net')],
    {},
    `${HEAD}egress:\n  allow:\n    - to: api.partner.net  # 13 packets, 45.64.7.1 45.64.7.2\n      ports: [53/udp, 80, 443]\n`,
  ],
  ['names that share an address', [out('45.64.7.1', 443, 5, 'a.net', 'b.net')], {}, `${HEAD}egress:\n  allow:\n    - to: a.net  # 5 packets, 45.64.7.1\n      ports: [443]\n    - to: b.net  # 5 packets, 45.64.7.1\n      ports: [443]\n`],
  ['a private address behind a name', [out('10.0.0.5', 5432, 3, 'db.corp.net')], {}, `${HEAD}egress:\n  allow:\n    - to: db.corp.net  # 3 packets, 10.0.0.5\n      ports: [5432]\n      private: true  # it led to a special-use address: only for names whose DNS you trust\n`],
  ['a name that no policy may list', [out('10.0.0.5', 5432, 3, 'db')], {}, `${HEAD}dns: none\negress:\n  allow:\n    - to: 10.0.0.5  # 3 packets\n      ports: [5432]\n`],
  ['ping', [{ ...out('45.64.7.1', null, 2), protocol: 'icmp' }], {}, `${HEAD}dns: none\negress:\n  allow:\n    - to: 45.64.7.1  # 2 packets\n      ports: [icmp]\n`],
  ['a protocol that only "any" means', [{ ...out('45.64.7.1', null, 2), protocol: '47' }], {}, `# Seen, and not below: protocol 47 to 45.64.7.1 (2 packets): only "ports: [any]" allows it\n${HEAD}dns: none\n`],
  ['who connects in', [from('10.0.0.9', 8080, 4), from('10.0.0.8', 8080, 3)], {}, `${HEAD}dns: none\ningress:\n  allow:\n    - from: [10.0.0.9, 10.0.0.8]  # 7 packets\n      ports: [8080]\n`],
  [
    'many connect in',
    Array.from({ length: 33 }, (_, index) => from(`45.64.7.${index}`, 443)),
    {},
    `${HEAD}dns: none\ningress:\n  allow:\n    - ports: [443]  # 33 packets to 33 sources: from anywhere\n`,
  ],
  [
    'wildcards are not made unasked',
    ['a', 'b', 'c'].map((name) => out('45.64.7.1', 443, 1, `${name}.cdn.net`)),
    {},
    `${HEAD}egress:\n  allow:\n${['a', 'b', 'c'].map((name) => `    - to: ${name}.cdn.net  # 1 packet, 45.64.7.1\n      ports: [443]\n`).join('')}`,
  ],
  [
    'wildcards: three siblings, not two, never below a public suffix',
    ['a.cdn.net', 'b.cdn.net', 'c.cdn.net', 'a.two.net', 'b.two.net', 'one.org', 'two.org', 'three.org'].map((name) => out('45.64.7.1', 443, 1, name)),
    { wildcards: true },
    `${HEAD}egress:\n  allow:\n${['"*.cdn.net"  # 3 packets', 'one.org  # 1 packet', 'three.org  # 1 packet', 'a.two.net  # 1 packet', 'b.two.net  # 1 packet', 'two.org  # 1 packet'].map((name) => `    - to: ${name}, 45.64.7.1\n      ports: [443]\n`).join('')}`,
  ],
  [
    'wildcards: not of what led to private addresses, nor of other ports',
    [out('10.0.0.5', 443, 1, 'db.corp.net'), ...['a.corp.net', 'b.corp.net', 'c.corp.net'].map((name) => out('45.64.7.1', 443, 1, name)), out('45.64.7.2', 22, 1, 'd.corp.net')],
    { wildcards: true },
    `${HEAD}egress:\n  allow:\n    - to: "*.corp.net"  # 3 packets, 45.64.7.1\n      ports: [443]\n    - to: d.corp.net  # 1 packet, 45.64.7.2\n      ports: [22]\n    - to: db.corp.net  # 1 packet, 10.0.0.5\n      ports: [443]\n      private: true  # it led to a special-use address: only for names whose DNS you trust\n`,
  ],
  ['port 0', [out('45.64.7.1', 0)], {}, `# Seen, and not below: protocol tcp to 45.64.7.1 (1 packet): only "ports: [any]" allows it\n${HEAD}dns: none\n`],
  ['asked for and not used', [], { queries: [{ name: 'idle.net', type: 'TXT', count: 3 }] }, `# Asked for (3×) without a connection: idle.net TXT\n${HEAD}dns: none\n`],
  [
    'what there was stays; what is denied is only told',
    [out('45.64.7.1', 443, 1, 'api.partner.net'), { ...out('45.64.9.9', 22, 4), denied: true }],
    {
      policy: policyOf(
        'service: webapp\nmatch: { group: ci }\ndns: system\negress:\n  allow:\n    - { to: [db.net, "2a0f::/32", "@lan"], ports: [5432, any/udp], private: true }\n  deny:\n    - to: 45.64.9.0/24\ningress:\n  allow:\n    - ports: [8080]\n    - { from: 10.0.0.0/8, ports: [9090] }\n',
      ),
    },
    '# Seen, and not below: 45.64.9.9 22 (4 packets): a deny entry is against it\nservice: webapp\nmatch:\n  group: [ci]\negress:\n  allow:\n    - to: [db.net, "2a0f::/32", "@lan"]  # as before\n      ports: [5432, any/udp]\n      private: true\n    - to: api.partner.net  # 1 packet, 45.64.7.1\n      ports: [443]\n  deny:\n    - to: [45.64.9.0/24]  # as before\n      ports: [any]\ningress:\n  allow:\n    - ports: [8080]  # as before\n    - from: [10.0.0.0/8]  # as before\n      ports: [9090]\n',
  ],
];
for (const [what, flows, more, text] of CASES) {
  test(`learnt: ${what}`, (t) => {
    const learnt = learn(flows, more);
    t.is(body(learnt), text);
    t.deepEqual(parsePolicyFile('/p.yaml', learnt).problems.filter(({ severity }) => severity === 'error'), []);
  });
}

const flow: fc.Arbitrary<LearntFlow> = fc.record({
  direction: fc.constantFrom('out', 'in'),
  address: fc.oneof(fc.nat(0xffff_ffff).map((value) => ({ family: 4 as const, value: BigInt(value) })), fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6 as const, value }))),
  protocol: fc.constantFrom('tcp', 'udp', 'icmp', 'icmpv6', '47'),
  port: fc.nat(65_535),
  packets: fc.integer({ min: 1 }),
  names: fc.array(fc.oneof(fc.constantFrom('a.net', 'b.a.net', 'c.a.net', 'd.a.net', 'on', 'true.no', '1.2.3.4', 'x.co.uk', '*.net'), fc.domain(), fc.string()), { maxLength: 3 }),
  denied: fc.boolean(),
}).map((one) => ({ ...one, port: one.protocol === 'tcp' || one.protocol === 'udp' ? one.port : null }));

test('whatever was seen, the policy is valid and allows it', (t) => {
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 20 }), fc.boolean(), (flows, wildcards) => {
      const text = learn(flows, { wildcards });
      const { policies, problems } = parsePolicyFile('/p.yaml', text);
      t.deepEqual(problems.filter(({ severity }) => severity === 'error').map(({ message }) => message), [], text);
      const [policy] = policies;
      for (const { direction, address: peer, port, protocol, denied, names } of flows) {
        if (denied || protocol === '47' || port === 0 || direction === 'in' || names.length > 0) continue;
        const wanted = port === null ? 'icmp' : protocol === 'tcp' ? `${port}` : `${port}/udp`;
        const listed = (policy?.egress.allow ?? []).some(
          ({ to, ports }) => to.some((one) => one.kind === 'network' && one.network.first === peer.value && one.network.last === peer.value) && ports.some((match) => portMatchText(match) === wanted),
        );
        t.true(listed, `${formatAddress(peer)} ${wanted}\n${text}`);
      }
    }),
  );
});

const BESIDE: readonly [beside: readonly string[] | undefined, note: string | null][] = [
  [undefined, null],
  [[], null],
  [['billing'], '# /p.yaml also holds billing: in a file that takes its place they must be as well, or nothing governs them any more.'],
  [['billing', '@lan'], '# /p.yaml also holds billing, @lan: in a file that takes its place they must be as well, or nothing governs them any more.'],
];
for (const [beside, note] of BESIDE) {
  test(`what else its file holds: ${beside?.join(', ') ?? 'not known'}`, (t) => {
    const learnt = learn([], beside === undefined ? {} : { beside });
    t.is(learnt.split('\n').find((line) => line.includes('also holds')) ?? null, note);
    t.deepEqual(parsePolicyFile('/p.yaml', learnt).problems.filter(({ severity }) => severity === 'error'), []);
  });
}
