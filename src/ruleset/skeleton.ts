/**
 * The constant part of `table inet netwall`: chains, rules and empty sets. Policy is data in the sets; these rules do
 * not change with it (but for `Parts`), so the packet path costs the same for one policy and for ten thousand.
 *
 * The text reads as `nft list table` prints it, so what the kernel holds can be compared with it line by line.
 *
 * Twice the same structure: `user_…` asks for the uid of the socket's creator (`meta skuid`), `group_…` for its primary gid
 * (`meta skgid`). Needs nft ≥ 1.0.6 and Linux ≥ 5.11 (per-element counters, concatenations with ranges).
 */
import type { PrincipalKind } from '../policy/policy.ts';
import { writtenId } from './element.ts';

/** What a verdict map sends a governed principal's packets to. `hold` drops silently while its elements are being loaded. */
export const MODES = ['enforce', 'audit', 'block', 'hold'] as const;
export type KernelMode = (typeof MODES)[number];

/** How long a flow to an address that left DNS may pause before it is over; the packet path itself renews it. */
const DRAIN_IDLE = '5m';
/** How long a refused destination is remembered after its last packet. */
export const DENIED_SECONDS = 3600;
const DENIED_MEMORY = `${DENIED_SECONDS / 3600}h`;
/** nft refuses `update` on a set without a size; past it only the recording stops. */
const RECORD_SIZE = 65536;

type Family = { readonly suffix: '4' | '6'; readonly address: 'ip' | 'ip6' };
const FAMILIES: readonly Family[] = [
  { suffix: '4', address: 'ip' },
  { suffix: '6', address: 'ip6' },
];

type Side = { readonly kind: PrincipalKind; readonly id: string };
const SIDES: readonly Side[] = [
  { kind: 'user', id: 'meta skuid' },
  { kind: 'group', id: 'meta skgid' },
];

/**
 * The primary group of the daemon's own sockets, in which nobody else is (scripts/packaging/netwall.sysusers). Their packets are judged
 * by nobody, or a policy for root, or one of a local resolver, would cut off or turn back the very queries that keep it current.
 */
export const OWN_GID = 4_294_967_290;

/** The daemon's own packets, on their way to name servers. */
const ownSockets = (user: string, group: string) => `meta skuid ${user} meta skgid ${group} accept`;
/** As nft prints it. */
const OWN_SOCKETS = ownSockets('0', `${OWN_GID}`);
/** As it is written: a user may be called "0" (element.ts). */
export const WRITTEN_OWN_SOCKETS = ownSockets(writtenId(0), writtenId(OWN_GID));

/** Behind the hook's usual places, so that what the table says counts first, then the guard, then the bit goes. */
export const GUARD_PRIORITY = 5;
const UNMARK_PRIORITY = 10;

/** The table's name, and the bit of the packet mark that says "judged"; null: none. */
export type Table = { readonly name: string; readonly mark: number | null };

/**
 * What costs every packet of the host, whoever sends it, and is of use to some policies alone: a look-up of the group, two more hooks
 * with address translation. It is there while a policy needs it.
 */
export type Parts = {
  /** A policy governs a group. */
  readonly groups: boolean;
  /** A policy has `dns: filtered`. */
  readonly dns: boolean;
};
export const ALL_PARTS: Parts = { groups: true, dns: true };

type Declaration = { readonly name: string; readonly lines: readonly string[] };
type Chain = { readonly name: string; readonly rules: readonly string[] };

const remotePort = (side: Side, family: Family) => `${side.id} . ${family.address} daddr . meta l4proto . th dport`;
const localPort = (side: Side, family: Family) => `${side.id} . ${family.address} daddr . meta l4proto . th sport`;
const anyPort = (side: Side, family: Family) => `${side.id} . ${family.address} daddr . meta l4proto`;

function familySets(side: Side, family: Family): Declaration[] {
  const name = (what: string) => `${side.kind}_${what}${family.suffix}`;
  const record = [`size ${RECORD_SIZE}`, 'flags dynamic,timeout', 'counter', `timeout ${DENIED_MEMORY}`];
  const set = (what: string, type: string, ...lines: string[]) => ({ name: `set ${name(what)}`, lines: [`typeof ${type}`, ...lines] });
  return [
    set('egress', remotePort(side, family), 'flags timeout', 'counter'),
    set('egress_net', remotePort(side, family), 'flags interval,timeout', 'counter'),
    set('egress_proto', anyPort(side, family), 'flags interval,timeout', 'counter'),
    set('ingress', localPort(side, family), 'flags interval', 'counter'),
    set('ingress_proto', anyPort(side, family), 'flags interval', 'counter'),
    set('drain', remotePort(side, family), `size ${RECORD_SIZE}`, 'flags dynamic,timeout'),
    set('denied', remotePort(side, family), ...record),
    set('denied_proto', anyPort(side, family), ...record),
    set('denied_ingress', localPort(side, family), ...record),
  ];
}

