/**
 * Compiles what one service may do into set elements. Pure and deterministic: the same confinement gives the same elements
 * in the same order.
 *
 * Networks are painted as address × port rectangles, one plane per protocol class, deny cut out, so that what reaches the
 * kernel is disjoint (its interval sets refuse overlaps) and it needs no deny rules. Addresses of domains come and go, so each
 * is painted by itself, on the one line of ports at its address, and only where no network already permits.
 */
import type { Address, Family, Interval } from '../net/address.ts';
import { formatInterval } from '../net/address.ts';
import { addressIntervals } from '../net/interval.ts';
import type { Labelled, PortInterval } from '../net/rectangle.ts';
import { paint, paintPorts, portIndex } from '../net/rectangle.ts';
import type { PrincipalKind } from '../policy/policy.ts';
import type { Rule, Term } from '../policy/rule.ts';
import { addressesFor, allowedNetworks, judgeAddresses } from './admitted.ts';
import type { Confinement } from './confinement.ts';
import type { Element } from './element.ts';
import { elementComment } from './element.ts';
import type { KernelMode } from './skeleton.ts';
import { isAllPorts, portsInClass, PROTOCOL_CLASSES, protocolKeys, type ProtocolClass } from './protocol.ts';

/** The content of the policy sets for one uid or gid. A principal has one policy, so no two rulesets share a key. */
export type PrincipalRuleset = {
  /** `user 1001` or `group 27`. */
  readonly principal: string;
  readonly service: string;
  /** The element of `…_mode` that governs it, and that of `…_refused` that counts for it. */
  readonly gate: readonly Element[];
  /** What it may do. */
  readonly elements: readonly Element[];
};

export type CompileOptions = {
  /** Seconds after which the kernel forgets an address of a domain that nobody renews: the dead man's switch. */
  readonly addressTimeout: number;
};

type Planes = Readonly<Record<ProtocolClass, readonly Labelled<Rule>[]>>;
const planes = (plane: (wanted: ProtocolClass) => readonly Labelled<Rule>[]): Planes => ({
  tcp: plane('tcp'),
  udp: plane('udp'),
  icmp: plane('icmp'),
  other: plane('other'),
});

/** Which sets of the skeleton take exact keys, keys with a range, and keys without a port. */
type SetNames = { readonly exact: string; readonly net: string; readonly proto: string };
const EGRESS: SetNames = { exact: 'egress', net: 'egress_net', proto: 'egress_proto' };
const INGRESS: SetNames = { exact: 'ingress', net: 'ingress', proto: 'ingress_proto' };

/** An element before it is given its principal: `tail` is its key without the id. */
type Permission = { readonly set: string; readonly tail: string; readonly timeout: number | null; readonly until?: number; readonly comment: string };

const lasts = ({ term }: Rule) => term === undefined;
const FAMILIES: readonly Family[] = [4, 6];
const single = ({ first, last }: Interval): boolean => first === last;
const point = (address: Address): Interval => ({ first: address.value, last: address.value });

/** What rules say of networks, in one plane; rules of domains say nothing here. */
export function networkLayers(rules: readonly Rule[], family: Family, wanted: ProtocolClass): Labelled<Rule>[] {
  return rules.flatMap((rule) => {
    if (rule.target.kind !== 'network' || rule.target.network.family !== family) return [];
    const { first, last } = rule.target.network;
    return rule.ports.flatMap((match) => {
      const ports = portsInClass(match, wanted);
      return ports === null ? [] : [{ addresses: { first, last }, ports, label: rule }];
    });
  });
}

/** Where a policy's deny rules hold. A denied domain is cut out at every address DNS gave for it, special-use or not. */
function deniedRectangles({ deny, addresses }: Confinement, family: Family, wanted: ProtocolClass): readonly Labelled<Rule>[] {
  const domains = deny.flatMap((rule) => {
    if (rule.target.kind !== 'domain') return [];
    const here = addressesFor(rule.target.domain, { addresses }).filter((address) => address.family === family);
    const ports = rule.ports.flatMap((match) => portsInClass(match, wanted) ?? []);
    return here.flatMap((address) => ports.map((interval) => ({ addresses: point(address), ports: interval, label: rule })));
  });
  return [...networkLayers(deny, family, wanted), ...domains];
}

function portText({ first, last }: PortInterval): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

const termOf = ({ seconds, until }: Term, timeout: number | null) => ({ timeout: timeout === null ? seconds : Math.min(timeout, seconds), until });

