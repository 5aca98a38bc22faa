/** Would it pass, by which line, and what to write if it should. Pure: answers from the same `verdict` the kernel is tested against. */
import { getDomain } from 'tldts';
import { type Address, addressInNetwork, formatAddress, parseAddress, sameAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { entryHint } from '../policy/entry-text.ts';
import { readPermission } from '../policy/permission.ts';
import { portMatchText } from '../policy/ports.ts';
import type { Rule } from '../policy/rule.ts';
import { matchesDomain } from '../resolve/domain-pattern.ts';
import { nameMatcher } from '../resolve/name-matcher.ts';
import { parseDestinationText } from './destination-text.ts';
import { allowedNetworks, judgeAddresses } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { type Packet, type Verdict, verdict } from '../ruleset/verdict.ts';
import type { ExplainReport } from './api.ts';

export type Question = {
  readonly who: string;
  /** Inbound: who connects, and the service's own port. */
  readonly destination: string;
  readonly inbound: boolean;
  /** No daemon: nobody knows which addresses names have, so a listed name is taken to be what it says. */
  readonly offline: boolean;
};

type Answer = Pick<ExplainReport, 'verdict' | 'service' | 'rule' | 'reason' | 'suggestion'>;

const placeOf = ({ at: { file, line, column } }: Rule): ExplainReport['rule'] => ({ file, line, column });
const removal = ({ at }: Rule) => `remove or narrow the deny entry at ${at.file}:${at.line}`;
const deniedBy = (service: string, rule: Rule, more = ''): Answer => ({ verdict: 'refuse', service, rule: placeOf(rule), reason: `denied by ${rule.text}${more}`, suggestion: removal(rule) });

/** Who is asked about: a service's name, a user's or group's name, or a uid. */
function packetOwner(who: string, confinements: readonly Confinement[], owner: Owner | null): Owner | null {
  const service = confinements.find((confinement) => confinement.service === who);
  if (service !== undefined) {
    const [id = null] = service.ids;
    if (id === null) return null;
    return service.kind === 'user' ? { uid: id, gid: null } : { uid: null, gid: id };
  }
  return owner ?? (/^\d+$/.test(who) ? { uid: Number(who), gid: null } : null);
}

const PROTOCOLS = { tcp: 6, udp: 17, icmp: 1 } as const;

/** Where a listed name leads to an address that the guard keeps out. */
function guardedBy({ confinement, action, inbound, rule }: Verdict, remote: Address | null): { readonly rule: Rule; readonly reason: string } | null {
  if (confinement === null || inbound || rule !== null || remote === null || (action === 'accept' && confinement.mode !== 'audit')) return null;
  const networks = allowedNetworks(confinement);
  for (const listed of confinement.allow) {
    const found = judgeAddresses(listed, confinement, networks).guarded.find(({ address }) => sameAddress(address, remote));
    if (found !== undefined) return { rule: listed, reason: found.reason };
  }
  return null;
}

function describe({ confinement, rule, audited, action, inbound }: Verdict, destination: string): string {
  if (confinement === null) return 'no policy governs this principal: everything passes';
  const { service, mode } = confinement;
  if (mode === 'block') return `service "${service}" is blocked: nothing out, nothing in`;
  if (audited) return `nothing allows ${destination}; mode audit records it and lets it pass`;
  if (rule !== null && inbound) return `allowed ${rule.text}`;
  if (rule !== null) return action === 'accept' ? `allowed by ${rule.text}` : `denied by ${rule.text}`;
  return inbound ? `no ingress entry allows ${destination}` : `nothing listed allows ${destination}`;
}

/** Whether two names belong to one owner, as far as can be told. */
const sameDomain = (a: string, b: string) => getDomain(a) !== null && getDomain(a) === getDomain(b);

/** The entry that comes closest to allowing a destination: the same destination at other ports, or else the same port at a sibling's name. */
function closest({ allow }: Confinement, host: string, remote: Address | null, port: number | null, protocol: string): { readonly rule: Rule; readonly ports: boolean } | null {
  const covers = ({ target }: Rule) =>
    target.kind === 'network' ? remote !== null && addressInNetwork(remote, target.network) : matchesDomain(target.domain, host);
  const there = allow.find(covers);
  if (there !== undefined) return { rule: there, ports: true };
  const open = ({ ports }: Rule) => ports.some((match) => match.protocol === 'any' || (match.protocol === protocol && (port === null || (match.first <= port && port <= match.last))));
  const sibling = allow.find((rule) => rule.target.kind === 'domain' && sameDomain(rule.target.domain.name, host) && open(rule));
  return sibling === undefined ? null : { rule: sibling, ports: false };
}

function closestText({ rule: { at, text, ports }, ports: otherPorts }: { readonly rule: Rule; readonly ports: boolean }): string {
  const open = ports.map(portMatchText).join(', ');
  return `; the closest entry is ${text} at ${at.file}:${at.line}:${at.column}${otherPorts ? `, which allows ports [${open}]` : ''}`;
}

/** Of a packet: its uid and primary gid. */
type Owner = Pick<Packet, 'uid' | 'gid'>;

type Asked = { readonly host: string; readonly remote: Address | null; readonly port: number | null; readonly protocol: 'tcp' | 'udp' | 'icmp' };

function suggest({ action, confinement, rule, audited, inbound }: Verdict, { host, remote, port, protocol }: Asked): string | null {
  if (action === 'accept' && !audited) return null;
  if (confinement === null || confinement.mode === 'block') return confinement === null ? null : `change the mode of its policy; if an operator blocked it: netwallctl unblock ${confinement.service}`;
  if (rule !== null) return removal(rule);
  if (inbound) return entryFor(confinement.service, host, port, protocol, true);
  const near = closest(confinement, host, remote, port, protocol);
  // of all ports at once nobody should be told to open them
  if (port === null && protocol !== 'icmp') return near === null ? `ask with a port: ${host}:443` : `ask with a port${closestText(near)}`;
  return `${entryFor(confinement.service, host, port, protocol)}${near === null ? '' : closestText(near)}`;
}

/** For a name that nothing resolves. */
function unlistedSuggestion(confinement: Confinement | undefined, host: string, port: number | null, protocol: Asked['protocol']): string {
  const near = confinement === undefined ? null : closest(confinement, host, null, port, protocol);
  return `${entryFor(confinement?.service ?? null, host, port ?? (protocol === 'icmp' ? null : 443), protocol)}${near === null ? '' : closestText(near)}`;
}

/** The entry as it is to be written, and the command that writes it. */
function entryFor(service: string | null, host: string, port: number | null, protocol: string, inbound = false): string {
  const ports = protocol === 'icmp' ? 'icmp' : `${port ?? 'any'}${protocol === 'tcp' && port !== null ? '' : `/${protocol}`}`;
  const permission = readPermission([host, ports], { inbound, private: false });
  if (!permission.ok) return `${permission.fault}${permission.hint === undefined ? '' : `: ${permission.hint}`}`;
  const command = service === null ? '' : `, or run: netwallctl allow ${service} ${host} ${ports}${inbound ? ' --inbound' : ''} --write`;
  return `under ${inbound ? 'ingress' : 'egress'}.allow add: ${entryHint(permission.value)}${command}`;
}

/** The first packet of a flow; inbound its answer. */
function packetOf(owner: Pick<Packet, 'uid' | 'gid'>, remote: Address, port: number, protocol: keyof typeof PROTOCOLS, inbound = false): Packet {
  const number = protocol === 'icmp' && remote.family === 6 ? 58 : PROTOCOLS[protocol];
  return { ...owner, remote, protocol: number, remotePort: inbound ? 0 : port, localPort: inbound ? port : 0, direction: inbound ? 'reply' : 'original', syn: true };
}

const judge = (confinements: readonly Confinement[], owner: Pick<Packet, 'uid' | 'gid'>, remote: Address, port: number, protocol: keyof typeof PROTOCOLS): Verdict =>
  verdict(confinements, packetOf(owner, remote, port, protocol));

/** `packet`: the one that was judged; null: no single one decides. `name`: that was asked about. */
export type Explained = { readonly report: Omit<ExplainReport, 'name' | 'counters'>; readonly packet: Packet | null; readonly confinement: Confinement | null; readonly name: string | null };
export type Explanation = ({ readonly ok: true } & Explained) | { readonly ok: false; readonly error: string };

/** An address no policy means in particular (RFC 5737): where it passes, everything does. */
const UNKNOWN_ADDRESS: Address = { family: 4, value: 0xc6336401n };

/**
 * For a name that a wildcard covers and that nobody has asked for yet: its addresses are opened when the service asks. `listed`: for one that is listed by
 * itself as well.
 */
function byName(listed: boolean, confinements: readonly Confinement[], owner: Pick<Packet, 'uid' | 'gid'>, host: string, port: number | null, protocol: keyof typeof PROTOCOLS): Answer | null {
  const { confinement } = judge(confinements, owner, UNKNOWN_ADDRESS, port ?? 0, protocol);
  if (confinement === null || (!listed && confinement.dns.mode !== 'filtered') || confinement.mode === 'block') return null;
  const covers = ({ target }: Rule) => target.kind === 'domain' && matchesDomain(target.domain, host);
  const open = ({ ports }: Rule) => ports.some((match) => match.protocol === 'any' || (match.protocol === protocol && (port === null || (match.first <= port && port <= match.last))));
  const denied = confinement.deny.find((rule) => covers(rule) && open(rule));
  if (denied !== undefined) return deniedBy(confinement.service, denied);
  const rule = confinement.allow.find((candidate) => covers(candidate) && candidate.target.kind === 'domain' && (listed || candidate.target.domain.wildcard) && open(candidate));
  if (rule === undefined) return null;
  return { verdict: 'allow', service: confinement.service, rule: placeOf(rule), reason: `allowed by ${rule.text}, once ${listed ? 'its addresses are known' : 'the service has looked the name up'}`, suggestion: null };
}

/** A name that `dns: filtered` does not look up leads nowhere, whatever its addresses would pass by. Null: it is looked up. */
function notLookedUp({ rule }: Verdict, confinement: Confinement, host: string, { port, protocol }: Pick<Asked, 'port' | 'protocol'>): Answer | null {
  const { service, dns, mode } = confinement;
  if (dns.mode !== 'filtered' || mode !== 'enforce') return null;
  const names = nameMatcher(confinement);
  const denied = names.denying(host);
  if (denied === null && names.allowing(host).length > 0) return null;
  const otherwise = rule === null ? '' : `; its address itself would pass by ${rule.text}`;
  if (denied === null) {
    return { verdict: 'refuse', service, rule: null, reason: `${host} is not listed, and dns: filtered looks up no other names${otherwise}`, suggestion: unlistedSuggestion(confinement, host, port, protocol) };
  }
  return deniedBy(service, denied, `, so the name is not looked up${otherwise}`);
}

/** For a name that nothing resolves here: what holds wherever it leads. */
function anywhere(confinements: readonly Confinement[], owner: Pick<Packet, 'uid' | 'gid'>, port: number, protocol: keyof typeof PROTOCOLS): Verdict | null {
  const decided = judge(confinements, owner, UNKNOWN_ADDRESS, port, protocol);
  const { confinement, rule, audited } = decided;
  if (confinement === null || confinement.mode === 'block' || audited) return decided;
  return rule?.target.kind === 'network' && rule.target.network.prefix === 0 ? decided : null;
}

/** As if one of them had asked for a name that its wildcards cover. */
function knowing(confinements: readonly Confinement[], one: Confinement, name: string, addresses: readonly Address[]): readonly Confinement[] {
  if (addresses.length === 0 || nameMatcher(one).allowing(name).length === 0) return confinements;
  return confinements.map((confinement) => (confinement === one ? { ...one, addresses: new Map(one.addresses).set(name, addresses) } : confinement));
}

/** `addressesOf`: what DNS gave for a name, before the guard; empty when nobody asked for it. `account`: of `who`, where it is one. */
export function explain(
  { who, destination, inbound, offline }: Question,
  confinements: readonly Confinement[],
  addressesOf: (domain: string) => readonly Address[],
  account: Owner | null,
): Explanation {
  const parsed = parseDestinationText(destination);
  if (!parsed.ok) return { ok: false, error: parsed.error };
  const { host: written, port, protocol } = parsed.value;
  const owner = packetOwner(who, confinements, account);
  const idle = confinements.find((confinement) => confinement.service === who);
  if (owner === null) {
    return { ok: false, error: idle === undefined ? `"${who}" is no service, user, group or uid` : `service "${who}" governs nobody yet: its user does not exist` };
  }
  const read = parseAddress(written);
  // an IPv4 address in IPv6's clothes leaves as what it is
  const address = read.ok ? wireAddress(read.value) : null;
  const name = address === null ? written.toLowerCase().replace(/(?<=.)\.$/, '') : null;
  const host = name ?? written;
  const base = { port, protocol, service: idle?.service ?? null, direction: inbound ? ('in' as const) : ('out' as const) };
  if (inbound) {
    if (address === null) return { ok: false, error: `"${host}" is no address: --inbound asks who may connect in, which DNS says nothing of` };
    const packet = packetOf(owner, address, port ?? 0, protocol, true);
    const decided = verdict(confinements, packet);
    const shown = `${formatAddress(address)} to port ${port ?? 'any'}/${protocol}`;
    return { ok: true, packet, confinement: decided.confinement, name: null, report: { ...base, ...decision(decided, { host, remote: address, port, protocol }, shown), address: formatAddress(address) } };
  }
  const governing = judge(confinements, owner, UNKNOWN_ADDRESS, port ?? 0, protocol).confinement;
  const seen = name === null ? undefined : governing?.addresses.get(name);
  const candidates = address !== null || name === null ? [address ?? UNKNOWN_ADDRESS] : (seen ?? addressesOf(name));
  // what others know of a name that a wildcard covers is what this service gets once it asks
  const known = name === null || seen !== undefined || governing === null ? confinements : knowing(confinements, governing, name, candidates);
  const verdicts = candidates.map((remote) => ({ remote, decided: judge(known, owner, remote, port ?? 0, protocol) }));
  // a name passes where any of its addresses does: that is what a program tries
  const best = verdicts.find(({ decided }) => decided.action === 'accept') ?? verdicts[0];
  const wherever = best === undefined ? anywhere(confinements, owner, port ?? 0, protocol) : null;
  const passing = best?.decided ?? wherever;
  const unasked = name === null || passing?.action !== 'accept' || passing.confinement === null ? null : notLookedUp(passing, passing.confinement, name, { port, protocol });
  if (unasked !== null) return { ok: true, packet: null, confinement: null, name, report: { ...base, ...unasked, address: null } };
  if (wherever !== null) return { ok: true, packet: null, confinement: wherever.confinement, name, report: { ...base, ...decision(wherever, { host, remote: null, port, protocol }, `${host}${port === null ? '' : ` port ${port}`}/${protocol}`), address: null } };
  const below = best === undefined ? byName(offline, confinements, owner, host, port, protocol) : null;
  if (below !== null) return { ok: true, packet: null, confinement: null, name, report: { ...base, ...below, address: null } };
  if (best === undefined) {
    const listed = (idle?.allow ?? []).some(({ target }) => target.kind === 'domain' && target.domain.name === name);
    const reason = listed ? `${host} is listed but has no address now` : `${host} is not listed in any policy, so nothing resolves it`;
    const suggestion = listed ? 'netwallctl status shows the error of its look-up' : unlistedSuggestion(idle, host, port, protocol);
    return { ok: true, packet: null, confinement: null, name, report: { ...base, verdict: 'refuse', rule: null, address: null, reason, suggestion } };
  }
  const { decided, remote } = best;
  const shown = `${formatAddress(remote)}${port === null ? '' : ` port ${port}`}/${protocol}`;
  return {
    ok: true,
    packet: packetOf(owner, remote, port ?? 0, protocol),
    confinement: decided.confinement,
    name,
    report: {
      ...base,
      ...decision(decided, { host, remote, port, protocol }, shown),
      address: formatAddress(remote),
    },
  };
}

function decision(decided: Verdict, asked: Asked, shown: string): Answer {
  const { confinement, rule, audited, action } = decided;
  const passing = audited ? 'audit' : 'allow';
  const guarded = guardedBy(decided, asked.remote);
  if (guarded !== null && asked.remote !== null) {
    const { rule: listed, reason } = guarded;
    return {
      verdict: action === 'accept' ? passing : 'refuse',
      service: confinement?.service ?? null,
      rule: null,
      reason: `${listed.text} is listed at ${listed.at.file}:${listed.at.line}, but ${formatAddress(asked.remote)} is ${reason}, and no name may lead there unasked`,
      suggestion: `if that is meant: private: true in that entry, or list ${formatAddress(asked.remote)} itself`,
    };
  }
  return {
    verdict: action === 'accept' ? passing : 'refuse',
    service: confinement?.service ?? null,
    rule: rule === null ? null : placeOf(rule),
    reason: describe(decided, shown),
    suggestion: suggest(decided, asked),
  };
}
