/**
 * What the wall does with a packet, said by the policies alone. This is the specification that the kernel is tested against
 * and what `explain` answers from; it shares no code with `compile` beyond the rules themselves.
 */
import type { Address } from '../net/address.ts';
import { addressInNetwork, networkOf, sameAddress } from '../net/address.ts';
import type { Rule } from '../policy/rule.ts';
import { addressesFor, allowedNetworks, judgeAddresses } from './admitted.ts';
import type { Confinement } from './confinement.ts';
import { portsInClass, protocolClass } from './protocol.ts';

/** A packet that leaves a socket of the host. Remote is the peer's side. */
export type Packet = {
  /** Effective uid and primary gid that created the socket; null: the kernel's own, or closed. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly remote: Address;
  /** IANA protocol number. */
  readonly protocol: number;
  /** 0 where the protocol has no ports. */
  readonly remotePort: number;
  readonly localPort: number;
  /** conntrack's view: does the packet go the way of the first packet of its flow, or the other way? */
  readonly direction: 'original' | 'reply';
  /** TCP with the SYN flag, alone or with others. Only meaningful for TCP. */
  readonly syn: boolean;
};

export type Verdict = {
  readonly action: 'accept' | 'refuse';
  /** Whose policy decided; null: nobody governs this packet. */
  readonly confinement: Confinement | null;
  /** True: a policy in mode audit let it pass although nothing allows it. */
  readonly audited: boolean;
  /** The rule that allowed it, or the deny rule that refused it; null: the default, nothing listed. */
  readonly rule: Rule | null;
  readonly inbound: boolean;
};

function hasPorts(rule: Rule, packet: Packet, port: number): boolean {
  const wanted = protocolClass(packet.protocol, packet.remote.family);
  return rule.ports.some((match) => {
    const ports = portsInClass(match, wanted);
    return ports !== null && (wanted === 'icmp' || wanted === 'other' || (ports.first <= port && port <= ports.last));
  });
}

function denies(rule: Rule, confinement: Confinement, remote: Address): boolean {
  if (rule.target.kind === 'network') return addressInNetwork(remote, rule.target.network);
  return addressesFor(rule.target.domain, confinement).some((address) => sameAddress(address, remote));
}

/** The deny rule that holds for a destination, or null. */
export function denyingRule(confinement: Confinement, packet: Packet): Rule | null {
  return confinement.deny.find((rule) => denies(rule, confinement, packet.remote) && hasPorts(rule, packet, packet.remotePort)) ?? null;
}

function egressRule(confinement: Confinement, packet: Packet): Rule | null {
  const networks = allowedNetworks(confinement);
  const reaches = (rule: Rule) =>
    rule.target.kind === 'network'
      ? addressInNetwork(packet.remote, rule.target.network)
      : judgeAddresses(rule, confinement, networks).admitted.some((address) => sameAddress(address, packet.remote));
  return [...confinement.allow, ...confinement.implicit].find((rule) => hasPorts(rule, packet, packet.remotePort) && reaches(rule)) ?? null;
}

function ingressRule(confinement: Confinement, packet: Packet): Rule | null {
  return (
    confinement.inbound.find(
      (rule) => rule.target.kind === 'network' && addressInNetwork(packet.remote, rule.target.network) && hasPorts(rule, packet, packet.localPort),
    ) ?? null
  );
}

const DNS_PORT = 53;
const LOOPBACK = [networkOf({ family: 4, value: 0x7f00_0001n }), networkOf({ family: 6, value: 1n })];

/** The service's own DNS listener, to which each of its queries is redirected, wherever it goes. */
function dnsRule({ dns }: Confinement, { remote, remotePort, protocol, direction }: Packet): Rule | null {
  if (dns.port === null || (protocol !== 6 && protocol !== 17)) return null;
  const network = LOOPBACK.find((loopback) => addressInNetwork(remote, loopback));
  const redirected = direction === 'original' && remotePort === DNS_PORT;
  if (!redirected && (network === undefined || remotePort !== dns.port)) return null;
  return { target: { kind: 'network', network: network ?? networkOf(remote) }, ports: [], private: false, at: dns.at, text: 'DNS (dns: filtered), which netwalld answers' };
}

function judge(confinement: Confinement, packet: Packet): { allowed: boolean; rule: Rule | null } {
  const dns = dnsRule(confinement, packet);
  if (dns !== null && packet.direction === 'original') return { allowed: true, rule: dns };
  const denied = denyingRule(confinement, packet);
  const egress = denied === null ? egressRule(confinement, packet) : null;
  const ingress = ingressRule(confinement, packet);
  // TCP past its handshake may be a flow that conntrack met in the middle and took for the other direction
  const midstream = packet.protocol === 6 && !packet.syn;
  const [first, second] = packet.direction === 'reply' ? [ingress, egress] : [egress, ingress];
  const rule = first ?? (midstream ? second : null);
  // what may go out says nothing of who may come in
  return { allowed: rule !== null, rule: rule ?? (packet.direction === 'reply' ? null : denied) };
}

/** A user policy decides before a group policy, as `output` asks the uid's map first. */
function governing(confinements: readonly Confinement[], packet: Packet): Confinement | null {
  const governs = (kind: 'user' | 'group', id: number | null) =>
    id === null ? undefined : confinements.find((confinement) => confinement.kind === kind && confinement.ids.includes(id));
  return governs('user', packet.uid) ?? governs('group', packet.gid) ?? null;
}

/**
 * Judges one packet by the policies in force. Not seen here is what the kernel lets go on from memory: flows that drain after their address left DNS, and what
 * goes to a single listed address and port without a handshake in a flow that conntrack met in the middle, and takes for the peer's (`answer` in skeleton.ts).
 */
export function verdict(confinements: readonly Confinement[], packet: Packet): Verdict {
  const confinement = governing(confinements, packet);
  const inbound = packet.direction === 'reply';
  if (confinement === null) return { action: 'accept', confinement, audited: false, rule: null, inbound };
  if (confinement.mode === 'block') return { action: 'refuse', confinement, audited: false, rule: null, inbound };
  const { allowed, rule } = judge(confinement, packet);
  const audited = !allowed && confinement.mode === 'audit';
  return { action: allowed || audited ? 'accept' : 'refuse', confinement, audited, rule, inbound };
}
