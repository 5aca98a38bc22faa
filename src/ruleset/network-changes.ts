/** What networks allow by one policy and not by another: exact, address × port rectangles in every class of protocols. Pure. */
import { type Family, maxValue } from '../net/address.ts';
import { paint, type Rectangle, subtract } from '../net/rectangle.ts';
import type { Rule } from '../policy/rule.ts';
import { networkLayers } from './compile.ts';
import { ALL_PORTS, PROTOCOL_CLASSES } from './protocol.ts';
import type { Effective, Piece, Reason } from './semantic-change.ts';

export const FAMILIES: readonly Family[] = [4, 6];

const everything = (family: Family): Rectangle => ({ addresses: { first: 0n, last: maxValue(family) }, ports: ALL_PORTS });
/** What the region leaves out. */
export const outside = (region: readonly Rectangle[], family: Family): readonly Rectangle[] => subtract([everything(family)], region);

type Sides = { readonly allow: readonly Rule[]; readonly deny: readonly Rule[] };

function lost(from: Sides, to: Sides, direction: Piece['direction']): Piece[] {
  return FAMILIES.flatMap((family) =>
    PROTOCOL_CLASSES.flatMap((protocol) => {
      const layers = (rules: readonly Rule[]) => networkLayers(rules, family, protocol);
      const [allowed, denied, stillListed] = [layers(from.allow), layers(from.deny), layers(to.allow)];
      if (allowed.length === 0) return [];
      const unlisted = paint(allowed, [...denied, ...stillListed]);
      const deniedNow = layers(to.deny);
      const listed = deniedNow.length === 0 ? [] : paint(allowed, [...denied, ...outside(stillListed, family)]);
      const cut = listed.length === 0 ? [] : paint(deniedNow, outside(listed, family));
      const pieces = (painted: typeof unlisted, reason: Reason) =>
        painted.map(({ addresses, ports, label }): Piece => ({ direction, subject: { kind: 'addresses', family, addresses, names: [] }, protocol, ports, reason, private: null, rule: label }));
      return [...pieces(unlisted, 'listed'), ...pieces(cut, 'denied')];
    }),
  );
}

/** What `from` allows by its networks and `to` does not; disjoint. */
export const lostNetworks = (from: Effective, to: Effective): readonly Piece[] => [
  ...lost({ allow: [...from.allow, ...from.implicit], deny: from.deny }, { allow: [...to.allow, ...to.implicit], deny: to.deny }, 'egress'),
  ...lost({ allow: from.inbound, deny: [] }, { allow: to.inbound, deny: [] }, 'ingress'),
];