function sideSets(side: Side): Declaration[] {
  return [
    { name: `map ${side.kind}_mode`, lines: [`typeof ${side.id} : verdict`, 'counter'] },
    { name: `set ${side.kind}_refused`, lines: [`typeof ${side.id}`, 'counter'] },
    // where the DNS queries of `dns: filtered` go: a port of the daemon's for each principal
    { name: `map ${side.kind}_dns_port`, lines: [`typeof ${side.id} : th dport`] },
    { name: `map ${side.kind}_dns_zone`, lines: [`typeof ${side.id} : ct zone`] },
    // users whose policy has another DNS mode, so that their group's is not asked
    ...(side.kind === 'user' ? [{ name: 'set user_dns_own', lines: [`typeof ${side.id}`] }] : []),
    ...FAMILIES.flatMap((family) => familySets(side, family)),
  ];
}

function familyChains(side: Side, family: Family): Chain[] {
  const name = (what: string) => `${side.kind}_${what}${family.suffix}`;
  const drain = `${remotePort(side, family)} @${name('drain')}`;
  return [
    {
      name: name('egress'),
      rules: [
        `${remotePort(side, family)} @${name('egress_net')} accept`,
        `${anyPort(side, family)} @${name('egress_proto')} accept`,
        // an address that merely left DNS: whatever already flows goes on, nothing new begins
        `ct state established ${drain} update @${name('drain')} { ${remotePort(side, family)} timeout ${DRAIN_IDLE} } accept`,
      ],
    },
    {
      name: name('ingress'),
      rules: [
        `${localPort(side, family)} @${name('ingress')} accept`,
        `${anyPort(side, family)} @${name('ingress_proto')} accept`,
      ],
    },
    {
      name: name('record'),
      // a rule of its own for each: when a set is full, only its rule stops matching
      rules: [
        `meta l4proto { tcp, udp } ct direction reply update @${name('denied_ingress')} { ${localPort(side, family)} }`,
        `meta l4proto { tcp, udp } ct direction original update @${name('denied')} { ${remotePort(side, family)} }`,
        // of no flow, a stray SYN-ACK for one, a packet has no direction; it is judged as outbound, and so recorded
        `meta l4proto { tcp, udp } ct state invalid,untracked update @${name('denied')} { ${remotePort(side, family)} }`,
        `meta l4proto != { tcp, udp } update @${name('denied_proto')} { ${anyPort(side, family)} }`,
      ],
    },
  ];
}

const hex = (mark: number) => `0x${mark.toString(16).padStart(8, '0')}`;

function sideChains(side: Side, mark: number | null): Chain[] {
  const name = (what: string) => `${side.kind}_${what}`;
  // judged here: whoever is governed and passes without it comes past the guard (guard.ts) and no further
  const marked = mark === null ? [] : [`meta mark set meta mark | ${hex(mark)}`];
  const exact = FAMILIES.map((family) => `${remotePort(side, family)} @${name('egress')}${family.suffix} accept`);
  const byFamily = (what: string) => [`meta nfproto ipv4 goto ${name(what)}4`, `goto ${name(what)}6`];
  return [
    ...FAMILIES.flatMap((family) => familyChains(side, family)),
    // almost all that is allowed is in the exact sets: they are asked before another chain is entered
    { name: name('egress'), rules: [...exact, ...byFamily('egress')] },
    { name: name('ingress'), rules: byFamily('ingress') },
    { name: name('record'), rules: [`${side.id} @${name('refused')}`, ...byFamily('record')] },
    {
      // An answer to an inbound flow, the SYN-ACK first of all: this decides who may connect in.
      // Past its SYN-ACK a flow may also be one that the service opened before conntrack ran, picked up by the peer's packet.
      // So may what has no handshake. It may go on to a peer that is listed by itself, from the very port that is listed: of a whole
      // network everybody could choose that port, and be answered by who never was to be reached.
      name: name('answer'),
      rules: [`jump ${name('ingress')}`, `tcp flags ! syn jump ${name('egress')}`, ...exact.map((rule) => `meta l4proto != tcp ${rule}`)],
    },
    {
      // The last rule: an inbound flow that conntrack picked up in the middle by the service's own packet counts as
      // outbound (nf_conntrack_tcp_loose). It has no SYN; a connection that begins here always has one.
      name: name('allowed'),
      rules: [
        `ct direction reply goto ${name('answer')}`,
        `jump ${name('egress')}`,
        `tcp flags ! syn jump ${name('ingress')}`,
      ],
    },
    // whether it is the daemon's own is asked last: it costs as much as finding a permission, and hardly ever is it
    { name: name('enforce'), rules: [...marked, `jump ${name('allowed')}`, OWN_SOCKETS, `jump ${name('record')}`, 'goto refuse'] },
    { name: name('audit'), rules: [...marked, `jump ${name('allowed')}`, OWN_SOCKETS, `jump ${name('record')}`, 'accept'] },
    { name: name('block'), rules: [OWN_SOCKETS, `jump ${name('record')}`, 'goto refuse'] },
    // silent: a reset would kill live flows for the sake of a load that is soon over; a drop only delays them
    { name: name('hold'), rules: [...marked, `jump ${name('allowed')}`, OWN_SOCKETS, 'drop'] },
  ];
}

