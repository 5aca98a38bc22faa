/** Which addresses of a domain a rule admits: what DNS said, less what the guard drops. */
import type { Address, Network } from '../net/address.ts';
import type { Rule } from '../policy/rule.ts';
import { guard } from '../resolve/guard.ts';
import type { Confinement } from './confinement.ts';

/** The CIDRs a policy itself allows; an address inside one is meant, whichever name leads there. */
export function allowedNetworks(confinement: Confinement): readonly Network[] {
  return confinement.allow.flatMap(({ target }) => (target.kind === 'network' ? [target.network] : []));
}

export type Judged = { readonly admitted: readonly Address[]; readonly guarded: readonly { readonly address: Address; readonly reason: string }[] };

/** Judges the addresses that DNS gave for a domain rule. Empty for rules of networks. */
export function judgeAddresses(rule: Rule, confinement: Confinement, networks: readonly Network[]): Judged {
  if (rule.target.kind === 'network') return { admitted: [], guarded: [] };
  const admitted: Address[] = [];
  const guarded: { address: Address; reason: string }[] = [];
  for (const address of confinement.addresses.get(rule.target.domain.name) ?? []) {
    const judgement = guard(address, { private: rule.private, networks });
    if (judgement.admitted) admitted.push(address);
    else guarded.push({ address, reason: judgement.reason });
  }
  return { admitted, guarded };
}
