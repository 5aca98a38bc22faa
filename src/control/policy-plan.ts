/** What other policy files would change, service by service. Pure. */
import { type Address, formatInterval } from '../net/address.ts';
import type { Position } from '../policy/policy.ts';
import type { IdOf, ServiceEntry } from '../policy/policy-set.ts';
import { domainText } from '../policy/rule.ts';
import { resolvePrincipals } from '../resolve/principals.ts';
import { blocked, confine, type Confinement } from '../ruleset/confinement.ts';
import type { Change } from '../ruleset/semantic-change.ts';
import { semanticDiff } from '../ruleset/semantic-diff.ts';
import type { PlanChange, ServicePlan } from './api.ts';

/** What the same policies mean depends on. */
export type Situation = {
  readonly idOf: IdOf;
  readonly nameservers: readonly Address[];
  /** What DNS said, for names that a service lists and for those seen that its wildcards cover. */
  readonly addressesOf: (service: string) => ReadonlyMap<string, readonly Address[]>;
  /** Where the daemon answers the DNS queries of a service; null: it does not, or that is not known. */
  readonly dnsPortOf: (service: string) => number | null;
  /** Services that an operator has shut, whatever their policies say. */
  readonly shut: ReadonlySet<string>;
};

type Entries = readonly ServiceEntry[];

function confinementOf(entry: ServiceEntry, ids: readonly number[], { nameservers, addressesOf, dnsPortOf }: Situation): Confinement {
  const { service, kind, at, linked } = entry;
  return linked === null ? blocked(service, kind, ids, at) : confine(linked, { ids, nameservers, addresses: addressesOf(service), dnsPort: dnsPortOf(service) });
}

/** All that is in force with these services, blocks of operators included. */
export function inForce(entries: Entries, situation: Situation): readonly Confinement[] {
  const principals = resolvePrincipals(entries, situation.idOf);
  return entries.map((entry, index) => {
    const ids = principals[index]?.ids ?? [];
    return situation.shut.has(entry.service) ? blocked(entry.service, entry.kind, ids, entry.at) : confinementOf(entry, ids, situation);
  });
}

const place = ({ file, line, column }: Position) => ({ file, line, column });

function subjectOf({ subject }: Change): Pick<PlanChange, 'kind' | 'to' | 'except' | 'names'> {
  switch (subject.kind) {
    case 'addresses':
      return { kind: 'network', to: formatInterval(subject.family, subject.addresses), except: [], names: subject.names };
    case 'names at':
      return { kind: 'names at', to: formatInterval(subject.family, subject.addresses), except: [], names: [] };
    case 'name':
      return { kind: 'name', to: domainText(subject.domain), except: subject.except.map(domainText), names: [] };
    default:
      return subject satisfies never;
  }
}

const changeReport = (change: Change): PlanChange => ({
  direction: change.direction,
  ...subjectOf(change),
  principals: [],
  ports: change.ports.map(({ protocol, first, last }) => ({ protocol, first, last })),
  reason: change.reason,
  private: change.private,
  rule: place(change.rule.at),
});

/** About all that is not listed, in both directions. */
const anything = (principals: readonly string[], at: Position): PlanChange[] =>
  principals.length === 0
    ? []
    : (['egress', 'ingress'] as const).map((direction) => ({
        direction,
        kind: 'anything',
        to: 'anything',
        except: [],
        names: [],
        principals,
        ports: [{ protocol: 'any', first: 0, last: 65535 }],
        reason: 'listed',
        private: null,
        rule: place(at),
      }));

const subjectTexts = (entry: ServiceEntry | null) => (entry?.subjects ?? []).map(({ id }) => `${entry?.kind} ${id}`).toSorted();
const sameTexts = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((text, index) => text === b[index]);

/** Texts of those subjects that nobody governs on the other side. */
function ungoverned(entry: ServiceEntry | null, others: Entries, idOf: IdOf): readonly string[] {
  const key = (kind: ServiceEntry['kind'], id: string | number) => `${kind} ${typeof id === 'number' ? id : (idOf(kind, id) ?? id)}`;
  const governed = new Set(others.flatMap(({ kind, subjects }) => subjects.map(({ id }) => key(kind, id))));
  return (entry?.subjects ?? []).filter(({ id }) => entry !== null && !governed.has(key(entry.kind, id))).map(({ id }) => `${entry?.kind} ${id}`);
}

type Pair = { readonly before: ServiceEntry | null; readonly after: ServiceEntry | null };

/** Services of one name, or of the very same principals under a new name. */
function pairs(before: Entries, after: Entries): readonly Pair[] {
  const old = new Map(before.map((entry) => [entry.service, entry]));
  const names = new Set(after.map(({ service }) => service));
  const gone = new Map(before.filter(({ service }) => !names.has(service)).map((entry) => [subjectTexts(entry).join(), entry]));
  const kept = after.map((entry): Pair => {
    const renamed = gone.get(subjectTexts(entry).join());
    const was = old.get(entry.service) ?? renamed ?? null;
    if (was !== null && was === renamed) gone.delete(subjectTexts(entry).join());
    return { before: was, after: entry };
  });
  const paired = new Set(kept.map((pair) => pair.before));
  return [...kept, ...before.filter((entry) => !names.has(entry.service) && !paired.has(entry)).map((entry): Pair => ({ before: entry, after: null }))];
}

const differing = <T>(before: T | null, after: T | null) => (before === after ? null : { before, after });

function servicePlan({ before, after }: Pair, all: { readonly before: Entries; readonly after: Entries }, situation: Situation): ServicePlan | null {
  const { service, at } = after ?? before ?? { service: '', at: { file: '', line: 1, column: 1 } };
  const confinements = [before, after].map((entry) => (entry === null ? null : confinementOf({ ...entry, service }, [], situation)));
  const [was = null, is = null] = confinements;
  const { allows, refuses } = semanticDiff(was, is);
  const texts = [subjectTexts(before), subjectTexts(after)] as const;
  const plan: ServicePlan = {
    service,
    change: before === null ? 'added' : after === null ? 'removed' : 'changed',
    formerly: before !== null && after !== null && before.service !== after.service ? before.service : null,
    mode: differing(was?.mode ?? null, is?.mode ?? null),
    dns: differing(was?.dns.mode ?? null, is?.dns.mode ?? null),
    principals: sameTexts(...texts) ? null : { before: texts[0], after: texts[1] },
    allows: [...(after === null ? [] : allows.map(changeReport)), ...anything(ungoverned(before, all.after, situation.idOf), (before ?? after)?.at ?? at)],
    refuses: [...(after === null ? [] : refuses.map(changeReport)), ...(is?.mode === 'audit' ? [] : anything(ungoverned(after, all.before, situation.idOf), at))],
    ends: [],
  };
  const same = plan.change === 'changed' && [plan.formerly, plan.mode, plan.dns, plan.principals].every((value) => value === null) && plan.allows.length + plan.refuses.length === 0;
  return same ? null : plan;
}

/** Services that differ, in the order of `after`, those that go last; none of them ends anything yet. */
export const planServices = (before: Entries, after: Entries, situation: Situation): readonly ServicePlan[] =>
  pairs(before, after).flatMap((pair) => servicePlan(pair, { before, after }, situation) ?? []);
