/**
 * What names allow by one policy and not by another, whatever addresses they have. Every listed name and wildcard is looked at by itself, with all
 * entries that cover it; a wildcard stands for the names below it that nothing else lists. Pure.
 */
import { portIntervals } from '../net/interval.ts';
import { isSpecialUse, touchesSpecialUse } from '../net/special.ts';
import { paint, paintPorts, type PortInterval, type PortLayer, type Rectangle } from '../net/rectangle.ts';
import type { DomainPattern } from '../policy/policy.ts';
import { domainText, type Rule } from '../policy/rule.ts';
import { networkLayers } from './compile.ts';
import { FAMILIES } from './network-changes.ts';
import { ALL_PORTS, portsInClass, PROTOCOL_CLASSES, type ProtocolClass } from './protocol.ts';
import type { Effective, Piece, PrivateUse, Reason } from './semantic-change.ts';

type Layers = readonly PortLayer<Rule>[];

export function portLayers(rules: readonly Rule[], wanted: ProtocolClass): PortLayer<Rule>[] {
  return rules.flatMap((rule) =>
    rule.ports.flatMap((match) => {
      const ports = portsInClass(match, wanted);
      return ports === null ? [] : [{ ports, label: rule }];
    }),
  );
}

const spansOf = (layers: readonly { readonly ports: PortInterval }[]) => portIntervals.normalise(layers.map(({ ports }) => ports));
const without = (spans: readonly PortInterval[]) => portIntervals.subtract([ALL_PORTS], spans);

/** A listed name or wildcard itself, then the wildcards it is below. */
export function coveringPatterns({ name, wildcard }: DomainPattern): readonly string[] {
  const labels = name.split('.');
  const above = labels.map((_, index) => `*.${labels.slice(index).join('.')}`);
  return wildcard ? above : [name, ...above.slice(1)];
}

const isBelow = (one: DomainPattern, wildcard: DomainPattern) => wildcard.wildcard && one.name.endsWith(`.${wildcard.name}`);

export type NameIndex = ReadonlyMap<string, { readonly domain: DomainPattern; readonly rules: readonly Rule[] }>;

/** Rules of domains by the text of their pattern. */
export function indexNames(rules: readonly Rule[]): NameIndex {
  const index = new Map<string, { domain: DomainPattern; rules: Rule[] }>();
  for (const rule of rules) {
    if (rule.target.kind !== 'domain') continue;
    const text = domainText(rule.target.domain);
    const known = index.get(text);
    if (known === undefined) index.set(text, { domain: rule.target.domain, rules: [rule] });
    else known.rules.push(rule);
  }
  return index;
}

export const rulesFor = (index: NameIndex, domain: DomainPattern): readonly Rule[] => coveringPatterns(domain).flatMap((text) => index.get(text)?.rules ?? []);

type Side = {
  readonly allow: NameIndex;
  readonly deny: NameIndex;
  /** Ports that some network is allowed at: what a denied name takes away where no entry lists it. */
  readonly open: Readonly<Record<ProtocolClass, readonly PortInterval[]>>;
};

function sideOf({ allow, implicit, deny }: Effective): Side {
  const open = (wanted: ProtocolClass) =>
    portIntervals.normalise(FAMILIES.flatMap((family) => paint(networkLayers([...allow, ...implicit], family, wanted), networkLayers(deny, family, wanted)).map(({ ports }) => ports)));
  return { allow: indexNames(allow), deny: indexNames(deny), open: { tcp: open('tcp'), udp: open('udp'), icmp: open('icmp'), other: open('other') } };
}

type PortPiece = Pick<Piece, 'protocol' | 'ports' | 'reason' | 'private' | 'rule'>;

