/**
 * The guard: a small table of its own that a process which lives as long as the daemon owns (table flag `owner`), so `nft flush ruleset`
 * passes it by and nobody else can change it. It goes with its owner, and what then stands is the first table. Pure.
 *
 * Outbound, behind the first table on the same hook, it drops what a governed principal sends and the first table did not judge: while that is
 * gone, or a foreign rule lets packets past it, nothing gets out. Inbound it drops datagrams to UDP sockets of governed users whose
 * ingress does not allow them; there the kernel does not say whose a packet is, so the sockets are named by port. And it keeps everybody
 * from the daemon's own DNS listeners whose query was not turned there: the port tells whose a query is.
 */
import { writtenKey } from './element.ts';
import { GUARD_PRIORITY, WRITTEN_OWN_SOCKETS, type Table } from './skeleton.ts';

const SETS = {
  users: 'typeof meta skuid',
  groups: 'typeof meta skgid',
  /** Sockets bound to every address, by port; to one, by address and port. */
  ports: 'typeof udp dport',
  sockets4: 'typeof ip daddr . udp dport',
  sockets6: 'typeof ip6 daddr . udp dport',
  /** Who may send to such a port all the same. */
  admitted4: 'typeof udp dport . ip saddr\n\t\tflags interval',
  admitted6: 'typeof udp dport . ip6 saddr\n\t\tflags interval',
  /** Where queries of DNS are turned to. */
  listeners: 'typeof th dport',
} as const;
type SetName = keyof typeof SETS;

/** Keys as nft writes them. */
export type Governed = { readonly [name in 'users' | 'groups']: ReadonlySet<string> };
export type Inbound = { readonly [name in Exclude<SetName, 'users' | 'groups' | 'listeners'>]: ReadonlySet<string> };
export type GuardContent = Governed & Inbound & { readonly listeners: ReadonlySet<string> };

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a constant
const NAMES = Object.keys(SETS) as SetName[];

export const guardName = (table: Table) => `${table.name}_guard`;

/** In an interval set nft 1.0.6 finds a key without a range only if one part is written as a range. */
const deleted = (set: SetName, key: string) => (set.startsWith('admitted') ? key.replace(/^\d+/, '$&-$&') : key);
const written = (set: SetName, key: string) => (set === 'users' || set === 'groups' ? writtenKey(key) : key);

const elements = (verb: 'add' | 'delete', name: string, set: SetName, keys: readonly string[]) =>
  keys.length === 0 ? [] : [`${verb} element inet ${name} ${set} { ${keys.map((key) => written(set, verb === 'delete' ? deleted(set, key) : key)).join(', ')} }`];

/** Asking whose a packet is is most of what the guard costs the packets of others, and hardly a host has groups that are governed. */
const outputRules = (mark: number, { users, groups }: Governed): readonly string[] => [
  `meta mark & 0x${mark.toString(16)} != 0x0 accept`,
  ...(users.size === 0 ? [] : ['meta skuid @users goto shut']),
  ...(groups.size === 0 ? [] : ['meta skgid @groups goto shut']),
];

const inputRules = ({ listeners }: Pick<GuardContent, 'listeners'>): readonly string[] => [
  ...(listeners.size === 0 ? [] : ['ip daddr 127.0.0.1', 'ip6 daddr ::1'].map((place) => `iif lo ct direction original ${place} th dport @listeners ct status ! dnat counter drop`)),
  // answers to what the service itself has sent are judged on their way out
  'meta l4proto != udp accept',
  'ct direction reply accept',
  'ct direction original udp dport . ip saddr @admitted4 accept',
  'ct direction original udp dport . ip6 saddr @admitted6 accept',
  'ct direction original udp dport @ports counter drop',
  'ct direction original ip daddr . udp dport @sockets4 counter drop',
  'ct direction original ip6 daddr . udp dport @sockets6 counter drop',
];

const block = (name: string, lines: readonly string[]) => `\t${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}`;

/** From nothing. `mark`: the bit that says that the first table has judged a packet. */
export function guardText(table: Table, mark: number, content: GuardContent): string {
  const name = guardName(table);
  const lines = [
    `table inet ${name} {`,
    '\tflags owner',
    ...NAMES.map((set) => block(`set ${set}`, [SETS[set]])),
    block('chain shut', [
      WRITTEN_OWN_SOCKETS,
      // silent: it is soon over, and a drop only delays what is allowed
      'counter drop',
    ]),
    block('chain output', [
      `type filter hook output priority filter + ${GUARD_PRIORITY}; policy accept;`,
      ...outputRules(mark, content),
    ]),
    block('chain input', [
      `type filter hook input priority filter + ${GUARD_PRIORITY}; policy accept;`,
      ...inputRules(content),
    ]),
    '}',
    ...NAMES.flatMap((set) => elements('add', name, set, [...content[set]])),
  ];
  return `${lines.join('\n')}\n`;
}

/** From one state to the next; empty: nothing to do. */
export function guardChanges(table: Table, mark: number, before: GuardContent, after: GuardContent): string {
  const name = guardName(table);
  const rewritten = (chain: string, old: readonly string[], rules: readonly string[]) =>
    rules.join() === old.join() ? [] : [`flush chain inet ${name} ${chain}`, ...rules.map((rule) => `add rule inet ${name} ${chain} ${rule}`)];
  const rules = [...rewritten('output', outputRules(mark, before), outputRules(mark, after)), ...rewritten('input', inputRules(before), inputRules(after))];
  const lines = NAMES.flatMap((set) => [
    ...elements('delete', name, set, [...before[set]].filter((key) => !after[set].has(key))),
    ...elements('add', name, set, [...after[set]].filter((key) => !before[set].has(key))),
  ]);
  return [...rules, ...lines].map((line) => `${line}\n`).join('');
}
