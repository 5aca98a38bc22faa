/** A policy from what a service was seen to do: by name where DNS gave one, ports exact, and how often each was seen. Pure. */
import { getDomain, getPublicSuffix } from 'tldts';
import { type Address, formatAddress, formatNetwork } from '../net/address.ts';
import { parseDomainPattern } from '../resolve/domain-pattern.ts';
import { specialUse } from '../net/special.ts';
import type { Destination, EgressEntry, Policy } from './policy.ts';
import { portMatchText } from './ports.ts';
import { domainText } from './rule.ts';
import { visible } from './visible.ts';

export type LearntFlow = {
  readonly direction: 'out' | 'in';
  /** The peer. */
  readonly address: Address;
  /** `tcp`, `udp`, `icmp`, `icmpv6` or a number. */
  readonly protocol: string;
  /** The peer's; the service's own where the peer began; null: the protocol has none. */
  readonly port: number | null;
  readonly packets: number;
  /** Names that DNS gave the service for the address. */
  readonly names: readonly string[];
  /** A deny entry of the policy is against it. */
  readonly denied: boolean;
};

export type LearntInput = {
  /** Its entries stay as they are; what they allow is not among the flows. */
  readonly policy: Policy;
  /** ISO 8601. */
  readonly since: string;
  readonly until: string;
  readonly flows: readonly LearntFlow[];
  /** Names that the service asked for. */
  readonly queries: readonly { readonly name: string; readonly type: string; readonly count: number }[];
  /** Siblings become `*.example.com`. */
  readonly wildcards: boolean;
  /** What else is in the file of the policy: services, and groups as `@name`. */
  readonly beside?: readonly string[];
};

/** A wildcard stands for at least so many names. */
const SIBLINGS = 3;
/** More sources than this are everybody. */
const MOST_SOURCES = 32;

/** As it stands in a list of YAML. */
const scalar = (text: string) => (/^[A-Za-z0-9][A-Za-z0-9.@/_-]*$/.test(text) && !/^[\d.]+$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text));
const destination = (text: string) => (/^\d+\.\d+\.\d+\.\d+(?:\/\d+)?$/.test(text) ? text : scalar(text));

type Seen = { readonly ports: Set<string>; readonly addresses: Map<string, number>; packets: number; special: boolean };

/** `443`, `53/udp`, `icmp`; null: no entry can say it but `any`. */
function portOf({ protocol, port }: LearntFlow): string | null {
  if (protocol === 'icmp' || protocol === 'icmpv6') return 'icmp';
  // port 0 is none, and no entry can list it
  if (port === null || port === 0 || (protocol !== 'tcp' && protocol !== 'udp')) return null;
  return protocol === 'tcp' ? `${port}` : `${port}/udp`;
}

function note(into: Map<string, Seen>, key: string, flow: LearntFlow, port: string): void {
  let seen = into.get(key);
  if (seen === undefined) into.set(key, (seen = { ports: new Set(), addresses: new Map(), packets: 0, special: false }));
  const address = formatAddress(flow.address);
  seen.ports.add(port);
  seen.addresses.set(address, (seen.addresses.get(address) ?? 0) + flow.packets);
  seen.packets += flow.packets;
  seen.special ||= specialUse(flow.address) !== null;
}

/** The name that may stand for others as a wildcard; null: what is directly below a public suffix. */
function parentOf(name: string): string | null {
  const parent = name.slice(name.indexOf('.') + 1);
  return getDomain(name) === null || parent === getPublicSuffix(name, { allowPrivateDomains: true }) || !parent.includes('.') ? null : parent;
}

/** Siblings that are used alike. What led to a special-use address stays by itself: the whole wildcard may not lead there. */
function withWildcards(names: ReadonlyMap<string, Seen>): Map<string, Seen> {
  const families = new Map<string, string[]>();
  for (const [name, { ports, special }] of names) {
    const parent = special ? null : parentOf(name);
    if (parent === null) continue;
    const key = `${parent} ${portList(ports)}`;
    families.set(key, [...(families.get(key) ?? []), name]);
  }
  const merged = new Map(names);
  for (const [key, members] of families) {
    if (members.length < SIBLINGS) continue;
    const wildcard = `*.${key.slice(0, key.indexOf(' '))}`;
    const whole = merged.get(wildcard) ?? { ports: new Set<string>(), addresses: new Map<string, number>(), packets: 0, special: false };
    for (const member of members) {
      const seen = merged.get(member);
      if (seen === undefined) continue;
      for (const port of seen.ports) whole.ports.add(port);
      for (const [address, packets] of seen.addresses) whole.addresses.set(address, (whole.addresses.get(address) ?? 0) + packets);
      whole.packets += seen.packets;
      merged.delete(member);
    }
    merged.set(wildcard, whole);
  }
  return merged;
}

/** What a policy may list: a name of one label, say, may not stand there. */
const listable = (names: readonly string[]) =>
  names.filter((name) => {
    const parsed = parseDomainPattern(name);
    return parsed.ok && !parsed.value.wildcard;
  });

const byPort = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1);
const portList = (ports: Iterable<string>) => `[${[...ports].toSorted(byPort).join(', ')}]`;
const packetsText = (packets: number) => `${packets} ${packets === 1 ? 'packet' : 'packets'}`;

/** Names by their registered domain, so that those of one owner stand together. */
const owner = (name: string) => `${getDomain(name.replace(/^\*\./, '')) ?? ''} ${name}`;

