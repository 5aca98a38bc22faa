/**
 * From policy files to the policies in force. A bad file never loosens the wall: its last good version stays in force, and
 * where there is none, whoever it still names readably is shut in. Every other file is applied as usual. Pure.
 */
import { formatNetwork } from '../net/address.ts';
import { type ParsedFile, parsePolicyFile, type Salvage } from './parse.ts';
import type { DestinationGroup, Policy, Position, PrincipalKind, Subject } from './policy.ts';
import type { Problem } from './problem.ts';
import { domainText, type Groups, linkPolicy, type LinkedPolicy } from './rule.ts';

/** A policy file that is in effect: not masked by one of the same name in a higher directory. */
export type PolicyFile = {
  /** Drop-in name, e.g. `webapp.yaml`: what masks go by, and last good versions. */
  readonly name: string;
  readonly path: string;
  /** Of its bytes. */
  readonly hash: string;
  readonly text: string;
  readonly parsed: ParsedFile;
  /** Why the file is refused for reasons outside its text: owner, mode, unreadable. */
  readonly refusals: readonly Problem[];
};

/** A version of a file that was accepted, with the groups that it used from other files. */
export type GoodVersion = {
  readonly name: string;
  readonly path: string;
  readonly hash: string;
  readonly text: string;
  /** A `groups:` document, or empty. */
  readonly groups: string;
};

export type ServiceEntry = {
  readonly service: string;
  readonly at: Position;
  /** good: as written. stale: the last good version, the file is bad now. rejected: bad and never was good; its users are blocked. */
  readonly standing: 'good' | 'stale' | 'rejected';
  /** Null when rejected. */
  readonly linked: LinkedPolicy | null;
  readonly kind: PrincipalKind;
  readonly subjects: readonly Subject[];
  /** Of the file as it is now; empty when good. */
  readonly problems: readonly Problem[];
};

/** A file with problems, for reports: the text is what the problems' positions are about. */
export type BadFile = { readonly path: string; readonly text: string; readonly problems: readonly Problem[] };

export type PolicySet = {
  readonly services: readonly ServiceEntry[];
  readonly badFiles: readonly BadFile[];
  /** By file name; what to keep for the next time. Versions of files that are gone are not in it. */
  readonly good: ReadonlyMap<string, GoodVersion>;
};

/** The id an account or group name stands for now; null: there is none. */
export type IdOf = (kind: PrincipalKind, name: string) => number | null;

const errors = (problems: readonly Problem[]) => problems.filter(({ severity }) => severity === 'error');
const place = ({ file, line, column }: Position) => `${file}:${line}:${column}`;

/** Linking is repeated at every run and its result is what `compile` recognises unchanged policies by. */
type Link = { readonly used: readonly (DestinationGroup | undefined)[]; readonly linked: LinkedPolicy; readonly problems: readonly Problem[] };
const links = new WeakMap<Policy, Link>();

const groupsUsed = new WeakMap<Policy, readonly string[]>();
function groupNames(policy: Policy): readonly string[] {
  let names = groupsUsed.get(policy);
  if (names === undefined) groupsUsed.set(policy, (names = findGroupNames(policy)));
  return names;
}

function findGroupNames({ egress, ingress }: Policy): string[] {
  const destinations = [...egress.allow, ...egress.deny].flatMap(({ to }) => to).concat(ingress.allow.flatMap(({ from }) => from ?? []));
  return destinations.flatMap((destination) => (destination.kind === 'group' ? [destination.name] : []));
}

function link(policy: Policy, groups: Groups): Link {
  const used = groupNames(policy).map((name) => groups.get(name));
  const known = links.get(policy);
  if (known !== undefined && known.problems.length === 0 && known.used.every((group, index) => group === used[index])) return known;
  const fresh = { used, ...linkPolicy(policy, groups) };
  links.set(policy, fresh);
  return fresh;
}

const parsedGood = new WeakMap<GoodVersion, { file: ParsedFile; groups: Groups }>();

function readGood(good: GoodVersion): { file: ParsedFile; groups: Groups } {
  let read = parsedGood.get(good);
  if (read === undefined) {
    const groups = [...parsePolicyFile(good.path, good.groups).groups, ...parsePolicyFile(good.path, good.text).groups];
    read = { file: parsePolicyFile(good.path, good.text), groups: new Map(groups.map((group) => [group.name, group])) };
    parsedGood.set(good, read);
  }
  return read;
}

/** What a version that was accepted says. */
export const policiesOf = (good: GoodVersion): readonly Policy[] => readGood(good).file.policies;

function groupsText(used: readonly (DestinationGroup | undefined)[]): string {
  const known = new Map(used.flatMap((group) => (group === undefined ? [] : [[group.name, group] as const])));
  if (known.size === 0) return '';
  const members = ({ destinations }: DestinationGroup) =>
    destinations.flatMap((member) => {
      if (member.kind === 'group') return [];
      return [JSON.stringify(member.kind === 'network' ? formatNetwork(member.network) : domainText(member.domain))];
    });
  return `groups:\n${[...known.values()].map((group) => `  ${JSON.stringify(group.name)}: [${members(group).join(', ')}]\n`).join('')}`;
}

