/** Everything that decides what one service may do, at one moment: the input of both `compile` and `verdict`. */
import type { Address } from '../net/address.ts';
import { networkOf } from '../net/address.ts';
import type { DnsMode, Mode, Position, PrincipalKind } from '../policy/policy.ts';
import type { LinkedPolicy, Rule } from '../policy/rule.ts';

export type Confinement = {
  readonly service: string;
  readonly kind: PrincipalKind;
  /** uids or gids, as `kind` says. */
  readonly ids: readonly number[];
  readonly mode: Mode;
  /** How its names are resolved; `port`: where the daemon answers a service with `dns: filtered` on the loopback addresses. */
  readonly dns: { readonly mode: DnsMode; readonly port: number | null; readonly at: Position };
  readonly allow: readonly Rule[];
  /** Allowed without being listed: the nameservers of `dns: system`. They do not tell the guard anything. */
  readonly implicit: readonly Rule[];
  readonly deny: readonly Rule[];
  readonly inbound: readonly Rule[];
  /** What DNS says for each listed name that has addresses, and for each name seen that a wildcard covers, before the guard. */
  readonly addresses: ReadonlyMap<string, readonly Address[]>;
};

/** With `dns: system` a service may ask the system's nameservers, and nothing else is said about them. */
function nameserverRules(nameservers: readonly Address[], at: Position): Rule[] {
  return nameservers.map((address) => ({
    target: { kind: 'network', network: networkOf(address) },
    ports: [
      { protocol: 'udp', first: 53, last: 53 },
      { protocol: 'tcp', first: 53, last: 53 },
    ],
    private: false,
    at,
    text: 'nameserver (dns: system)',
  }));
}

export type Surroundings = {
  readonly ids: readonly number[];
  readonly nameservers: readonly Address[];
  readonly addresses: ReadonlyMap<string, readonly Address[]>;
  /** Of the service's own DNS listener; omitted: it has none. */
  readonly dnsPort?: number | null;
};

/** Puts a policy into its surroundings: who it governs today, which nameservers there are, what DNS says. */
export function confine(linked: LinkedPolicy, { ids, nameservers, addresses, dnsPort = null }: Surroundings): Confinement {
  const { policy } = linked;
  return {
    service: policy.service,
    kind: policy.kind,
    ids,
    mode: policy.mode,
    dns: { mode: policy.dns, port: policy.dns === 'filtered' ? dnsPort : null, at: policy.at },
    allow: linked.allow,
    implicit: policy.dns === 'system' ? nameserverRules(nameservers, policy.at) : [],
    deny: linked.deny,
    inbound: linked.inbound,
    addresses,
  };
}

/** A document that cannot be understood but names its users: they are shut in. */
export function blocked(service: string, kind: PrincipalKind, ids: readonly number[], at: Position): Confinement {
  return { service, kind, ids, mode: 'block', dns: { mode: 'none', port: null, at }, allow: [], implicit: [], deny: [], inbound: [], addresses: new Map() };
}