/** Writes disjoint planes as keys. Addresses open in every class become one key for all protocols. */
function permissions(painted: Planes, family: Family, names: SetNames, describe: (rule: Rule) => string, timeout: number | null): Permission[] {
  const found: Permission[] = [];
  const add = (set: string, rule: Rule, ...key: string[]) =>
    found.push({ set: `${set}${family}`, tail: key.join(' . '), comment: describe(rule), ...(rule.term === undefined ? { timeout } : termOf(rule.term, timeout)) });
  // what is only for a while does not melt into what stays
  const full = (wanted: ProtocolClass) => painted[wanted].filter(({ ports, label }) => isAllPorts(ports) && label.term === undefined);
  const everything = PROTOCOL_CLASSES.map((wanted) => addressIntervals.normalise(full(wanted).map(({ addresses }) => addresses))).reduce(addressIntervals.intersect);
  for (const { addresses, label } of full('tcp')) {
    for (const piece of addressIntervals.intersect([addresses], everything)) add(names.proto, label, formatInterval(family, piece), '0-255');
  }
  for (const wanted of PROTOCOL_CLASSES) {
    for (const { addresses, ports, label } of painted[wanted]) {
      if (!isAllPorts(ports)) {
        const set = single(addresses) && ports.first === ports.last ? names.exact : names.net;
        add(set, label, formatInterval(family, addresses), wanted, portText(ports));
        continue;
      }
      for (const piece of addressIntervals.subtract([addresses], everything)) {
        for (const protocol of protocolKeys(wanted, family)) add(names.proto, label, formatInterval(family, piece), protocol);
      }
    }
  }
  return found;
}

type Domains = { readonly address: Address; readonly rules: readonly Rule[] };

/** Every address that some domain rule admits, with the rules that do. */
function domainAddresses(confinement: Confinement, family: Family): Domains[] {
  const networks = allowedNetworks(confinement);
  const byAddress = new Map<bigint, { address: Address; rules: Rule[] }>();
  for (const rule of confinement.allow) {
    for (const address of judgeAddresses(rule, confinement, networks).admitted) {
      if (address.family !== family) continue;
      const seen = byAddress.get(address.value);
      if (seen === undefined) byAddress.set(address.value, { address, rules: [rule] });
      else seen.rules.push(rule);
    }
  }
  return [...byAddress.values()];
}

function paintAddress({ address, rules }: Domains, taken: (wanted: ProtocolClass, at: bigint) => readonly PortInterval[]): Planes {
  return planes((wanted) => {
    const layers = rules.flatMap((rule) =>
      rule.ports.flatMap((match) => {
        const ports = portsInClass(match, wanted);
        return ports === null ? [] : [{ ports, label: rule }];
      }),
    );
    if (layers.length === 0) return [];
    return paintPorts(layers, taken(wanted, address.value)).map(({ ports, label }) => ({ addresses: point(address), ports, label }));
  });
}

/** What `nft list` shows of a rule: its file and its text, not its line, which moves with every edit above it. */
const describe = ({ at, text, term }: Rule) => elementComment(term === undefined ? `${at.file.slice(at.file.lastIndexOf('/') + 1)} ${text}` : text);
const describeName = ({ text }: Rule) => elementComment(text);

type Grounds = {
  /** Of what lasts. */
  readonly networks: Planes;
  readonly denied: Planes;
  /** Ports at an address that a network permits, or that are denied there: no address of a domain is painted over them. */
  readonly taken: (wanted: ProtocolClass, at: bigint) => readonly PortInterval[];
};

const grounds = new WeakMap<Confinement, Map<Family, Grounds>>();

/** What a confinement's networks permit and deny, worked out once. */
function groundsOf(confinement: Confinement, family: Family): Grounds {
  let known = grounds.get(confinement);
  if (known === undefined) grounds.set(confinement, (known = new Map()));
  const before = known.get(family);
  if (before !== undefined) return before;
  const denied = planes((wanted) => deniedRectangles(confinement, family, wanted));
  const networks = planes((wanted) => paint(networkLayers([...confinement.allow.filter(lasts), ...confinement.implicit], family, wanted), denied[wanted]));
  let index: Readonly<Record<string, (at: bigint) => readonly PortInterval[]>> | null = null;
  const found: Grounds = {
    networks,
    denied,
    taken(wanted, at) {
      index ??= Object.fromEntries(PROTOCOL_CLASSES.map((one) => [one, portIndex([...networks[one], ...denied[one]])]));
      return index[wanted]?.(at) ?? [];
    },
  };
  known.set(family, found);
  return found;
}

/** `denied`: rules that hold at all of these addresses, known to the confinement or not. */
function addressPermissions(confinement: Confinement, addresses: readonly Domains[], { addressTimeout }: CompileOptions, denied: readonly Rule[] = []): Permission[] {
  const deniedPorts = (wanted: ProtocolClass) => denied.flatMap(({ ports }) => ports.flatMap((match) => portsInClass(match, wanted) ?? []));
  return addresses.flatMap((domains) => {
    const { family } = domains.address;
    const { taken } = groundsOf(confinement, family);
    const closed = denied.length === 0 ? taken : (wanted: ProtocolClass, at: bigint) => [...taken(wanted, at), ...deniedPorts(wanted)];
    return permissions(paintAddress(domains, closed), family, EGRESS, describeName, addressTimeout);
  });
}

const LOOPBACK: Readonly<Record<Family, string>> = { 4: '127.0.0.1', 6: '::1' };