/** Who has claimed which service name and which principal so far. */
type Claims = { readonly services: Map<string, Position>; readonly principals: Map<string, { service: string; at: Position }> };

function claimKeys(kind: PrincipalKind, { id }: Subject, idOf: IdOf): string[] {
  const number = typeof id === 'number' ? id : idOf(kind, id);
  return [...(typeof id === 'string' ? [`${kind} "${id}"`] : []), ...(number === null ? [] : [`${kind === 'user' ? 'uid' : 'gid'} ${number}`])];
}

/** Conflicts of a file's policies with what is claimed already; claims them when there is none. */
function claim(policies: readonly Policy[], claims: Claims, idOf: IdOf): Problem[] {
  const services: string[] = [];
  const principals: string[] = [];
  const problems: Problem[] = [];
  for (const { service, at, kind, subjects } of policies) {
    const taken = claims.services.get(service);
    if (taken !== undefined) {
      problems.push({ severity: 'error', at, message: `service "${service}" is already defined at ${place(taken)}`, hint: 'service names are unique on the host' });
    } else {
      claims.services.set(service, at);
      services.push(service);
    }
    // two names of one id, or a name and its number, are one principal of one policy
    const own = new Set<string>();
    for (const subject of subjects) {
      for (const key of claimKeys(kind, subject, idOf)) {
        if (own.has(key)) continue;
        const other = claims.principals.get(key);
        if (other !== undefined) {
          problems.push({
            severity: 'error',
            at: subject.at,
            message: `${key} is already governed by service "${other.service}" at ${place(other.at)}`,
            hint: 'a principal has one policy: remove it from one of the two',
          });
          break;
        }
        own.add(key);
        claims.principals.set(key, { service, at: subject.at });
        principals.push(key);
      }
    }
  }
  if (problems.length === 0) return problems;
  // who is refused claims nothing
  for (const service of services) claims.services.delete(service);
  for (const key of principals) claims.principals.delete(key);
  return problems;
}

type Outcome = { readonly services: readonly ServiceEntry[]; readonly problems: readonly Problem[]; readonly good: GoodVersion | null };

function entries(policies: readonly Policy[], groups: Groups, standing: 'good' | 'stale', problems: readonly Problem[]): ServiceEntry[] {
  return policies.map((policy) => ({
    service: policy.service,
    at: policy.at,
    standing,
    linked: link(policy, groups).linked,
    kind: policy.kind,
    subjects: policy.subjects,
    problems,
  }));
}

/** What a file came to the last time, which it does again while its policies link as they did and nobody disputes its claims. */
const standing = new WeakMap<PolicyFile, { readonly linked: readonly Link[]; readonly outcome: Outcome }>();

/** The file as it is now, if it may be in force. */
function tryCurrent(file: PolicyFile, groups: Groups, redefined: readonly Problem[], claims: Claims, idOf: IdOf): Outcome | readonly Problem[] {
  const { policies } = file.parsed;
  const found = [...errors(file.refusals), ...errors(file.parsed.problems), ...redefined];
  if (found.length > 0) return found;
  const linked = policies.map((policy) => link(policy, groups));
  found.push(...linked.flatMap(({ problems }) => errors(problems)));
  if (found.length === 0) found.push(...claim(policies, claims, idOf));
  if (found.length > 0) return found;
  const known = standing.get(file);
  if (known !== undefined && known.linked.every((each, index) => each === linked[index])) return known.outcome;
  const good: GoodVersion = {
    name: file.name,
    path: file.path,
    hash: file.hash,
    text: file.text,
    groups: groupsText(linked.flatMap(({ used }) => used)),
  };
  const outcome = { services: entries(policies, groups, 'good', []), problems: [], good };
  standing.set(file, { linked, outcome });
  return outcome;
}

function fallBack(good: GoodVersion, problems: readonly Problem[], claims: Claims, idOf: IdOf): Outcome | null {
  const { file, groups } = readGood(good);
  if (errors(file.problems).length > 0) return null;
  if (file.policies.some((policy) => errors(link(policy, groups).problems).length > 0)) return null;
  if (claim(file.policies, claims, idOf).length > 0) return null;
  return { services: entries(file.policies, groups, 'stale', problems), problems, good };
}

/** What is left of a file that never was good: blocked, as far as it names anybody whom no other policy governs. */
function reject(file: PolicyFile, problems: readonly Problem[]): Outcome {
  const stem = file.name.replace(/\.ya?ml$/, '');
  const { salvage, policies } = file.parsed;
  // nothing is salvaged from a text without a mistake: what is wrong is its owner, or lies between it and other files
  const readable: readonly Salvage[] = salvage.length > 0 ? salvage : policies;
  const named: readonly Salvage[] = readable.length > 0 ? readable : [{ service: null, kind: 'user', subjects: [], at: { file: file.path, line: 1, column: 1 } }];
  const services = named.map(({ service, kind, subjects, at }) => ({
    service: service ?? stem,
    at,
    standing: 'rejected' as const,
    linked: null,
    kind,
    subjects,
    problems,
  }));
  return { services, problems, good: null };
}

