/** What of an answer one service may see and reach, by its policy. Pure. */
import type { Address } from '../net/address.ts';
import { formatAddress } from '../net/address.ts';
import type { Rule } from '../policy/rule.ts';
import { guard } from '../resolve/guard.ts';
import { type Analysis, type HintRecord } from '../dns/answer.ts';
import { withoutHints } from '../dns/hints.ts';
import { type Edits, template, type Template } from '../dns/render.ts';
import { WireError, type WireRecord } from '../dns/wire.ts';
import { allowedNetworks } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';

/** Addresses that one name's rules admit. */
export type Opening = { readonly host: string; readonly rules: readonly Rule[]; readonly addresses: readonly Address[] };

/** More addresses than this in one answer nobody needs, and each costs a look-up and an element of the kernel's. */
const MOST_ADDRESSES = 256;

export type View = {
  readonly template: Template;
  /** By name: the question's, and targets of HTTPS and SVCB records that are listed themselves. */
  readonly openings: readonly Opening[];
  /** All that DNS said, by name, before the guard. */
  readonly seen: ReadonlyMap<string, readonly Address[]>;
  /** What the guard dropped. */
  readonly guarded: readonly { readonly address: Address; readonly reason: string }[];
};

export type ViewInput = {
  readonly host: string;
  readonly analysis: Analysis;
  readonly confinement: Confinement;
  /** The entries that list a name. */
  readonly allowing: (host: string) => readonly Rule[];
  /** Mode audit: nothing is taken away. */
  readonly audit: boolean;
};

class Judge {
  readonly #confinement: Confinement;
  readonly #openings = new Map<string, { readonly rules: readonly Rule[]; readonly addresses: Map<string, Address> }>();
  readonly seen = new Map<string, Address[]>();
  readonly guarded = new Map<string, { readonly address: Address; readonly reason: string }>();

  constructor(confinement: Confinement) {
    this.#confinement = confinement;
  }

  /** Admits an address where one of the rules does, and then for those rules. */
  admits(host: string, rules: readonly Rule[], address: Address): boolean {
    const seen = this.seen.get(host);
    if (seen === undefined) this.seen.set(host, [address]);
    else seen.push(address);
    const networks = allowedNetworks(this.#confinement);
    const judged = rules.map((rule) => ({ rule, judgement: guard(address, { private: rule.private, networks }) }));
    const admitting = judged.filter(({ judgement }) => judgement.admitted).map(({ rule }) => rule);
    const [refused] = judged.flatMap(({ judgement }) => (judgement.admitted ? [] : [judgement]));
    if (admitting.length === 0) {
      if (refused !== undefined) this.guarded.set(formatAddress(address), { address, reason: refused.reason });
      return false;
    }
    // either all rules admit an address or those with `private: true` do: their number tells which
    const key = `${host} ${admitting.length}`;
    let opening = this.#openings.get(key);
    if (opening === undefined) this.#openings.set(key, (opening = { rules: admitting, addresses: new Map() }));
    opening.addresses.set(formatAddress(address), address);
    return true;
  }

  get openings(): Opening[] {
    return [...this.#openings].map(([key, { rules, addresses }]) => ({ host: key.slice(0, key.indexOf(' ')), rules, addresses: [...addresses.values()] }));
  }
}

function hintHost({ own, target }: HintRecord, host: string): string | null {
  return own ? host : target;
}

/** What one service gets of an answer; null: it cannot be put together without what must go, or has too many addresses. */
export function viewOf({ host, analysis, confinement, allowing, audit }: ViewInput): View | null {
  const { message, addresses, hints, foreign } = analysis;
  if (addresses.length + hints.reduce((sum, hint) => sum + hint.addresses.length, 0) > MOST_ADDRESSES) return null;
  const judge = new Judge(confinement);
  const rules = allowing(host);
  const drop = new Set<WireRecord>(foreign);
  const replace = new Map<WireRecord, Uint8Array>();
  try {
    for (const { record, address } of addresses) if (!judge.admits(host, rules, address)) drop.add(record);
    for (const hint of hints) {
      const target = hintHost(hint, host);
      const targetRules = target === null ? [] : allowing(target);
      const admits = (address: Address) => target !== null && judge.admits(target, targetRules, address);
      if (hint.addresses.map(admits).every(Boolean)) continue;
      const data = withoutHints(message, hint.record, admits);
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
