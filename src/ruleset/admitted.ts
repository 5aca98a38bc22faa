/** Which addresses of a domain a rule admits: what DNS said, less what the guard drops. */
import type { Address, Network } from '../net/address.ts';
import type { DomainPattern } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import { matchesDomain } from '../resolve/domain-pattern.ts';
import { guard } from '../resolve/guard.ts';
import type { Confinement } from './confinement.ts';

const allowed = new WeakMap<Confinement, readonly Network[]>();

/** The CIDRs a policy itself allows; an address inside one is meant, whichever name leads there. One that is granted for a while says nothing of names. */
export function allowedNetworks(confinement: Confinement): readonly Network[] {
  let found = allowed.get(confinement);
  if (found === undefined) allowed.set(confinement, (found = confinement.allow.flatMap(({ target, term }) => (target.kind === 'network' && term === undefined ? [target.network] : []))));
  return found;
}

/** What DNS said for a name, or for every name that a wildcard covers and that was seen. */
export function addressesFor(domain: DomainPattern, { addresses }: Pick<Confinement, 'addresses'>): readonly Address[] {
  if (!domain.wildcard) return addresses.get(domain.name) ?? [];
  const found = new Map<string, Address>();
  for (const [name, list] of addresses) {
    if (!matchesDomain(domain, name)) continue;
    for (const address of list) found.set(`${address.family} ${address.value}`, address);
  }
  return [...found.values()];
}

export type Judged = { readonly admitted: readonly Address[]; readonly guarded: readonly { readonly address: Address; readonly reason: string }[] };

/** Judges the addresses that DNS gave for a domain rule. Empty for rules of networks. */
export function judgeAddresses(rule: Rule, confinement: Confinement, networks: readonly Network[]): Judged {
  if (rule.target.kind === 'network') return { admitted: [], guarded: [] };
  return judge(rule, addressesFor(rule.target.domain, confinement), networks);
}

type Index = { readonly exact: ReadonlyMap<string, readonly Rule[]>; readonly wildcards: readonly (readonly [DomainPattern, Rule])[] };
const indexes = new WeakMap<Confinement, Index>();

/** A policy may list ten thousand names, and all of them are judged at a time. */
function indexOf(confinement: Confinement): Index {
  const before = indexes.get(confinement);
  if (before !== undefined) return before;
  const exact = new Map<string, Rule[]>();
  const wildcards: [DomainPattern, Rule][] = [];
  for (const rule of [...confinement.allow, ...confinement.deny]) {
    if (rule.target.kind !== 'domain') continue;
    const { domain } = rule.target;
    const known = exact.get(domain.name);
    if (domain.wildcard) wildcards.push([domain, rule]);
    else if (known === undefined) exact.set(domain.name, [rule]);
    else known.push(rule);
  }
  const index: Index = { exact, wildcards };
  indexes.set(confinement, index);
  return index;
}

/** The addresses of one name, by every entry that lists it: what any of them admits is admitted. */
export function judgeName(name: string, confinement: Confinement): Judged {
  const addresses = confinement.addresses.get(name) ?? [];
  if (addresses.length === 0) return { admitted: [], guarded: [] };
  const { exact, wildcards } = indexOf(confinement);
  const rules = [...(exact.get(name) ?? []), ...wildcards.flatMap(([pattern, rule]) => (matchesDomain(pattern, name) ? [rule] : []))];
  const judged = rules.map((rule) => judge(rule, addresses, allowedNetworks(confinement)));
  const admitted = new Set(judged.flatMap((one) => one.admitted));
  const guarded = new Map(judged.flatMap((one) => one.guarded).map((one) => [one.address, one]));
  return { admitted: [...admitted], guarded: [...guarded.values()].filter(({ address }) => !admitted.has(address)) };
}

function judge(rule: Rule, addresses: readonly Address[], networks: readonly Network[]): Judged {
  const admitted: Address[] = [];
  const guarded: { address: Address; reason: string }[] = [];
  for (const address of addresses) {
    const judgement = guard(address, { private: rule.private, networks });
    if (judgement.admitted) admitted.push(address);
    else guarded.push({ address, reason: judgement.reason });
  }
  return { admitted, guarded };
}