/** What one name or wildcard loses. */
function lostOf(domain: DomainPattern, from: Side, to: Side): PortPiece[] {
  const rules = { allowed: rulesFor(from.allow, domain), denied: rulesFor(from.deny, domain), listed: rulesFor(to.allow, domain), deniedNow: rulesFor(to.deny, domain) };
  return PROTOCOL_CLASSES.flatMap((protocol) => {
    const layers = (some: readonly Rule[]) => portLayers(some, protocol);
    const ports = (some: readonly Rule[]) => spansOf(layers(some));
    const [denied, listed] = [ports(rules.denied), ports(rules.listed)];
    const [mayBePrivate, staysPrivate] = [rules.allowed, rules.listed].map((some) => layers(some.filter((rule) => rule.private)));
    const piece = (painted: Layers, reason: Reason, use: PrivateUse) => painted.map(({ ports: at, label }): PortPiece => ({ protocol, ports: at, reason, private: use, rule: label }));

    const gone = [...denied, ...listed];
    const unlistedPrivate = paintPorts(mayBePrivate ?? [], gone);
    const unlisted = paintPorts(layers(rules.allowed), [...gone, ...spansOf(unlistedPrivate)]);
    const noLongerPrivate = paintPorts(mayBePrivate ?? [], [...denied, ...ports(rules.deniedNow), ...spansOf(staysPrivate ?? []), ...without(listed)]);

    const kept = spansOf(paintPorts(layers(rules.allowed), [...denied, ...without(listed)]));
    const cut = paintPorts(layers(rules.deniedNow), without(kept));
    const reach = portIntervals.intersect(from.open[protocol], to.open[protocol]);
    const cutAtNetworks = paintPorts(layers(rules.deniedNow), [...denied, ...without(reach), ...[...unlistedPrivate, ...unlisted, ...cut].map(({ ports: at }) => at)]);
    return [...piece(unlistedPrivate, 'listed', 'too'), ...piece(unlisted, 'listed', null), ...piece(cut, 'denied', null), ...piece(cutAtNetworks, 'denied at networks', null), ...piece(noLongerPrivate, 'listed', 'only')];
  });
}

type Told = { readonly domain: DomainPattern; readonly pieces: readonly (PortPiece & { readonly except: readonly DomainPattern[] })[] };

const sameKind = (a: PortPiece, b: PortPiece) => a.protocol === b.protocol && a.private === b.private;
const fullyIn = (ports: PortInterval, pieces: readonly PortPiece[]) => portIntervals.subtract([ports], spansOf(pieces)).length === 0;

/** Leaves to a wildcard what is so of all that is below it; says of which names it is not so. */
function byWildcard(changed: ReadonlyMap<string, { readonly domain: DomainPattern; readonly pieces: readonly PortPiece[] }>): ReadonlyMap<string, Told> {
  const told = new Map<string, Told>();
  const depth = ({ name }: DomainPattern) => name.split('.').length;
  const all = [...changed.values()];
  for (const { domain, pieces } of all.toSorted((a, b) => depth(a.domain) - depth(b.domain))) {
    const above = coveringPatterns(domain).slice(1).flatMap((text) => told.get(text)?.pieces ?? []);
    const below = domain.wildcard && pieces.length > 0 ? all.filter((one) => isBelow(one.domain, domain)) : [];
    told.set(domainText(domain), {
      domain,
      pieces: pieces.flatMap((piece) => {
        const saidAbove = above.filter((one) => sameKind(one, piece) && !one.except.includes(domain)).map(({ ports }) => ports);
        return paintPorts([{ ports: piece.ports, label: piece.rule }], saidAbove).map(({ ports }) => ({
          ...piece,
          ports,
          except: below.filter((one) => !fullyIn(ports, one.pieces.filter((other) => sameKind(other, piece)))).map((one) => one.domain),
        }));
      }),
    });
  }
  return told;
}