/** First in the chains that are about DNS alone: asking whose a packet is costs several times as much as this. */
const NOT_DNS = 'th dport != 53 accept';

const DECLARATIONS: readonly Declaration[] = SIDES.flatMap(sideSets);

/** Those that turn queries of DNS to the daemon. */
const DNS_CHAINS: readonly Chain[] = [
  {
    // A query's conntrack entry outlives it by half a minute. Without a zone of its own, somebody else's query from the same port to
    // the same server would follow it to a listener that is not theirs. Answers are told apart by the listener's port.
    name: 'dns_zone',
    rules: [
      'type filter hook output priority raw; policy accept;',
      NOT_DNS,
      OWN_SOCKETS,
      'meta l4proto { tcp, udp } th dport 53 ct original zone set meta skuid map @user_dns_zone accept',
      'meta skuid @user_dns_own accept',
      'meta l4proto { tcp, udp } th dport 53 ct original zone set meta skgid map @group_dns_zone accept',
    ],
  },
  {
    // nft 1.0.6 knows no name for this priority in an output hook
    name: 'dns',
    rules: [
      'type nat hook output priority -100; policy accept;',
      NOT_DNS,
      OWN_SOCKETS,
      'meta l4proto { tcp, udp } th dport 53 redirect to :meta skuid map @user_dns_port',
      'meta skuid @user_dns_own return',
      'meta l4proto { tcp, udp } th dport 53 redirect to :meta skgid map @group_dns_port',
    ],
  },
];

const chains = (mark: number | null, parts: Parts): readonly Chain[] => [
  {
    // TCP always gets a reset: icmpx on TCP over IPv6 shows as EACCES only after a second
    name: 'refuse',
    rules: ['meta l4proto tcp reject with tcp reset', 'reject with icmpx admin-prohibited'],
  },
  ...SIDES.flatMap((side) => sideChains(side, mark)),
  ...(parts.dns ? DNS_CHAINS : []),
  ...(mark === null
    ? []
    : [
        {
          // after the guard: nobody else is to see the bit, nor is who gets the packet over loopback
          name: 'unmark',
          rules: [
            `type filter hook output priority filter + ${UNMARK_PRIORITY}; policy accept;`,
            // without asking whether it is there, which takes as long
            `meta mark set meta mark & ${hex((~mark & 0xffff_ffff) >>> 0)}`,
          ],
        },
      ]),
  {
    name: 'output',
    rules: [
      'type filter hook output priority filter; policy accept;',
      'meta skuid vmap @user_mode',
      ...(parts.groups ? ['meta skgid vmap @group_mode'] : []),
    ],
  },
];

const block = (name: string, lines: readonly string[]) => `\t${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;

/** The whole table, empty of policy, in the form of `nft list table inet TABLE`; chains are listed after what they go to. */
export function skeletonText({ name: table, mark }: Table, parts = ALL_PARTS): string {
  const blocks = [
    ...DECLARATIONS.map(({ name, lines }) => block(name, lines)),
    ...chains(mark, parts).map(({ name, rules }) => block(`chain ${name}`, rules)),
  ];
  return `table inet ${table} {\n${blocks.join('\n')}}\n`;
}

/** As it is written. */
export const writtenSkeletonText = (table: Table, parts = ALL_PARTS): string => skeletonText(table, parts).replaceAll(OWN_SOCKETS, WRITTEN_OWN_SOCKETS);

/** The names of every chain, in dependency order: what a repair empties before it writes the rules anew. */
export const chainNames = ({ mark }: Table, parts = ALL_PARTS): readonly string[] => chains(mark, parts).map(({ name }) => name);

/** Names of sets and maps whose elements come from policies; the others are filled by the packet path. */
export const POLICY_SETS: readonly string[] = DECLARATIONS.map(({ name }) => name.split(' ')[1] ?? '').filter(
  (name) => !/_(drain|denied|denied_proto|denied_ingress)[46]$/.test(name),
);

/** Sets and maps whose keys may have ranges in them. */
export const INTERVAL_SETS: ReadonlySet<string> = new Set(
  DECLARATIONS.filter(({ lines }) => lines.some((line) => /^flags .*interval/.test(line))).map(({ name }) => name.split(' ')[1] ?? ''),
);

/** Their elements are more than keys. */
export const MAPS: ReadonlySet<string> = new Set(DECLARATIONS.flatMap(({ name }) => (name.startsWith('map ') ? [name.slice('map '.length)] : [])));

const declarations = new Map(DECLARATIONS.map(({ name, lines }) => [name, lines.join('; ')]));
/** How a set is declared, on one line; null: it is a map or a set of intervals, whose elements are more than keys. */
export function plainDeclaration(set: string): string | null {
  return INTERVAL_SETS.has(set) ? null : (declarations.get(`set ${set}`) ?? null);
}
