/** What of an answer one service may see and reach, by its policy. Pure. */
import { type Address, formatAddress, type Network } from '../net/address.ts';
import type { Rule } from '../policy/rule.ts';
import { guard } from '../resolve/guard.ts';
import { type Analysis, MOST_ADDRESSES } from '../dns/answer.ts';
import { withoutHints } from '../dns/hints.ts';
import { WireError } from '../dns/octets.ts';
import { type Edits, template, type Template } from '../dns/render.ts';
import type { WireRecord } from '../dns/wire.ts';
import { allowedNetworks } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';

/** Addresses that some of the name's rules admit. */
export type Opening = { readonly rules: readonly Rule[]; readonly addresses: readonly Address[] };

export type View = {
  readonly template: Template;
  readonly openings: readonly Opening[];
  /** All that DNS said of the name, before the guard. */
  readonly seen: readonly Address[];
  /** What the guard dropped. */
  readonly guarded: readonly { readonly address: Address; readonly reason: string }[];
};

export type ViewInput = {
  readonly analysis: Analysis;
  readonly confinement: Confinement;
  /** The entries that list the name. */
  readonly rules: readonly Rule[];
  /** Mode audit: nothing is taken away. */
  readonly audit: boolean;
};

class Judge {
  readonly #networks: readonly Network[];
  readonly #rules: readonly Rule[];
  /** By how many rules admit them: either all do, or those with `private: true`. */
  readonly #openings = new Map<number, { readonly rules: readonly Rule[]; readonly addresses: Map<string, Address> }>();
  readonly seen: Address[] = [];
  readonly guarded = new Map<string, { readonly address: Address; readonly reason: string }>();

  constructor(confinement: Confinement, rules: readonly Rule[]) {
    this.#networks = allowedNetworks(confinement);
    this.#rules = rules;
  }

  /** Admits an address where one of the rules does, and then for those rules. */
  admits(address: Address): boolean {
    this.seen.push(address);
    const judged = this.#rules.map((rule) => ({ rule, judgement: guard(address, { private: rule.private, networks: this.#networks }) }));
    const admitting = judged.filter(({ judgement }) => judgement.admitted).map(({ rule }) => rule);
    const [refused] = judged.flatMap(({ judgement }) => (judgement.admitted ? [] : [judgement]));
    if (admitting.length === 0) {
      if (refused !== undefined) this.guarded.set(formatAddress(address), { address, reason: refused.reason });
      return false;
    }
    let opening = this.#openings.get(admitting.length);
    if (opening === undefined) this.#openings.set(admitting.length, (opening = { rules: admitting, addresses: new Map() }));
    opening.addresses.set(formatAddress(address), address);
    return true;
  }

  get openings(): Opening[] {
    return [...this.#openings.values()].map(({ rules, addresses }) => ({ rules, addresses: [...addresses.values()] }));
  }
}

/** What one service gets of an answer; null: it cannot be put together without what must go, or has too many addresses. */
export function viewOf({ analysis, confinement, rules, audit }: ViewInput): View | null {
  const { message, addresses, hints, foreign } = analysis;
  if (addresses.length + hints.reduce((sum, hint) => sum + hint.addresses.length, 0) > MOST_ADDRESSES) return null;
  const judge = new Judge(confinement, rules);
  const drop = new Set<WireRecord>(foreign);
  const replace = new Map<WireRecord, Uint8Array>();
  try {
    for (const { record, address } of addresses) if (!judge.admits(address)) drop.add(record);
    for (const hint of hints) {
      const kept = new Set(hint.own ? hint.addresses.filter((address) => judge.admits(address)).map(formatAddress) : []);
      if (hint.addresses.every((address) => kept.has(formatAddress(address)))) continue;
      const data = withoutHints(message, hint.record, (address) => kept.has(formatAddress(address)));
      if (data === null) drop.add(hint.record);
      else replace.set(hint.record, data);
    }
    const edits: Edits = audit ? { drop: new Set(), replace: new Map() } : { drop, replace };
    return { template: template(message, edits), openings: judge.openings, seen: judge.seen, guarded: [...judge.guarded.values()] };
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