/** What `from` allows by names and `to` does not. A name that a wildcard still covers loses nothing. */
export function lostNames(from: Effective, to: Effective): readonly Piece[] {
  const [before, after] = [sideOf(from), sideOf(to)];
  const listed = new Map([...before.allow, ...after.deny, ...before.deny, ...after.allow].map(([text, { domain }]) => [text, domain]));
  const changed = new Map([...listed].map(([text, domain]) => [text, { domain, pieces: lostOf(domain, before, after) }]));
  const told = byWildcard(changed);
  return [...changed.keys()].flatMap((text) => {
    const one = told.get(text);
    return (one?.pieces ?? []).map(({ except, ...piece }): Piece => ({ direction: 'egress', subject: { kind: 'name', domain: one?.domain ?? { name: text, wildcard: false }, except }, ...piece }));
  });
}

const ANY_ADDRESS = { 4: { first: 0n, last: (1n << 32n) - 1n }, 6: { first: 0n, last: (1n << 128n) - 1n } } as const;
const portsOfNames = (rules: readonly Rule[], wanted: ProtocolClass) => spansOf(portLayers(rules.filter(({ target }) => target.kind === 'domain'), wanted));
const isMine = (rule: Rule, family: 4 | 6) => rule.target.kind === 'network' && rule.target.network.family === family;
const overlaps = (a: Rule, b: Rule) =>
  a.target.kind === 'network' && b.target.kind === 'network' && a.target.network.family === b.target.network.family && a.target.network.first <= b.target.network.last && b.target.network.first <= a.target.network.last;

/**
 * Where names that both list may no longer lead: a network is denied now; or it is for special use, and names were admitted there because an entry
 * listed the network. Without what is said already of the networks themselves.
 */
export function lostNamesAt(from: Effective, to: Effective, said: readonly Piece[]): readonly Piece[] {
  return FAMILIES.flatMap((family) =>
    PROTOCOL_CLASSES.flatMap((protocol) => {
      const common = portIntervals.intersect(portsOfNames(from.allow, protocol), portsOfNames(to.allow, protocol));
      if (common.length === 0) return [];
      const priv = (rules: readonly Rule[]) => portsOfNames(rules.filter((rule) => rule.private), protocol);
      const commonPrivate = portIntervals.intersect(priv(from.allow), priv(to.allow));
      const networks = (rules: readonly Rule[]) => networkLayers(rules, family, protocol);
      const wholeNetworks = (rules: readonly Rule[]) => rules.filter((rule) => isMine(rule, family)).flatMap((label) => (label.target.kind === 'network' ? [{ addresses: label.target.network, label }] : []));
      const elsewhere = without(common).map((ports): Rectangle => ({ addresses: ANY_ADDRESS[family], ports }));
      const known = said.flatMap(({ subject, protocol: of, ports }) => (subject.kind === 'addresses' && of === protocol && subject.family === family ? [{ addresses: subject.addresses, ports }] : []));

      // the guard drops what is for special use anyway
      const guarded = (rule: Rule) => rule.target.kind === 'network' && isSpecialUse(rule.target.network) && !from.allow.some((other) => overlaps(rule, other));
      const denied = networks(to.deny).flatMap((layer) => (guarded(layer.label) ? portIntervals.intersect([layer.ports], commonPrivate).map((ports) => ({ ...layer, ports })) : [layer]));
      const cut = paint(denied, [...networks(from.deny), ...known, ...elsewhere]);

      const opened = wholeNetworks(from.allow.filter(({ target }) => target.kind === 'network' && touchesSpecialUse(target.network)));
      const admitted = opened.flatMap((layer) => portIntervals.subtract(common, commonPrivate).map((ports) => ({ ...layer, ports })));
      const stillOpen = wholeNetworks(to.allow).map(({ addresses }) => ({ addresses, ports: ALL_PORTS }));
      const unlisted = paint(admitted, [...stillOpen, ...networks(from.deny), ...known, ...cut]);

      const pieces = (painted: typeof cut, reason: Reason, use: PrivateUse) =>
        painted.map(({ addresses, ports, label }): Piece => ({ direction: 'egress', subject: { kind: 'names at', family, addresses }, protocol, ports, reason, private: use, rule: label }));
      return [...pieces(cut, 'denied', null), ...pieces(unlisted, 'listed', 'only')];
    }),
  );
}
