/** Parsed files as lines of text, for expectations that a person can check against the YAML beside them. */
import { formatNetwork } from '../../src/net/address.ts';
import type { ParsedFile } from '../../src/policy/parse.ts';
import type { Destination, DestinationGroup, Policy, PortMatch } from '../../src/policy/policy.ts';

const place = ({ at }: { readonly at: { readonly line: number; readonly column: number } }) => `${at.line}:${at.column}`;

export function describeDestination(destination: Destination): string {
  if (destination.kind === 'network') return formatNetwork(destination.network);
  if (destination.kind === 'group') return `@${destination.name}`;
  return `${destination.domain.wildcard ? '*.' : ''}${destination.domain.name}`;
}

const placed = (destination: Destination) => `${describeDestination(destination)} (${place(destination)})`;
const describePorts = (ports: readonly PortMatch[]) => ports.map(({ protocol, first, last }) => `${protocol} ${first}-${last}`).join(', ');

function describePolicy(policy: Policy): string[] {
  const { service, kind, subjects, mode, dns, egress, ingress } = policy;
  const who = subjects.map((subject) => `${JSON.stringify(subject.id)} (${place(subject)})`).join(', ');
  return [
    `${place(policy)} ${service}: ${kind} ${who}; ${mode}; dns ${dns}`,
    ...egress.allow.map((entry) => `${place(entry)} allow ${entry.to.map(placed).join(', ')}; ${describePorts(entry.ports)}${entry.private ? '; private' : ''}`),
    ...egress.deny.map((entry) => `${place(entry)} deny ${entry.to.map(placed).join(', ')}; ${describePorts(entry.ports)}${entry.private ? '; private' : ''}`),
    ...ingress.allow.map((entry) => `${place(entry)} in from ${entry.from === null ? 'anywhere' : entry.from.map(placed).join(', ')}; ${describePorts(entry.ports)}`),
  ];
}

function describeGroup(group: DestinationGroup): string {
  return `${place(group)} group ${group.name}: ${group.destinations.map(placed).join(', ')}`;
}

export function describeFile({ policies, groups, problems }: ParsedFile): string[] {
  return [
    ...policies.flatMap(describePolicy),
    ...groups.map(describeGroup),
    ...problems.map(({ severity, at, message }) => `${at.line}:${at.column} ${severity}: ${message}`),
  ];
}
