/** Random policies that are valid, and the YAML that says them. */
import * as fc from 'fast-check';
import { type Family, maxValue, networkAt } from '../../src/net/address.ts';
import type { Destination, DestinationGroup, DnsMode, Mode, Policy, PortMatch, Position, PrincipalKind } from '../../src/policy/policy.ts';
import { suffixKind } from '../../src/resolve/domain-pattern.ts';
import { describeDestination } from './describe.ts';

const nowhere: Position = { file: '', line: 0, column: 0 };
const at = nowhere;

const alphabet = (characters: string, constraints: fc.StringConstraints) => fc.string({ unit: fc.constantFrom(...characters.split('')), ...constraints });
const name = fc
  .tuple(alphabet('abcz019', { minLength: 1, maxLength: 1 }), alphabet('abcz019-', { maxLength: 31 }))
  .map(([first, rest]) => first + rest);

const label = alphabet('abcxyz0189_-', { minLength: 1, maxLength: 63 }).filter((text) => !/^-|-$/.test(text));
const domainName = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 5 }), fc.constantFrom('com', 'example', 'co.uk', 'github.io', 'xn--p1ai'))
  .map(([labels, last]) => [...labels, last].join('.'))
  .filter((text) => text.length <= 253);

const network = fc.constantFrom<Family>(4, 6).chain((family) =>
  fc
    .tuple(fc.bigInt({ min: 0n, max: maxValue(family) }), fc.nat(family === 4 ? 32 : 128))
    .map(([value, prefix]): Destination => ({ kind: 'network', network: networkAt({ family, value }, prefix), at })),
);
const domain = (wildcards: boolean) =>
  fc
    .tuple(domainName, fc.boolean())
    .map(([name, wildcard]): Destination => ({ kind: 'domain', domain: { name, wildcard: wildcard && wildcards && suffixKind(name) !== 'registry' }, at }));
const group = name.map((name): Destination => ({ kind: 'group', name, at }));

export const destinations = (wildcards: boolean) => fc.array(fc.oneof(network, domain(wildcards), group), { minLength: 1, maxLength: 5 });
export const sources = fc.array(fc.oneof(network, group), { minLength: 1, maxLength: 5 });

const port = fc.integer({ min: 1, max: 65535 });
export const ports = fc.array(
  fc.oneof(
    fc
      .tuple(fc.constantFrom('tcp', 'udp'), port, port)
      .map(([protocol, one, other]): PortMatch => ({ protocol, first: Math.min(one, other), last: Math.max(one, other) })),
    fc.constantFrom('tcp', 'udp', 'icmp', 'any').map((protocol): PortMatch => ({ protocol, first: 0, last: 65535 })),
  ),
  { minLength: 1, maxLength: 4 },
);

const account = alphabet('abcdXYZ._@$-019\\', { minLength: 1, maxLength: 32 }).filter((text) => /^[a-zX]/.test(text));
const subjects = fc
  .uniqueArray(fc.oneof(account, fc.integer({ min: 1, max: 4294967294 })), { minLength: 1, maxLength: 4 })
  .map((ids) => ids.map((id) => ({ id, at })));

const modes: readonly Mode[] = ['enforce', 'audit', 'block'];
const resolutions: readonly DnsMode[] = ['filtered', 'system', 'none'];

/** A policy whose positions say nothing. */
export const policy: fc.Arbitrary<Policy> = fc.constantFrom(...resolutions).chain((dns) =>
  fc.record({
    service: name,
    at: fc.constant(at),
    kind: fc.constantFrom<PrincipalKind>('user', 'group'),
    subjects,
    mode: fc.constantFrom(...modes),
    dns: fc.constant(dns),
    egress: fc.record({
      allow: fc.array(fc.record({ to: destinations(dns === 'filtered'), ports, private: fc.boolean(), at: fc.constant(at) }), { maxLength: 3 }),
      deny: fc.array(fc.record({ to: destinations(dns === 'filtered'), ports, private: fc.constant(false), at: fc.constant(at) }), { maxLength: 3 }),
    }),
    ingress: fc.record({ allow: fc.array(fc.record({ from: fc.option(sources), ports, at: fc.constant(at) }), { maxLength: 3 }) }),
  }),
);

export const destinationGroup: fc.Arbitrary<DestinationGroup> = fc.record({
  name,
  destinations: fc.array(fc.oneof(network, domain(false)), { minLength: 1, maxLength: 5 }),
  at: fc.constant(at),
});

const quote = (text: string | number) => (typeof text === 'number' ? String(text) : JSON.stringify(text));
const flow = (items: readonly (string | number)[]) => (items.length === 1 ? items.map(quote).join('') : `[${items.map(quote).join(', ')}]`);

export function portText({ protocol, first, last }: PortMatch): string | number {
  if (protocol === 'any' || protocol === 'icmp') return protocol;
  if (first === 0) return `any/${protocol}`;
  const range = first === last ? String(first) : `${first}-${last}`;
  if (protocol === 'udp') return `${range}/udp`;
  return first === last ? first : range;
}

const listOf = (items: readonly Destination[]) => flow(items.map(describeDestination));
const key = (name: string, items: readonly string[]) => (items.length === 0 ? [] : [`  ${name}:`, ...items]);

/** A document that says that policy, every default written out. */
export function policyYaml({ service, kind, subjects, mode, dns, egress, ingress }: Policy): string {
  const allow = egress.allow.flatMap((entry) => [`    - to: ${listOf(entry.to)}`, `      ports: ${flow(entry.ports.map(portText))}`, `      private: ${entry.private}`]);
  const deny = egress.deny.flatMap(({ to, ports }) => [`    - to: ${listOf(to)}`, `      ports: ${flow(ports.map(portText))}`]);
  const inbound = ingress.allow.flatMap(({ from, ports }) => [`    - ports: ${flow(ports.map(portText))}`, ...(from === null ? [] : [`      from: ${listOf(from)}`])]);
  const lines = [`service: ${quote(service)}`, `match: { ${kind}: ${flow(subjects.map(({ id }) => id))} }`, `mode: ${mode}`, `dns: ${dns}`];
  if (allow.length + deny.length > 0) lines.push('egress:', ...key('allow', allow), ...key('deny', deny));
  if (inbound.length > 0) lines.push('ingress:', ...key('allow', inbound));
  return `${lines.join('\n')}\n`;
}

export function groupsYaml(groups: readonly DestinationGroup[]): string {
  return `groups:\n${groups.map(({ name, destinations }) => `  ${quote(name)}: ${listOf(destinations)}\n`).join('')}`;
}

/** The same without places, to compare with what has none. */
export function placeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(placeless);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === 'at' ? nowhere : placeless(inner)]));
}
