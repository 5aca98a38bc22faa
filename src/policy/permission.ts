/** One permission, as it is asked for on a command line: read, and held against what a policy says already. Pure. */
import { addressInNetwork, formatNetwork, type Network, type Parsed } from '../net/address.ts';
import { portIntervals } from '../net/interval.ts';
import { matchesDomain } from '../resolve/domain-pattern.ts';
import { type DestinationValue, parseDestination, parseSource } from './destination.ts';
import type { DomainPattern, PortMatch } from './policy.ts';
import { parsePorts, portMatchText } from './ports.ts';
import { ANYWHERE, domainText, type Groups, type LinkedPolicy, type Rule, type Target, targetText } from './rule.ts';
import { quoted } from './visible.ts';

export type Permission = {
  readonly direction: 'egress' | 'ingress';
  /** Empty, of ingress: from anywhere. */
  readonly destinations: readonly DestinationValue[];
  readonly ports: readonly PortMatch[];
  readonly private: boolean;
};

export type PermissionOptions = { readonly inbound: boolean; readonly private: boolean };

/** What is meant for a port, even where it is misspelt: no destination is a bare number or word. */
const LIKE_PORT = /^(?:[0-9]+(?:[-:_,][0-9-]*)?(?:\/[a-z0-9]*)?|[a-z]+(?:\/[a-z0-9]*)?|\*)$/i;

export const destinationText = (value: DestinationValue): string => (value.kind === 'group' ? `@${value.name}` : value.kind === 'network' ? formatNetwork(value.network) : domainText(value.domain));

/** Each once, in the order they are given in. */
const once = <T>(values: readonly T[], textOf: (value: T) => string): readonly T[] => [...new Map(values.map((value) => [textOf(value), value])).values()];

/** Reads `DEST[…] PORT[…]`: the first word is a destination, ports are the last. Never throws. */
export function readPermission(words: readonly string[], { inbound, private: isPrivate }: PermissionOptions): Parsed<Permission> {
  const firstPort = words.findIndex((word, index) => index > 0 && LIKE_PORT.test(word));
  if (firstPort < 0) return { ok: false, fault: 'a port is missing', hint: 'write DEST PORT, for example api.example.com 443; "any" is every port and protocol' };
  const destinations: DestinationValue[] = [];
  const anywhere = inbound && words[0] === 'any' && firstPort === 1;
  for (const word of anywhere ? [] : words.slice(0, firstPort)) {
    const parsed = inbound ? parseSource(word) : parseDestination(word);
    if (!parsed.ok) return parsed;
    destinations.push(parsed.value);
  }
  const ports: PortMatch[] = [];
  for (const word of words.slice(firstPort)) {
    const parsed = parsePorts(word);
    if (!parsed.ok) return LIKE_PORT.test(word) ? parsed : { ok: false, fault: `${quoted(word)} follows a port`, hint: 'write the destinations first, then the ports' };
    ports.push(parsed.value);
  }
  if (isPrivate && inbound) return { ok: false, fault: '--private is about names, and inbound there are none' };
  if (isPrivate && destinations.every(({ kind }) => kind === 'network')) return { ok: false, fault: '--private is about what names resolve to; an address that is listed needs none' };
  return { ok: true, value: { direction: inbound ? 'ingress' : 'egress', destinations: once(destinations, destinationText), ports: once(ports, portMatchText), private: isPrivate } };
}

/** `denied`: what is asked for could never pass. `missing`: the part that is not allowed yet, and what denies part of that. */
export type Judgement =
  | { readonly kind: 'allowed'; readonly by: readonly Rule[] }
  | { readonly kind: 'denied'; readonly what: string; readonly by: Rule }
  | { readonly kind: 'missing'; readonly permission: Permission; readonly except: readonly Rule[] };

