/** Which rule a verdict names. What it says is compared with the kernel in test/kernel. */
import test from 'ava';
import { type Packet, verdict } from '../../src/ruleset/verdict.ts';
import { address, confinements } from './policies.ts';

const POLICY = `service: webapp
match: { user: 1001 }
dns: none
egress:
  allow:
    - { to: 10.0.0.0/8, ports: [443] }
  deny:
    - to: 10.9.0.0/16
ingress:
  allow:
    - { from: 10.0.0.0/8, ports: [8080] }
`;
const [plain, audited] = [POLICY, `${POLICY}mode: audit\n`].map((text) => confinements(text));

type Sent = Partial<Packet> & { readonly to: string };
function judged({ to, ...more }: Sent, policies = plain): string {
  const packet: Packet = { uid: 1001, gid: null, remote: address(to), protocol: 6, remotePort: 443, localPort: 50_000, direction: 'original', syn: true, ...more };
  const { action, rule, audited: passed } = verdict(policies ?? [], packet);
  return `${passed ? 'audit' : action} ${rule?.at.line ?? 'by no rule'}`;
}
/** Of a flow that somebody else began. */
const inward = (to: string, localPort: number): Sent => ({ to, direction: 'reply', remotePort: 50_000, localPort });

const JUDGED: readonly [what: string, sent: Sent, plain: string, audited: string][] = [
  ['out: allowed', { to: '10.1.0.1' }, 'accept 6', 'accept 6'],
  ['out: denied', { to: '10.9.0.1' }, 'refuse 8', 'audit 8'],
  ['out: not listed', { to: '10.1.0.1', remotePort: 22 }, 'refuse by no rule', 'audit by no rule'],
  ['in: allowed', inward('10.1.0.1', 8080), 'accept 11', 'accept 11'],
  ['in: allowed, from where a deny entry is against going', inward('10.9.0.1', 8080), 'accept 11', 'accept 11'],
  ['in: not listed', inward('10.1.0.1', 8081), 'refuse by no rule', 'audit by no rule'],
  ['in: not listed, from where a deny entry is against going', inward('10.9.0.1', 8081), 'refuse by no rule', 'audit by no rule'],
  ['… past the handshake', { ...inward('10.9.0.1', 8081), syn: false }, 'refuse by no rule', 'audit by no rule'],
];
for (const [what, sent, enforced, watched] of JUDGED) {
  test(what, (t) => t.deepEqual([judged(sent), judged(sent, audited)], [enforced, watched]));
}
