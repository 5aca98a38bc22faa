/**
 * What an administrator wrote, once it has been understood. Everything here is plain readonly data: it is what
 * `parse` produces and what `compile` and `verdict` read.
 */
import type { Network } from '../net/address.ts';

/** A place in a policy file; `line` and `column` count from 1, as editors do. `file` is the path as it was given. */
export type Position = { readonly file: string; readonly line: number; readonly column: number };

export type Mode = 'enforce' | 'audit' | 'block';
export type DnsMode = 'filtered' | 'system' | 'none';

/** Whether a policy governs the uid (`meta skuid`) or the primary gid (`meta skgid`) of a socket's creator. */
export type PrincipalKind = 'user' | 'group';

/** One entry of `match`: an account or group name, or a number that needs no account behind it. */
export type Subject = { readonly id: string | number; readonly at: Position };

/**
 * A domain an entry lists, in ASCII lower case, without the final dot.
 * `wildcard`: `*.example.com`, any depth below `name`, never `name` itself.
 */
export type DomainPattern = { readonly name: string; readonly wildcard: boolean };

export type Destination =
  | { readonly kind: 'network'; readonly network: Network; readonly at: Position }
  | { readonly kind: 'domain'; readonly domain: DomainPattern; readonly at: Position }
  | { readonly kind: 'group'; readonly name: string; readonly at: Position };

/**
 * One item of `ports`. `first`–`last` is inclusive; protocols without ports, and `any` ports, are 0–65535.
 * `icmp` is ICMP for IPv4 and ICMPv6 for IPv6; `any` is every protocol there is.
 */
export type PortMatch = {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'any';
  readonly first: number;
  readonly last: number;
};

/** An item of `egress.allow` or `egress.deny`. `private` is always false in `deny`. */
export type EgressEntry = {
  readonly to: readonly Destination[];
  readonly ports: readonly PortMatch[];
  /** True: this entry's domains may resolve to special-use addresses. */
  readonly private: boolean;
  readonly at: Position;
};

/** An item of `ingress.allow`. `from: null` means from anywhere. Destinations here are networks or groups, never domains. */
export type IngressEntry = {
  readonly from: readonly Destination[] | null;
  readonly ports: readonly PortMatch[];
  readonly at: Position;
};

export type Policy = {
  readonly service: string;
  /** Where the document starts: the `service` key. */
  readonly at: Position;
  readonly kind: PrincipalKind;
  readonly subjects: readonly Subject[];
  readonly mode: Mode;
  readonly dns: DnsMode;
  readonly egress: { readonly allow: readonly EgressEntry[]; readonly deny: readonly EgressEntry[] };
  readonly ingress: { readonly allow: readonly IngressEntry[] };
};

/** `groups:` of a policy file: a name for destinations, usable as `@name` in every file. Groups do not nest. */
export type DestinationGroup = {
  readonly name: string;
  readonly destinations: readonly Destination[];
  readonly at: Position;
};
