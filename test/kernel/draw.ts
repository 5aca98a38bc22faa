/**
 * Random policies, and packets near their edges: the first and last address of a network, the last port of a range, and the
 * ones beside them. Principals are few, so that users and groups meet; some are each other's numbers with the bytes turned
 * around, as uids are the one part of a key that is not in network byte order.
 */
import { type Address, type Network, networkOf, parseNetwork } from '../../src/net/address.ts';
import type { Mode, Policy, PortMatch, PrincipalKind } from '../../src/policy/policy.ts';
import { parsePorts } from '../../src/policy/ports.ts';
import { type Rule, type Target, targetText } from '../../src/policy/rule.ts';
import { confine, type Confinement } from '../../src/ruleset/confinement.ts';
import type { Packet } from '../../src/ruleset/verdict.ts';
import type { Dice } from './dice.ts';
import { TCP } from './packets.ts';
import { KERNEL_LOCAL, LOCAL } from './rig.ts';

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

function ports(text: string): PortMatch {
  const parsed = parsePorts(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

const NETWORKS = [
  '0.0.0.0/0', '10.0.0.0/8', '10.20.0.0/16', '10.20.9.0/24', '10.20.9.128/25', '10.20.9.7', '10.20.9.8', '100.64.0.0/10', '127.0.0.0/8', '127.0.0.1',
  '140.82.112.0/20', '140.82.112.6', '140.82.112.7', '140.82.120.0/21', '151.101.1.0/30', '169.254.169.254', '128.0.0.0/1', '192.168.7.0/24',
  '::/0', '::1', '2000::/3', '2606:50c0::/32', '2606:50c0:8000::/64', '2606:50c0:8000::153', '2606:50c0:8000::154', '2a04:4e42::/126', '2a04:4e42::2', 'fd00::/8', 'fd00:7::/48', '64:ff9b::/96',
].map(network);

/** What DNS may say; the guard takes some of it away. */
const ANSWERS = [
  '140.82.112.6', '140.82.112.7', '140.82.112.8', '151.101.1.1', '151.101.1.2', '151.101.1.4', '8.8.8.8', '10.20.9.7', '10.20.9.200', '10.21.0.0', '192.168.7.9', '169.254.169.254', '127.0.0.1',
  '2606:50c0:8000::153', '2606:50c0:8000::155', '2a04:4e42::2', '2a04:4e42::7', '2001:4860:4860::8888', 'fd00:7::9', '::1', '64:ff9b::808:808', '64:ff9b::a14:907',
].map((text) => ({ family: network(text).family, value: network(text).first }));

const NAMES = ['api.github.com', 'cdn.example.net', 'rebind.example.net', 'db.example.net', 'nowhere.example.net'];

const PORTS = [
  '443', '80', '8000-8010', '8005-8020', '1-1023', '1024-65535', '53/udp', '53', '443/udp', '5000-5010/udp', '1-65535/udp',
  '65535', '65535/udp', '1', 'any/tcp', 'any/udp', 'any', 'any', 'any', 'icmp', 'icmp', 'icmp',
].map(ports);

const UIDS = [0, 1, 0x0100_0000, 1001, 1002, 0xe903_0000 /* 1001 turned around */, 4_000_000_000, 2001];
const GIDS = [0, 27, 0x1b00_0000 /* 27 turned around */, 1001, 2001, 4_000_000_000];
/** Governed by nobody. */
const OUTSIDERS = [1900, 60_000];

const AT = { file: '/etc/netwall.d/drawn.yaml', line: 1, column: 1 };

function drawTarget(dice: Dice, domains: boolean): Target {
  if (domains && dice.chance(0.5)) return { kind: 'domain', domain: { name: dice.pick(NAMES), wildcard: false } };
  return { kind: 'network', network: dice.pick(NETWORKS) };
}

function drawRules(dice: Dice, most: number, kind: 'allow' | 'deny' | 'inbound'): Rule[] {
  return Array.from({ length: dice.below(most + 1) }, (_, index) => {
    const target = drawTarget(dice, kind !== 'inbound');
    return { target, ports: dice.some(PORTS, 1, 3), private: kind === 'allow' && dice.chance(0.3), at: AT, text: `${kind} ${index} ${targetText(target)}` };
  });
}

function drawConfinement(dice: Dice, service: string, kind: PrincipalKind, ids: readonly number[]): Confinement {
  const mode: Mode = dice.pick(['enforce', 'enforce', 'enforce', 'enforce', 'enforce', 'enforce', 'audit', 'audit', 'block']);
  const dns = dice.chance(0.4) ? 'system' : 'none';
  const policy: Policy = { service, at: AT, kind, subjects: ids.map((id) => ({ id, at: AT })), mode, dns, egress: { allow: [], deny: [] }, ingress: { allow: [] } };
  const addresses = new Map(dice.some(NAMES, 1, NAMES.length).map((name) => [name, dice.some(ANSWERS, 0, 8)]));
  const linked = { policy, allow: drawRules(dice, 6, 'allow'), deny: drawRules(dice, 2, 'deny'), inbound: drawRules(dice, 5, 'inbound') };
  return confine(linked, { ids, nameservers: dice.some(ANSWERS, 0, 3), addresses });
}

/** One to five policies, each principal in one of them at most. */
export function drawPolicies(dice: Dice): readonly Confinement[] {
  const some = (kind: PrincipalKind, ids: readonly number[], most: number) => {
    const left = dice.some(ids, ids.length, ids.length);
    return Array.from({ length: (kind === 'user' ? 1 : 0) + dice.below(most) }, (_, index) =>
      drawConfinement(dice, `${kind}-${index}`, kind, left.splice(0, 1 + dice.below(2))),
    );
  };
  return [...some('user', UIDS, 3), ...some('group', GIDS, 3)];
}

/** How a packet is to be made; the flow it belongs to is its own. */
export type Drawn = {
  readonly index: number;
  /** `direction` is what is meant: conntrack has the last word. */
  readonly packet: Packet;
  readonly local: Address;
  /** Who sent the first packet of the flow: the sender of this one, its peer, or its peer by asking the kernel for an echo. */
  readonly begun: 'here' | 'by-peer' | 'by-echo';
  /** Of TCP: this packet's flags and those of the first one. */
  readonly flags: number;
  readonly firstFlags: number;
  readonly icmpType: number;
};

/** Leaves through an interface of the rig, and may come in as a source. Neither is so of addresses the rig is made of. */
function isUsable({ family, value }: Address): boolean {
  const outside = (texts: readonly string[]) => texts.map(network).every(({ first, last }) => value < first || value > last);
  if (family === 4) return outside(['0.0.0.0/8', '172.30.0.0/15', '198.51.100.0/30', '224.0.0.0/3']);
  return outside(['::/128', '::ffff:0:0/96', '2001:db8:0:ffff::/64', 'fd98::/64', 'fd99::/64', 'fe80::/10', 'ff00::/8']);
}

export const isLoopback = ({ family, value }: Address) => (family === 4 ? value >> 24n === 127n : value === 1n);

function near(dice: Dice, { first, last }: { first: bigint; last: bigint }): bigint {
  const inside = first + ((last - first) * BigInt(dice.below(1 << 20))) / BigInt(1 << 20);
  return dice.pick([first, last, first - 1n, last + 1n, inside, inside]);
}

/** An address at an edge of what the rule is about. */
function drawRemote(dice: Dice, target: Target | null, confinement: Confinement | null): Address {
  for (let tries = 0; tries < 20; tries += 1) {
    let around: Network = networkOf(dice.pick(ANSWERS));
    if (target?.kind === 'network') around = target.network;
    if (target?.kind === 'domain') {
      const answers = confinement?.addresses.get(target.domain.name) ?? [];
      if (answers.length > 0) around = networkOf(dice.pick(answers));
    }
    const drawn = { family: around.family, value: near(dice, around) };
    if (drawn.value >= 0n && drawn.value <= (drawn.family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n) && isUsable(drawn)) return drawn;
  }
  return networkAddress(dice.pick(['8.8.8.8', '140.82.112.6', '2606:50c0:8000::153']));
}

const networkAddress = (text: string): Address => ({ family: network(text).family, value: network(text).first });

function drawPort(dice: Dice, { first, last }: { first: number; last: number }): number {
  const inside = first + dice.below(last - first + 1);
  return Math.min(65535, Math.max(0, dice.pick([first, last, first - 1, last + 1, inside, inside])));
}

/** Without IPv6's extension headers, whose numbers are not what a packet's protocol is. */
const OTHERS = { 4: [0, 2, 4, 5, 7, 16, 18, 47, 50, 58, 132, 136, 253, 255], 6: [1, 4, 5, 7, 16, 18, 47, 57, 132, 136, 253, 255] } as const;
/** Those that conntrack takes for a flow whatever they hold; not ICMP over the family it is not of. */
const OTHER_FLOWS = { 4: [2, 7, 47, 253, 255], 6: [4, 7, 47, 57, 253, 255] } as const;

type Who = { readonly confinement: Confinement; readonly uid: number; readonly gid: number };

function drawWho(dice: Dice, policies: readonly Confinement[]): Who {
  const confinement = dice.pick(policies);
  const anybody = () => ({ uid: dice.pick([...UIDS, ...OUTSIDERS]), gid: dice.pick([...GIDS, ...OUTSIDERS]) });
  if (dice.chance(0.12)) return { confinement, ...anybody() };
  if (confinement.kind === 'user') return { confinement, uid: dice.pick(confinement.ids), gid: anybody().gid };
  return { confinement, uid: dice.chance(0.75) ? dice.pick(OUTSIDERS) : anybody().uid, gid: dice.pick(confinement.ids) };
}

function drawProtocol(dice: Dice, match: PortMatch | null): 'tcp' | 'udp' | 'icmp' | 'other' {
  if (match !== null && match.protocol !== 'any' && dice.chance(0.9)) return match.protocol;
  return dice.pick(['tcp', 'udp', 'icmp', 'other', 'other']);
}

/** TCP flags of the packet and of the one that began the flow. */
function drawFlags(dice: Dice, begun: Drawn['begun']): { flags: number; firstFlags: number } {
  const { SYN, ACK, PSH, FIN, RST } = TCP;
  if (begun === 'here') return { firstFlags: 0, flags: dice.pick([SYN, SYN, SYN, SYN, ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, 0]) };
  if (dice.chance(0.6)) return { firstFlags: SYN, flags: dice.pick([SYN | ACK, SYN | ACK, SYN | ACK, SYN | ACK, RST | ACK, ACK]) };
  return { firstFlags: ACK, flags: dice.pick([ACK, ACK, PSH | ACK, FIN | ACK, RST, SYN | ACK]) };
}

const ECHO = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;
/** Destination unreachable, timestamp; packet too big, neighbour solicitation, which conntrack lets pass unseen. */
const STRAY_ICMP = { 4: [3, 13], 6: [2, 135] } as const;

function drawIcmpType(dice: Dice, family: 4 | 6, begun: Drawn['begun']): number {
  const { request, reply } = ECHO[family];
  if (begun !== 'here') return reply;
  return dice.pick([request, request, request, request, reply, ...STRAY_ICMP[family]]);
}

export function drawPacket(dice: Dice, policies: readonly Confinement[], index: number): Drawn {
  const echo = dice.chance(0.03);
  const begun = echo ? 'by-echo' : dice.chance(0.4) ? 'by-peer' : 'here';
  const { confinement, uid, gid } = drawWho(dice, policies);
  // a sixth of the time what the other direction allows: that is for what is under way, not for what begins
  const egress = (begun === 'here') !== dice.chance(0.17);
  const rules = egress ? [...confinement.allow, ...confinement.allow, ...confinement.implicit, ...confinement.deny] : confinement.inbound;
  const rule = rules.length > 0 && dice.chance(0.85) ? dice.pick(rules) : null;
  const match = rule === null ? null : dice.pick(rule.ports);

  let remote = drawRemote(dice, rule?.target ?? null, confinement);
  // loopback is not answered by the kernel here, as what the host sends itself is dropped on arrival
  if (echo && isLoopback(remote)) remote = networkAddress('8.8.8.8');
  const { family } = remote;
  const kind = echo ? 'icmp' : drawProtocol(dice, match);
  const aimed = drawPort(dice, match ?? dice.pick(PORTS));
  const elsewhere = dice.chance(0.4) ? drawPort(dice, dice.pick(PORTS)) : 32768 + dice.below(28_000);
  const numbers = { tcp: 6, udp: 17, icmp: family === 4 ? 1 : 58, other: dice.pick(begun === 'here' ? OTHERS[family] : OTHER_FLOWS[family]) };
  const hasPorts = kind === 'tcp' || kind === 'udp';
  const { flags, firstFlags } = kind === 'tcp' ? drawFlags(dice, begun) : { flags: 0, firstFlags: 0 };
  return {
    index,
    packet: {
      uid: echo ? null : uid,
      gid: echo ? null : gid,
      remote,
      protocol: numbers[kind],
      remotePort: hasPorts ? (egress ? aimed : elsewhere) : 0,
      localPort: hasPorts ? (egress ? elsewhere : aimed) : 0,
      direction: begun === 'here' ? 'original' : 'reply',
      syn: (flags & TCP.SYN) !== 0,
    },
    local: { family, value: (echo ? KERNEL_LOCAL : LOCAL)[family] + BigInt(index) },
    begun,
    flags,
    firstFlags,
    icmpType: kind === 'icmp' ? drawIcmpType(dice, family, begun) : 0,
  };
}

/** The request whose answer an echo reply is. */
export const echoRequest = (family: 4 | 6): number => ECHO[family].request;
