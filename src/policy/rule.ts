/** Policies with their `@groups` filled in: a flat list of rules, each of which knows the line it came from. */
import type { Network } from '../net/address.ts';
import { formatNetwork, parseNetwork } from '../net/address.ts';
import type { Destination, DestinationGroup, DomainPattern, EgressEntry, IngressEntry, Policy, PortMatch, Position } from './policy.ts';
import type { Problem } from './problem.ts';
import { nearest } from './nearest.ts';

export type Target =
  | { readonly kind: 'network'; readonly network: Network }
  | { readonly kind: 'domain'; readonly domain: DomainPattern };

/** One destination (or, inbound, one source) of one entry, with all that the entry says of it. */
export type Rule = {
  readonly target: Target;
  readonly ports: readonly PortMatch[];
  /** This rule's domain may resolve to special-use addresses. */
  readonly private: boolean;
  /** Where the destination is written; for a member of a group, where `@name` is. */
  readonly at: Position;
  /** The destination as an administrator would write it, for messages and element comments. */
  readonly text: string;
  /** Only for a while, and in no file; omitted: for as long as the file says so. */
  readonly term?: Term;
};

/** `seconds` in all; `until`: milliseconds of the daemon's monotonic clock. */
export type Term = { readonly seconds: number; readonly until: number };

export type LinkedPolicy = {
  readonly policy: Policy;
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
  readonly inbound: readonly Rule[];
};

export type Groups = ReadonlyMap<string, DestinationGroup>;

const network = (text: string): Network => {
  const parsed = parseNetwork(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
};
export const ANYWHERE: readonly Target[] = [
  { kind: 'network', network: network('0.0.0.0/0') },
  { kind: 'network', network: network('::/0') },
];

export function domainText(domain: DomainPattern): string {
  return domain.wildcard ? `*.${domain.name}` : domain.name;
}

export function targetText(target: Target): string {
  return target.kind === 'network' ? formatNetwork(target.network) : domainText(target.domain);
}

type Collected = { readonly rules: Rule[]; readonly problems: Problem[] };

function memberTargets(destination: Destination, groups: Groups, problems: Problem[]): { target: Target; text: string }[] {
  if (destination.kind !== 'group') return [{ target: destination, text: targetText(destination) }];
  const group = groups.get(destination.name);
  if (group === undefined) {
    const near = nearest(destination.name, [...groups.keys()]);
    problems.push({
      severity: 'error',
      at: destination.at,
      message: `group "@${destination.name}" is not defined in any policy file`,
      hint: near === null ? `define it with "groups: { ${destination.name}: [...] }"` : `did you mean "@${near}"?`,
      length: destination.name.length + 1,
    });
    return [];
  }
  return group.destinations.flatMap((member) =>
    member.kind === 'group' ? [] : [{ target: member, text: `@${destination.name} ${targetText(member)}` }],
  );
}

function egressRules(entries: readonly EgressEntry[], groups: Groups, into: Collected): void {
  for (const entry of entries) {
    for (const destination of entry.to) {
      for (const { target, text } of memberTargets(destination, groups, into.problems)) {
        into.rules.push({ target, ports: entry.ports, private: entry.private, at: destination.at, text });
      }
    }
  }
}

function ingressRules(entries: readonly IngressEntry[], groups: Groups, into: Collected): void {
  for (const entry of entries) {
    if (entry.from === null) {
      for (const target of ANYWHERE) into.rules.push({ target, ports: entry.ports, private: false, at: entry.at, text: 'from anywhere' });
      continue;
    }
    for (const source of entry.from) {
      for (const { target, text } of memberTargets(source, groups, into.problems)) {
        if (target.kind === 'domain') {
          into.problems.push({
            severity: 'error',
            at: source.at,
            message: `"from" cannot use ${text}: a domain says nothing of who connects in`,
            hint: 'list addresses or CIDRs',
          });
          continue;
        }
        into.rules.push({ target, ports: entry.ports, private: false, at: source.at, text: `from ${text}` });
      }
    }
  }
}

/** Fills in `@groups`. Problems: groups nobody defines, domains that reach `ingress.from`, wildcards that nothing resolves. */
export function linkPolicy(policy: Policy, groups: Groups): { readonly linked: LinkedPolicy; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const collect = (): Collected => ({ rules: [], problems });
  const [allow, deny, inbound] = [collect(), collect(), collect()];
  egressRules(policy.egress.allow, groups, allow);
  egressRules(policy.egress.deny, groups, deny);
  ingressRules(policy.ingress.allow, groups, inbound);
  return { linked: { policy, allow: allow.rules, deny: deny.rules, inbound: inbound.rules }, problems };
}

/** The exact names a policy needs resolved: those it allows, and those it denies, whose addresses are cut out. */
export function listedNames(linked: LinkedPolicy): readonly string[] {
  const names = new Set<string>();
  for (const { target } of [...linked.allow, ...linked.deny]) {
    if (target.kind === 'domain' && !target.domain.wildcard) names.add(target.domain.name);
  }
  return [...names];
}