/** The service's own DNS listener. No deny entry is about it: without it, it would have no names at all. */
function dnsPermissions({ dns }: Confinement, family: Family, found: readonly Permission[]): Permission[] {
  if (dns.port === null) return [];
  const set = `egress${family}`;
  return (['udp', 'tcp'] as const)
    .map((protocol) => ({ set, tail: `${LOOPBACK[family]} . ${protocol} . ${dns.port}`, timeout: null, comment: 'DNS' }))
    .filter(({ tail }) => !found.some((other) => other.set === set && other.tail === tail));
}

/** Networks that are only granted for a while: last, so that what lasts keeps its ground when they end. */
function temporaryPermissions(confinement: Confinement, family: Family, addresses: readonly Domains[]): Permission[] {
  const rules = confinement.allow.filter(({ target, term }) => term !== undefined && target.kind === 'network');
  if (rules.length === 0) return [];
  const { networks, denied, taken } = groundsOf(confinement, family);
  const names = addresses.map((domains) => paintAddress(domains, taken));
  const painted = planes((wanted) => paint(networkLayers(rules, family, wanted), [...denied[wanted], ...networks[wanted], ...names.flatMap((planesOf) => planesOf[wanted])]));
  return permissions(painted, family, EGRESS, describe, null);
}

function egressPermissions(confinement: Confinement, family: Family, options: CompileOptions): Permission[] {
  const addresses = domainAddresses(confinement, family);
  const found = [
    ...permissions(groundsOf(confinement, family).networks, family, EGRESS, describe, null),
    ...addressPermissions(confinement, addresses, options),
    ...temporaryPermissions(confinement, family, addresses),
  ];
  return [...found, ...dnsPermissions(confinement, family, found)];
}

function ingressPermissions(confinement: Confinement, family: Family): Permission[] {
  const painted = planes((wanted) => paint(networkLayers(confinement.inbound, family, wanted), []));
  return permissions(painted, family, INGRESS, describe, null);
}

export const principalName = (kind: PrincipalKind, id: number): string => `${kind} ${id}`;

/** `user_egress4`, `1001 . 10.0.0.1 . …` → `user 1001`. */
export const principalOf = ({ set, key }: Pick<Element, 'set' | 'key'>): string => principalName(set.startsWith('group') ? 'group' : 'user', Number(key.split(' ', 1)[0]));

/** The elements that send a principal's packets to a mode. */
export function gateElements(kind: PrincipalKind, id: number, mode: KernelMode): readonly Element[] {
  return [
    { set: `${kind}_mode`, key: `${id}`, mode, timeout: null, comment: null },
    { set: `${kind}_refused`, key: `${id}`, mode: null, timeout: null, comment: null },
  ];
}

/** Where the DNS queries of a principal go. */
function dnsElements({ kind, mode, dns }: Confinement, id: number): readonly Element[] {
  const element = { key: `${id}`, mode: null, timeout: null, comment: null };
  if (mode === 'block') return [];
  // the port serves as the number of the zone as well: both are the principal's own
  if (dns.port !== null) return [{ ...element, set: `${kind}_dns_port`, port: dns.port }, { ...element, set: `${kind}_dns_zone`, port: dns.port }];
  return kind === 'user' ? [{ ...element, set: 'user_dns_own' }] : [];
}

const elementFor = (kind: PrincipalKind, id: number, { set, tail, timeout, until, comment }: Permission): Element => ({
  set: `${kind}_${set}`,
  key: `${id} . ${tail}`,
  mode: null,
  timeout,
  comment,
  ...(until === undefined ? {} : { until }),
});

/**
 * Elements for addresses that DNS gave for a name just now, by rules that list the name: what `compileService` will say of them
 * once they are in `addresses`, as far as these rules go. By principal. The guard has admitted them. `denied`: deny rules that list the name.
 */
export function compileAddresses(confinement: Confinement, addresses: readonly Address[], rules: readonly Rule[], options: CompileOptions, denied: readonly Rule[] = []): ReadonlyMap<string, readonly Element[]> {
  const { kind, ids, mode } = confinement;
  if (mode === 'block') return new Map();
  const found = addressPermissions(confinement, addresses.map((address) => ({ address, rules })), options, denied);
  return new Map(ids.map((id) => [principalName(kind, id), found.map((permission) => elementFor(kind, id, permission))]));
}

/** Compiles one service, a ruleset for each of its principals. The result depends on nothing but the arguments. */
export function compileService(confinement: Confinement, options: CompileOptions): readonly PrincipalRuleset[] {
  const { kind, ids, mode, service } = confinement;
  const found =
    mode === 'block'
      ? []
      : FAMILIES.flatMap((family) => [...egressPermissions(confinement, family, options), ...ingressPermissions(confinement, family)]);
  return ids.map((id) => ({
    principal: principalName(kind, id),
    service,
    gate: gateElements(kind, id, mode),
    elements: [...found.map((permission) => elementFor(kind, id, permission)), ...dnsElements(confinement, id)],
  }));
}
