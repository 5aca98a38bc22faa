/** From inputs to what the kernel should hold. Pure, but for a memory of the last result, by which unchanged services cost nothing. */
import type { Address } from '../net/address.ts';
import type { ServiceEntry } from '../policy/policy-set.ts';
import { type LinkedPolicy, listedNames } from '../policy/rule.ts';
import type { Principals } from '../resolve/principals.ts';
import { compileService, type CompileOptions, type PrincipalRuleset } from '../ruleset/compile.ts';
import { blocked, confine, type Confinement } from '../ruleset/confinement.ts';
import type { Blocks } from './blocks.ts';

export type ServiceState = {
  readonly entry: ServiceEntry;
  readonly principals: Principals;
  /** ISO 8601: an operator shut it; null: nobody did. */
  readonly blockedSince: string | null;
  readonly confinement: Confinement;
  readonly rulesets: readonly PrincipalRuleset[];
};

export type DesiredInputs = {
  readonly services: readonly ServiceEntry[];
  /** One for each service. */
  readonly principals: readonly Principals[];
  readonly nameservers: readonly Address[];
  /** Must return the same array while a domain's addresses are the same. */
  readonly addressesOf: (domain: string) => readonly Address[];
  /** Names that wildcards of a service cover and that were seen; the same map while they are the same. */
  readonly seenBy: (service: string) => ReadonlyMap<string, readonly Address[]>;
  /** Where a service's DNS queries go; null: nowhere. */
  readonly dnsPortOf: (service: string) => number | null;
  /** What an operator shut. */
  readonly blocks: Pick<Blocks, 'since'>;
  readonly options: CompileOptions;
};

type Remembered = { readonly key: readonly unknown[]; readonly state: ServiceState };

const same = (a: readonly unknown[], b: readonly unknown[]) => a.length === b.length && a.every((value, index) => value === b[index]);

const names = new WeakMap<LinkedPolicy, readonly string[]>();
/** Names of a policy, found once. */
export function namesOf(linked: LinkedPolicy): readonly string[] {
  let found = names.get(linked);
  if (found === undefined) names.set(linked, (found = listedNames(linked)));
  return found;
}

const ids = new WeakMap<ServiceEntry, string>();
/** Where it is written: the same whatever it says. */
function placeOf(entry: ServiceEntry): string {
  let place = ids.get(entry);
  if (place === undefined) ids.set(entry, (place = `${entry.at.file} ${entry.service}`));
  return place;
}

export class DesiredState {
  #memory = new Map<string, Remembered>();
  #last: readonly ServiceState[] = [];

  /** Compiles these anew the next time, whether anything changed or not. */
  forget(services: ReadonlySet<string>): void {
    for (const [id, { state }] of this.#memory) if (services.has(state.entry.service)) this.#memory.delete(id);
  }

  /** Services in order. A service that has not changed is the same object as the last time; where none has, so is the array. */
  compute(inputs: DesiredInputs): readonly ServiceState[] {
    const next = new Map<string, Remembered>();
    const states = inputs.services.map((entry, index) => {
      const id = placeOf(entry);
      const remembered = stateOf(entry, inputs.principals[index] ?? NOBODY, inputs, this.#memory.get(id));
      next.set(id, remembered);
      return remembered.state;
    });
    this.#memory = next;
    if (!same(states, this.#last)) this.#last = states;
    return this.#last;
  }
}

const NOBODY: Principals = { ids: [], missing: [] };

function stateOf(entry: ServiceEntry, who: Principals, { nameservers, addressesOf, seenBy, dnsPortOf, blocks, options }: DesiredInputs, before: Remembered | undefined): Remembered {
  const domains = entry.linked === null ? [] : namesOf(entry.linked);
  const lists = domains.map(addressesOf);
  const seen = seenBy(entry.service);
  const dnsPort = dnsPortOf(entry.service);
  const blockedSince = blocks.since({ service: entry.service, kind: entry.kind, ids: who.ids });
  const key = [blockedSince, seen, dnsPort, entry.linked, entry.kind, entry.standing, entry.at.line, nameservers, options.addressTimeout, who.ids.join(), ...lists];
  if (before !== undefined && same(before.key, key)) {
    if (before.state.entry === entry && same(before.state.principals.missing, who.missing)) return before;
    const { confinement, rulesets } = before.state;
    return { key, state: { entry, principals: who, blockedSince, confinement, rulesets } };
  }
  const addresses = new Map([...seen, ...domains.map((domain, at) => [domain, lists[at] ?? []] as const)]);
  const confinement =
    entry.linked === null || blockedSince !== null ? blocked(entry.service, entry.kind, who.ids, entry.at) : confine(entry.linked, { ids: who.ids, nameservers, addresses, dnsPort });
  return { key, state: { entry, principals: who, blockedSince, confinement, rulesets: compileService(confinement, options) } };
}