/** Goes by what the policy says: which addresses a name has plays no part. A group that nobody defines is never allowed. */
export function judgePermission(asked: Permission, policy: LinkedPolicy, groups: Groups): Judgement {
  const wanted = asked.destinations.map((value) => ({ value, targets: targetsOf(value, groups) }));
  const targets = asked.direction === 'ingress' && asked.destinations.length === 0 ? ANYWHERE : wanted.flatMap((one) => one.targets);
  const deny = asked.direction === 'egress' ? policy.deny : [];
  for (const target of targets) {
    for (const port of asked.ports) {
      const by = covering(target, port, deny, false);
      if (by !== null && by[0] !== undefined) return { kind: 'denied', what: `${targetText(target)} at port ${portMatchText(port)}`, by: by[0] };
    }
  }
  const rules = asked.direction === 'egress' ? policy.allow : policy.inbound;
  const used = new Set<Rule>();
  const allowed = (targets: readonly Target[], port: PortMatch): boolean =>
    targets.length > 0 &&
    targets.every((target) => {
      const by = covering(target, port, rules, asked.private);
      for (const rule of by ?? []) used.add(rule);
      return by !== null;
    });
  if (asked.ports.every((port) => (wanted.length === 0 ? allowed(targets, port) : wanted.every((one) => allowed(one.targets, port))))) return { kind: 'allowed', by: [...used] };
  const destinations = wanted.filter((one) => !asked.ports.every((port) => allowed(one.targets, port))).map(({ value }) => value);
  const ports = asked.ports.filter((port) => (wanted.length === 0 ? !allowed(targets, port) : !wanted.every((one) => allowed(one.targets, port))));
  const except = deny.filter((rule) => targets.some((target) => touches(target, rule.target)) && ports.some((port) => rule.ports.some((denied) => portsTouch(port, denied))));
  return { kind: 'missing', permission: { ...asked, destinations, ports }, except };
}

function targetsOf(value: DestinationValue, groups: Groups): readonly Target[] {
  if (value.kind !== 'group') return [value];
  return (groups.get(value.name)?.destinations ?? []).flatMap((member) => (member.kind === 'group' ? [] : [member]));
}

/** The rules that together cover all of it, or null. */
function covering(target: Target, port: PortMatch, rules: readonly Rule[], isPrivate: boolean): readonly Rule[] | null {
  const there = rules.filter((rule) => contains(rule.target, target) && (rule.private || !isPrivate || target.kind === 'network') && rule.ports.some((open) => portsTouch(open, port)));
  const whole = there.find((rule) => portsCover(port, rule.ports));
  if (whole !== undefined) return [whole];
  return portsCover(port, there.flatMap(({ ports }) => ports)) ? there : null;
}

/** Whether the one is all of the other, and perhaps more. */
export function contains(outer: Target, inner: Target): boolean {
  if (outer.kind === 'network') return inner.kind === 'network' && networkContains(outer.network, inner.network);
  return inner.kind === 'domain' && domainContains(outer.domain, inner.domain);
}

const networkContains = (outer: Network, inner: Network) => inner.prefix >= outer.prefix && addressInNetwork({ family: inner.family, value: inner.first }, outer);

function domainContains(outer: DomainPattern, inner: DomainPattern): boolean {
  return inner.wildcard ? outer.wildcard && (outer.name === inner.name || matchesDomain(outer, inner.name)) : matchesDomain(outer, inner.name);
}

const touches = (one: Target, other: Target) => contains(one, other) || contains(other, one);

function portsTouch(one: PortMatch, other: PortMatch): boolean {
  if (one.protocol === 'any' || other.protocol === 'any') return true;
  return one.protocol === other.protocol && one.first <= other.last && other.first <= one.last;
}

function portsCover({ protocol, first, last }: PortMatch, open: readonly PortMatch[]): boolean {
  if (open.some((match) => match.protocol === 'any')) return true;
  const same = portIntervals.union(open.filter((match) => match.protocol === protocol), []);
  return portIntervals.subtract([{ first, last }], same).length === 0;
}
