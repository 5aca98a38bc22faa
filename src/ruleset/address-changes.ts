/**
 * What changes at the addresses that names have now and is not said of a network or a name: an address that two names share, or one that another entry
 * admits or denies. Pure.
 */
import { type Address, type Interval, sameAddress } from '../net/address.ts';
import { paintPorts, portIndex, type PortInterval, type PortLayer, type Rectangle } from '../net/rectangle.ts';
import { addressIntervals, portIntervals } from '../net/interval.ts';
import { domainText, type Rule } from '../policy/rule.ts';
import { guard } from '../resolve/guard.ts';
import { coveringPatterns, indexNames, portLayers, rulesFor } from './name-changes.ts';
import { FAMILIES } from './network-changes.ts';
import { ALL_PORTS, PROTOCOL_CLASSES, type ProtocolClass } from './protocol.ts';
import type { Effective, Piece, Reason } from './semantic-change.ts';

type Known = { readonly address: Address; readonly names: readonly string[] };

function knownAddresses(...sides: readonly Effective[]): readonly Known[] {
  const known = new Map<string, { address: Address; names: Set<string> }>();
  for (const { addresses } of sides) {
    for (const [name, list] of addresses) {
      for (const address of list) {
        const key = `${address.family} ${address.value}`;
        const one = known.get(key) ?? { address, names: new Set() };
        known.set(key, one);
        one.names.add(name);
      }
    }
  }
  return [...known.values()].map(({ address, names }) => ({ address, names: [...names] }));
}

/** Which rules of networks hold at an address: sorts once, then each look-up is a binary search. */
function networkIndex(rules: readonly Rule[]): (address: Address) => readonly Rule[] {
  const slabs = new Map(
    FAMILIES.map((family) => {
      const found: (Interval & { readonly rules: readonly Rule[] })[] = [];
      const here = rules.flatMap((rule) => (rule.target.kind === 'network' && rule.target.network.family === family ? [{ rule, network: rule.target.network }] : []));
      addressIntervals.sweep(here, ({ network: { first, last } }) => ({ first, last }), (slab, active) => found.push({ ...slab, rules: active.map(({ rule }) => rule) }));
      return [family, found] as const;
    }),
  );
  return ({ family, value }) => addressIntervals.find(slabs.get(family) ?? [], value)?.rules ?? [];
}

/** The rules that hold at an address, by what a side says and by which names it has there. */
function rulesAt(side: Effective): (known: Known) => { readonly allow: readonly Rule[]; readonly deny: readonly Rule[] } {
  const [allow, deny] = [indexNames(side.allow), indexNames(side.deny)];
  const [allowed, denied] = [networkIndex([...side.allow, ...side.implicit]), networkIndex(side.deny)];
  const networks = side.allow.flatMap(({ target }) => (target.kind === 'network' ? [target.network] : []));
  return ({ address, names }) => {
    const here = names.filter((name) => side.addresses.get(name)?.some((one) => sameAddress(one, address)) === true);
    const byName = (index: typeof allow) => [...new Set(here.flatMap((name) => rulesFor(index, { name, wildcard: false })))];
    const admitted = byName(allow).filter((rule) => guard(address, { private: rule.private, networks }).admitted);
    return { allow: [...allowed(address), ...admitted], deny: [...denied(address), ...byName(deny)] };
  };
}

/** Ports at an address of which something is said already. */
function saidAt(said: readonly Piece[]): (known: Known, protocol: ProtocolClass) => readonly PortInterval[] {
  const egress = said.filter(({ direction }) => direction === 'egress');
  const indexes = new Map(
    FAMILIES.flatMap((family) =>
      PROTOCOL_CLASSES.map((wanted) => {
        const region = egress.flatMap(({ subject, protocol, ports }): Rectangle[] =>
          subject.kind !== 'name' && subject.family === family && protocol === wanted ? [{ addresses: subject.addresses, ports }] : [],
        );
        return [`${family} ${wanted}`, portIndex(region)] as const;
      }),
    ),
  );
  const byName = new Map<string, Piece[]>();
  for (const piece of egress) {
    if (piece.subject.kind !== 'name') continue;
    const text = domainText(piece.subject.domain);
    byName.set(text, [...(byName.get(text) ?? []), piece]);
  }
  const ofName = (name: string, wanted: ProtocolClass) =>
    coveringPatterns({ name, wildcard: false }).flatMap((text) =>
      (byName.get(text) ?? []).flatMap(({ subject, protocol, ports }) =>
        protocol === wanted && subject.kind === 'name' && !subject.except.some((one) => coveringPatterns({ name, wildcard: false }).includes(domainText(one))) ? [ports] : [],
      ),
    );
  return ({ address, names }, wanted) => [...(indexes.get(`${address.family} ${wanted}`)?.(address.value) ?? []), ...names.flatMap((name) => ofName(name, wanted))];
}

/** Which of these spans are left when others are taken away. */
const minus = (layers: readonly PortLayer<Rule>[], holes: readonly PortLayer<Rule>[]) => paintPorts(layers, holes.map(({ ports }) => ports));

export function lostAddresses(from: Effective, to: Effective, said: readonly Piece[]): readonly Piece[] {
  const [before, after, told] = [rulesAt(from), rulesAt(to), saidAt(said)];
  return knownAddresses(from, to).flatMap((known) => {
    const { address, names } = known;
    const [was, is] = [before(known), after(known)];
    if (was.allow.length === 0) return [];
    return PROTOCOL_CLASSES.flatMap((protocol) => {
      const layers = (rules: readonly Rule[]) => portLayers(rules, protocol);
      const passed = minus(layers(was.allow), layers(was.deny));
      const passes = minus(layers(is.allow), layers(is.deny));
      const lost = minus(passed, passes);
      if (lost.length === 0) return [];
      const unsaid = paintPorts(lost, told(known, protocol));
      const listed = portIntervals.normalise(layers(is.allow).map(({ ports }) => ports));
      const piece = (painted: typeof unsaid, reason: Reason) =>
        painted.map(({ ports, label }): Piece => ({ direction: 'egress', subject: { kind: 'addresses', family: address.family, addresses: { first: address.value, last: address.value }, names }, protocol, ports, reason, private: null, rule: label }));
      const denied = paintPorts(layers(is.deny), portIntervals.subtract([ALL_PORTS], portIntervals.intersect(portIntervals.normalise(unsaid.map(({ ports }) => ports)), listed)));
      return [...piece(paintPorts(unsaid, listed), 'listed'), ...piece(denied, 'denied')];
    });
  });
}