function entryLines(to: string, { ports, packets, addresses, special }: Seen, isName: boolean): string[] {
  const shown = [...addresses.keys()];
  const where = isName ? `, ${shown.slice(0, 3).join(' ')}${shown.length > 3 ? ` and ${shown.length - 3} more` : ''}` : '';
  return [
    `    - to: ${destination(to)}  # ${packetsText(packets)}${where}`,
    `      ports: ${portList(ports)}`,
    ...(isName && special ? ['      private: true  # it led to a special-use address: only for names whose DNS you trust'] : []),
  ];
}

const destinationText = (one: Destination) => (one.kind === 'network' ? formatNetwork(one.network) : one.kind === 'domain' ? domainText(one.domain) : `@${one.name}`);

function keptLines({ to, ports, private: special }: EgressEntry): string[] {
  return [
    `    - to: [${to.map((one) => destination(destinationText(one))).join(', ')}]  # as before`,
    `      ports: [${ports.map(portMatchText).join(', ')}]`,
    ...(special ? ['      private: true'] : []),
  ];
}

function egressLines({ flows, policy, wildcards }: LearntInput): { readonly lines: readonly string[]; readonly comments: readonly string[]; readonly names: ReadonlySet<string> } {
  const [names, networks, comments] = [new Map<string, Seen>(), new Map<string, Seen>(), new Set<string>()];
  for (const flow of flows) {
    if (flow.direction !== 'out') continue;
    const port = portOf(flow);
    if (flow.denied) comments.add(`${visible(flow.names[0] ?? formatAddress(flow.address))} ${port ?? flow.protocol} (${packetsText(flow.packets)}): a deny entry is against it`);
    else if (port === null) comments.add(`protocol ${flow.protocol} to ${formatAddress(flow.address)} (${packetsText(flow.packets)}): only "ports: [any]" allows it`);
    else if (listable(flow.names).length > 0) for (const name of listable(flow.names)) note(names, name, flow, port);
    else note(networks, formatAddress(flow.address), flow, port);
  }
  const known = new Set(names.keys());
  const shown = wildcards ? withWildcards(names) : names;
  const lines = [
    ...policy.egress.allow.flatMap(keptLines),
    ...[...shown].toSorted(([a], [b]) => (owner(a) < owner(b) ? -1 : 1)).flatMap(([name, seen]) => entryLines(name, seen, true)),
    ...[...networks].flatMap(([address, seen]) => entryLines(address, seen, false)),
  ];
  return { lines, comments: [...comments], names: known };
}

function denyLines({ policy }: LearntInput): string[] {
  if (policy.egress.deny.length === 0) return [];
  return [
    '  deny:',
    ...policy.egress.deny.flatMap(({ to, ports }) => [`    - to: [${to.map((one) => destination(destinationText(one))).join(', ')}]  # as before`, `      ports: [${ports.map(portMatchText).join(', ')}]`]),
  ];
}

function ingressLines({ flows, policy }: LearntInput): string[] {
  const ports = new Map<string, Seen>();
  for (const flow of flows) {
    const port = portOf(flow);
    if (flow.direction === 'in' && port !== null) note(ports, port, flow, port);
  }
  const kept = policy.ingress.allow.flatMap(({ from, ports: allowed }) => {
    const list = `[${allowed.map(portMatchText).join(', ')}]`;
    return from === null ? [`    - ports: ${list}  # as before`] : [`    - from: [${from.map((one) => destination(destinationText(one))).join(', ')}]  # as before`, `      ports: ${list}`];
  });
  const learnt = [...ports].toSorted(([a], [b]) => byPort(a, b)).flatMap(([port, { addresses, packets }]) => {
    if (addresses.size > MOST_SOURCES) return [`    - ports: [${port}]  # ${packetsText(packets)} to ${addresses.size} sources: from anywhere`];
    return [`    - from: [${[...addresses.keys()].map(destination).join(', ')}]  # ${packetsText(packets)}`, `      ports: [${port}]`];
  });
  const lines = [...kept, ...learnt];
  return lines.length === 0 ? [] : ['ingress:', '  allow:', ...lines];
}

/** The text of a policy file. What was seen and cannot be said is in its comments. */
export function learntPolicy(input: LearntInput): string {
  const { policy, since, until, queries, beside = [] } = input;
  const egress = egressLines(input);
  const unused = queries.filter(({ name }) => !egress.names.has(name));
  // names that it uses are to be answered
  const dns = egress.names.size === 0 ? policy.dns : 'filtered';
  const deny = denyLines(input);
  const lines = [
    `# Learnt by netwalld from what ${policy.service} did between ${since} and ${until}.`,
    '# It knows nothing of what the service does on other days: read it before you install it.',
    ...(beside.length === 0 ? [] : [`# ${visible(policy.at.file)} also holds ${beside.join(', ')}: in a file that takes its place they must be as well, or nothing governs them any more.`]),
    ...egress.comments.map((comment) => `# Seen, and not below: ${comment}`),
    ...unused.map(({ name, type, count }) => `# Asked for (${count}×) without a connection: ${visible(name)} ${type}`),
    `service: ${policy.service}`,
    'match:',
    `  ${policy.kind}: [${policy.subjects.map(({ id }) => (typeof id === 'number' ? `${id}` : scalar(id))).join(', ')}]`,
    ...(dns === 'filtered' ? [] : [`dns: ${dns}`]),
    ...(egress.lines.length + deny.length === 0 ? [] : ['egress:']),
    ...(egress.lines.length === 0 ? [] : ['  allow:', ...egress.lines]),
    ...deny,
    ...ingressLines(input),
  ];
  return `${lines.join('\n')}\n`;
}
