/** Which live flows other policies would end. */
import test from 'ava';
import { endingFlows, type LiveFlow } from '../../src/control/ending-flows.ts';
import { address, confinements } from '../ruleset/policies.ts';

const policy = (egress: string, { match = 'user: 1001', mode = 'enforce', ingress = '' } = {}) => `service: webapp\nmatch: { ${match} }\nmode: ${mode}\ndns: none\negress: { allow: [${egress}] }\ningress: { allow: [${ingress}] }\n`;
const TEN = '{ to: 10.0.0.0/8, ports: [443, 53/udp] }';
const NAME = '{ to: a.example.com, ports: [443] }';
const IN = '{ from: 10.0.0.0/8, ports: [8080, 5353/udp] }';

const flow = (protocol: LiveFlow['protocol'], remote: string, remotePort: number, more: Partial<LiveFlow> = {}): LiveFlow => ({
  protocol,
  uid: 1001,
  gid: 100,
  local: address('192.0.2.1'),
  localPort: 40_000,
  remote: address(remote),
  remotePort,
  process: null,
  ...more,
});

const ROWS: readonly (readonly [title: string, before: string | null, after: string | null, flow: LiveFlow, ends: boolean])[] = [
  ['no longer listed', policy(TEN), policy(''), flow('tcp', '10.1.1.1', 443), true],
  ['still listed', policy(TEN), policy('{ to: 10.1.0.0/16, ports: [443] }'), flow('tcp', '10.1.1.1', 443), false],
  ['not listed before either', policy(TEN), policy(''), flow('tcp', '10.1.1.1', 80), false],
  ['listed by name', policy(NAME), policy(TEN), flow('tcp', '45.64.0.1', 443), true],
  ['now by name instead', policy('{ to: 45.64.0.0/16, ports: [443] }'), policy(NAME), flow('tcp', '45.64.0.1', 443), false],
  ['a datagram socket', policy(TEN), policy('{ to: 10.0.0.0/8, ports: [443] }'), flow('udp', '10.1.1.1', 53), true],
  ['begun by the peer', policy('', { ingress: IN }), policy(''), flow('tcp', '10.1.1.1', 50_000, { localPort: 8080 }), true],
  ['begun by the peer, by datagrams', policy('', { ingress: IN }), policy(TEN), flow('udp', '10.1.1.1', 50_000, { localPort: 5353 }), true],
  ['begun by the peer, and still let in', policy('', { ingress: IN }), policy(TEN, { ingress: IN }), flow('tcp', '10.1.1.1', 50_000, { localPort: 8080 }), false],
  ['audited before, enforced now', policy('', { mode: 'audit' }), policy(''), flow('tcp', '10.1.1.1', 443), true],
  ['audited now', policy(TEN), policy('', { mode: 'audit' }), flow('tcp', '10.1.1.1', 443), false],
  ['blocked now', policy(TEN), policy(TEN, { mode: 'block' }), flow('tcp', '10.1.1.1', 443), true],
  ['no policy before', null, policy(''), flow('tcp', '10.1.1.1', 443), true],
  ['no policy now', policy(TEN), null, flow('tcp', '10.1.1.1', 443), false],
  ["somebody else's", policy(TEN), policy(''), flow('tcp', '10.1.1.1', 443, { uid: 1002 }), false],
  ['by group', policy(TEN, { match: 'group: 100' }), policy('', { match: 'group: 100' }), flow('tcp', '10.1.1.1', 443), true],
  ['by group, of a process that cannot be seen', policy(TEN, { match: 'group: 100' }), policy('', { match: 'group: 100' }), flow('tcp', '10.1.1.1', 443, { gid: null }), false],
];
const read = (yaml: string | null) => (yaml === null ? [] : confinements(yaml, { addresses: { 'a.example.com': ['45.64.0.1'] } }));
for (const [title, before, after, one, ends] of ROWS) {
  test(`${ends ? 'ends' : 'stays'}: ${title}`, (t) => {
    t.is(endingFlows(read(before), read(after), [one]).length, ends ? 1 : 0);
  });
}

test('an ending says whose flow it is and which policies decide', (t) => {
  const [ending] = endingFlows(read(policy(TEN)), read(policy('')), [flow('tcp', '10.1.1.1', 443, { process: { pid: 812, name: 'nginx' } })]);
  t.deepEqual(ending, {
    flow: { protocol: 'tcp', local: { address: '192.0.2.1', port: 40_000 }, remote: { address: '10.1.1.1', port: 443 }, uid: 1001, process: { pid: 812, name: 'nginx' } },
    before: 'webapp',
    after: 'webapp',
  });
});
