/**
 * The address guard: whoever controls a name's DNS must not steer a service to a neighbour, to its own host
 * or to the cloud's metadata. An address that DNS returned is admitted only if it is global unicast, or if the policy
 * says that such addresses are meant.
 */
import { addressInNetwork, type Address, type Network } from '../net/address.ts';
import { specialUse, wireAddress } from '../net/special.ts';

export type GuardRules = {
  /** Some entry of the policy that lists this name says `private: true`. */
  readonly private: boolean;
  /** The CIDRs that the same policy allows in its egress, at any port. `deny` is not the guard's: it holds anyway. */
  readonly networks: readonly Network[];
};

/** `reason` says which special use, and that of the IPv4 address inside where there is one. */
export type GuardVerdict = { readonly admitted: true } | { readonly admitted: false; readonly reason: string };

const ADMITTED: GuardVerdict = { admitted: true };

/**
 * Judges one address of an answer to a name.
 *
 * - `private: true` admits any special use that a peer can have, loopback and link-local with cloud metadata included:
 *   it is for names whose DNS the administrator trusts. It does not admit what no peer can have: unspecified, `0.0.0.0/8`,
 *   multicast, broadcast, class E, IPv4-compatible, the unassigned rest of IPv6, and IPv6 forms with such inside.
 * - A CIDR admits what it holds, of whatever use, as the administrator named it. It is compared with the address that
 *   packets would carry: `10.0.0.0/8` admits `::ffff:10.0.0.1`, which is sent as IPv4; it does not admit `64:ff9b::10.0.0.1`,
 *   which is sent as IPv6 and which `10.0.0.0/8` thus does not allow.
 */
export function guard(address: Address, rules: GuardRules): GuardVerdict {
  const use = specialUse(address);
  if (use === null) return ADMITTED;
  const wire = wireAddress(address);
  if (rules.networks.some((network) => addressInNetwork(wire, network))) return ADMITTED;
  if (!rules.private) return { admitted: false, reason: use.reason };
  return use.host ? ADMITTED : { admitted: false, reason: `${use.reason}, which private does not admit` };
}
