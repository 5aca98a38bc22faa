/** The reverse question: who may reach a name or an address, and by which entry. Pure. */
import { type Address, addressInNetwork, formatAddress, parseAddress, sameAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { portMatchText } from '../policy/ports.ts';
import type { Rule } from '../policy/rule.ts';
import { matchesDomain, parseDomainPattern } from '../resolve/domain-pattern.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { addressesFor, allowedNetworks, judgeAddresses } from '../ruleset/admitted.ts';
import type { WhoEntry, WhoReport } from './api.ts';

/** Whether a rule is about an address, by itself or by what DNS said. The guard keeps addresses from being allowed, and not from being denied. */
function meansAddress(kind: 'allow' | 'deny', rule: Rule, confinement: Confinement, address: Address): boolean {
  if (rule.target.kind === 'network') return addressInNetwork(address, rule.target.network);
  const addresses = kind === 'deny' ? addressesFor(rule.target.domain, confinement) : judgeAddresses(rule, confinement, allowedNetworks(confinement)).admitted;
  return addresses.some((one) => sameAddress(one, address));
}

/** Whether a rule is about a name, itself or by an address of it. */
function meansName(rule: Rule, name: string, addresses: readonly Address[]): boolean {
  const { target } = rule;
  if (target.kind === 'domain') return matchesDomain(target.domain, name);
  return addresses.some((address) => addressInNetwork(address, target.network));
}

export type Who = { readonly ok: true; readonly report: WhoReport } | { readonly ok: false; readonly error: string };

/** `addressesOf`: what DNS gave for a name. Services in mode audit or block have their entries listed as well; `mode` says so. */
export function who(text: string, confinements: readonly Confinement[], addressesOf: (domain: string) => readonly Address[]): Who {
  const parsed = parseAddress(text);
  const address = parsed.ok ? wireAddress(parsed.value) : null;
  const name = address !== null ? null : parseDomainPattern(text.toLowerCase().replace(/\.$/, ''));
  if (name !== null && (!name.ok || name.value.wildcard)) return { ok: false, error: `"${text.slice(0, 100)}" is neither an address nor a name` };
  const host = name?.ok === true ? name.value.name : '';
  const services = confinements.flatMap((confinement): WhoEntry[] => {
    const known = confinement.addresses.get(host) ?? addressesOf(host);
    const means = (kind: 'allow' | 'deny') => (rule: Rule) => (address === null ? meansName(rule, host, known) : meansAddress(kind, rule, confinement, address));
    const entry = (kind: WhoEntry['kind']) => (rule: Rule): WhoEntry => ({
      service: confinement.service,
      mode: confinement.mode,
      kind,
      entry: rule.text,
      ports: rule.ports.map(portMatchText),
      file: rule.at.file,
      line: rule.at.line,
      column: rule.at.column,
    });
    const from = confinement.inbound.filter(({ target }) => address !== null && target.kind === 'network' && addressInNetwork(address, target.network));
    return [
      ...confinement.allow.filter(means('allow')).map(entry('allow')),
      ...confinement.deny.filter(means('deny')).map(entry('deny')),
      ...from.map(entry('ingress')),
    ];
  });
  return { ok: true, report: { destination: address === null ? host : formatAddress(address), services } };
}