/** Files that are refused for what lies between them and others, so that their groups are not for others either; with the reasons. */
type Withdrawn = ReadonlyMap<PolicyFile, readonly Problem[]>;

/** Groups of every file, of its last good version where the file is bad, and who defines a name again. */
function collectGroups(files: readonly PolicyFile[], previous: ReadonlyMap<string, GoodVersion>, withdrawn: Withdrawn): { groups: Groups; redefined: ReadonlyMap<PolicyFile, Problem[]> } {
  const groups = new Map<string, DestinationGroup>();
  const redefined = new Map<PolicyFile, Problem[]>();
  for (const file of files) {
    const bad = withdrawn.has(file) || errors(file.refusals).length + errors(file.parsed.problems).length > 0;
    const good = previous.get(file.name);
    const defined = bad ? (good === undefined ? [] : readGood(good).file.groups) : file.parsed.groups;
    for (const group of defined) {
      const first = groups.get(group.name);
      if (first === undefined) {
        groups.set(group.name, group);
        continue;
      }
      const problem: Problem = {
        severity: 'error',
        at: group.at,
        message: `group "${group.name}" is already defined at ${place(first.at)}`,
        hint: 'group names are unique on the host',
      };
      redefined.set(file, [...(redefined.get(file) ?? []), problem]);
    }
  }
  return { groups, redefined };
}

/** Who claims first: files that have not changed, those that fall back to what they were, those that were edited, newcomers. */
function rank(file: PolicyFile, previous: ReadonlyMap<string, GoodVersion>): number {
  const good = previous.get(file.name);
  if (good === undefined) return 3;
  if (good.hash === file.hash) return 0;
  return errors(file.refusals).length + errors(file.parsed.problems).length > 0 ? 1 : 2;
}

/** Decides which version of each file is in force. What was in force before keeps its claims: a newcomer never takes a principal from a standing policy. */
export function buildPolicySet(files: readonly PolicyFile[], previous: ReadonlyMap<string, GoodVersion>, idOf: IdOf): PolicySet {
  let withdrawn: Withdrawn = new Map();
  for (;;) {
    const { set, refused } = attempt(files, previous, withdrawn, idOf);
    // who uses groups of a file that turns out to be refused has to do without them: each time round there are fewer
    const more = [...refused].filter(([file]) => file.parsed.groups.length > 0 && !withdrawn.has(file));
    if (more.length === 0) return set;
    withdrawn = new Map([...withdrawn, ...more]);
  }
}

function attempt(files: readonly PolicyFile[], previous: ReadonlyMap<string, GoodVersion>, withdrawn: Withdrawn, idOf: IdOf): { readonly set: PolicySet; readonly refused: ReadonlyMap<PolicyFile, readonly Problem[]> } {
  const ranks = new Map(files.map((file) => [file, rank(file, previous)]));
  const ordered = files.toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0));
  const { groups, redefined } = collectGroups(ordered, previous, withdrawn);
  const claims: Claims = { services: new Map(), principals: new Map() };
  const outcomes = new Map<PolicyFile, Outcome>();
  const refused = new Map<PolicyFile, readonly Problem[]>();
  const rejected = new Map<PolicyFile, readonly Problem[]>();
  for (const file of ordered) {
    const outcome = withdrawn.get(file) ?? tryCurrent(file, groups, redefined.get(file) ?? [], claims, idOf);
    if ('services' in outcome) {
      outcomes.set(file, outcome);
      continue;
    }
    refused.set(file, outcome);
    const good = previous.get(file.name);
    const fallen = good === undefined ? null : fallBack(good, outcome, claims, idOf);
    if (fallen === null) rejected.set(file, outcome);
    else outcomes.set(file, fallen);
  }
  // last, so that whoever has a good policy keeps it
  for (const [file, problems] of rejected) outcomes.set(file, reject(file, problems));
  const kept = files.flatMap((file) => outcomes.get(file) ?? []);
  const set: PolicySet = {
    services: kept.flatMap(({ services }) => services),
    badFiles: files.flatMap((file) => {
      if (file.parsed.problems.length === 0 && (outcomes.get(file)?.problems.length ?? 0) === 0) return [];
      const problems = [...(outcomes.get(file)?.problems ?? []), ...file.parsed.problems.filter(({ severity }) => severity === 'warning')];
      return problems.length === 0 ? [] : [{ path: file.path, text: file.text, problems }];
    }),
    good: new Map(kept.flatMap(({ good }) => (good === null ? [] : [[good.name, good] as const]))),
  };
  return { set, refused };
}
