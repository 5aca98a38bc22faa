/** What can only be judged once whole policies are understood: names that repeat, and what would not do what it says. */
import { suffixKind } from '../resolve/domain-pattern.ts';
import type { Destination, DestinationGroup, Policy, Position } from './policy.ts';
import type { Problem } from './problem.ts';

const place = ({ file, line, column }: Position) => `${file}:${line}:${column}`;

/** Service names, group names and governed principals of one file, each of which may be there once. */
export function repeatedNames(policies: readonly Policy[], groups: readonly DestinationGroup[]): Problem[] {
  const problems: Problem[] = [];
  const services = new Map<string, Position>();
  const principals = new Map<string, { readonly service: string; readonly at: Position }>();
  for (const policy of policies) {
    const first = services.get(policy.service);
    if (first === undefined) services.set(policy.service, policy.at);
    else {
      const message = `service "${policy.service}" is already defined at ${place(first)}`;
      problems.push({ severity: 'error', at: policy.at, message, hint: 'service names are unique on the host', length: 'service'.length });
    }
    problems.push(...repeatedSubjects(policy, principals));
  }
  return [...problems, ...repeatedGroups(groups)];
}

function repeatedSubjects({ service, kind, subjects }: Policy, principals: Map<string, { readonly service: string; readonly at: Position }>): Problem[] {
  const problems: Problem[] = [];
  for (const { id, at } of subjects) {
    const who = typeof id === 'number' ? `${kind === 'user' ? 'uid' : 'gid'} ${id}` : `${kind} "${id}"`;
    const first = principals.get(who);
    if (first === undefined) {
      principals.set(who, { service, at });
      continue;
    }
    const same = first.service === service;
    const message = same ? `${who} is listed twice, first at ${place(first.at)}` : `${who} is already governed by service "${first.service}" at ${place(first.at)}`;
    const hint = same ? 'remove one of the two' : 'a principal has one policy: remove it from one of the two';
    problems.push({ severity: 'error', at, message, hint, length: String(id).length });
  }
  return problems;
}

function repeatedGroups(groups: readonly DestinationGroup[]): Problem[] {
  const problems: Problem[] = [];
  const known = new Map<string, Position>();
  for (const { name, at } of groups) {
    const first = known.get(name);
    if (first === undefined) known.set(name, at);
    else {
      const message = `group "${name}" is already defined at ${place(first)}`;
      problems.push({ severity: 'error', at, message, hint: 'group names are unique on the host', length: name.length });
    }
  }
  return problems;
}

type Wildcard = { readonly text: string; readonly name: string; readonly at: Position };

function wildcardsOf({ egress }: Policy): Wildcard[] {
  const destinations: Destination[] = [...egress.allow, ...egress.deny].flatMap(({ to }) => to);
  return destinations.flatMap((destination) =>
    destination.kind === 'domain' && destination.domain.wildcard
      ? [{ text: `"*.${destination.domain.name}"`, name: destination.domain.name, at: destination.at }]
      : [],
  );
}

/** Which names a wildcard covers is only seen in the queries of the service, so something must see them. */
export function unresolvableWildcards(policy: Policy): Problem[] {
  if (policy.dns === 'filtered') return [];
  const hint = 'write "dns: filtered"';
  return wildcardsOf(policy).map(({ text, at }) => ({
    severity: 'error',
    at,
    message: `${text} cannot be used with "dns: ${policy.dns}": wildcards need "dns: filtered"`,
    hint,
    length: text.length,
  }));
}

/** Allowed, as many APIs live below such a name, but the administrator should know whom else it lets in. */
export function privateSuffixWarnings(policy: Policy): Problem[] {
  return wildcardsOf(policy)
    .filter(({ name }) => suffixKind(name) === 'shared')
    .map(({ text, name, at }) => ({
      severity: 'warning',
      at,
      message: `${text} covers the names of every customer: anybody can have one directly below ${name}`,
      hint: 'list the names that are meant, if they are known',
      length: text.length,
    }));
}

/** Nothing is wrong with it, but it is seldom what was meant. */
export function rootWarnings({ kind, subjects }: Policy): Problem[] {
  return subjects
    .filter(({ id }) => id === 0 || id === 'root')
    .map(({ id, at }) => ({
      severity: 'warning',
      at,
      message: `this governs every socket of ${kind} root, those of system services and of netwalld's own look-ups included`,
      hint: 'give the service a user of its own',
      length: String(id).length,
    }));
}
