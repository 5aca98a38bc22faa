/** Would it pass, by which line, and what to write if it should. Pure: answers from the same `verdict` the kernel is tested against. */
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { parseDestinationText } from './destination-text.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { type Packet, type Verdict, verdict } from '../ruleset/verdict.ts';
import type { ExplainReport } from './api.ts';

export type Question = { readonly who: string; readonly destination: string };

/** Who is asked about: a service's name, a user's or group's name, or a number. */
function packetOwner(who: string, confinements: readonly Confinement[], uid: number | null): Pick<Packet, 'uid' | 'gid'> | null {
  const service = confinements.find((confinement) => confinement.service === who);
  if (service !== undefined) {
    const [id = null] = service.ids;
    if (id === null) return null;
    return service.kind === 'user' ? { uid: id, gid: null } : { uid: null, gid: id };
  }
  if (/^\d+$/.test(who)) return { uid: Number(who), gid: null };
  return uid === null ? null : { uid, gid: null };
}

const PROTOCOLS = { tcp: 6, udp: 17, icmp: 1 } as const;

function describe({ confinement, rule, audited, action }: Verdict, destination: string): string {
  if (confinement === null) return 'no policy governs this principal: everything passes';
  const { service, mode } = confinement;
  if (mode === 'block') return `service "${service}" is blocked: nothing out, nothing in`;
  if (audited) return `nothing allows ${destination}; mode audit records it and lets it pass`;
  if (rule !== null) return action === 'accept' ? `allowed by ${rule.text}` : `denied by ${rule.text}`;
  return `nothing listed allows ${destination}`;
}

function suggest({ action, confinement, rule, audited }: Verdict, destination: string, port: number | null, protocol: string): string | null {
  if (action === 'accept' && !audited) return null;
  if (confinement === null || confinement.mode === 'block') return confinement === null ? null : 'change the mode of its policy';
  if (rule !== null) return `remove or narrow the deny entry at ${rule.at.file}:${rule.at.line}`;
  const ports = protocol === 'icmp' ? 'icmp' : `${port ?? 'any'}${protocol === 'tcp' && port !== null ? '' : `/${protocol}`}`;
  return `under egress.allow add: { to: "${destination}", ports: [${ports}] }`;
}

function judge(confinements: readonly Confinement[], owner: Pick<Packet, 'uid' | 'gid'>, remote: Address, port: number, protocol: keyof typeof PROTOCOLS): Verdict {
  const number = protocol === 'icmp' && remote.family === 6 ? 58 : PROTOCOLS[protocol];
  return verdict(confinements, { ...owner, remote, protocol: number, remotePort: port, localPort: 0, direction: 'original', syn: true });
}

export type Explanation = { readonly ok: true; readonly report: ExplainReport } | { readonly ok: false; readonly error: string };

/** An address no policy means in particular (RFC 5737): where it passes, everything does. */
const UNKNOWN_ADDRESS: Address = { family: 4, value: 0xc6336401n };

/** For a name that nothing resolves here: what holds wherever it leads. */
function anywhere(confinements: readonly Confinement[], owner: Pick<Packet, 'uid' | 'gid'>, port: number, protocol: keyof typeof PROTOCOLS): Verdict | null {
  const decided = judge(confinements, owner, UNKNOWN_ADDRESS, port, protocol);
  const { confinement, rule, audited } = decided;
  if (confinement === null || confinement.mode === 'block' || audited) return decided;
  return rule?.target.kind === 'network' && rule.target.network.prefix === 0 ? decided : null;
}

/** `addressesOf`: what DNS gave for a name, before the guard; empty when nobody asked for it. `uid`: of `who`, where it is an account. */
export function explain(
  { who, destination }: Question,
  confinements: readonly Confinement[],
  addressesOf: (domain: string) => readonly Address[],
  uid: number | null,
): Explanation {
  const parsed = parseDestinationText(destination);
  if (!parsed.ok) return { ok: false, error: parsed.error };
  const { host, port, protocol } = parsed.value;
  const owner = packetOwner(who, confinements, uid);
  const idle = confinements.find((confinement) => confinement.service === who);
  if (owner === null) {
    return { ok: false, error: idle === undefined ? `"${who}" is no service, user or number` : `service "${who}" governs nobody yet: its user does not exist` };
  }
  const address = parseAddress(host);
  const candidates = address.ok ? [address.value] : addressesOf(host.toLowerCase());
  const base = { port, protocol, service: idle?.service ?? null };
  const verdicts = candidates.map((remote) => ({ remote, decided: judge(confinements, owner, remote, port ?? 0, protocol) }));
  // a name passes where any of its addresses does: that is what a program tries
  const best = verdicts.find(({ decided }) => decided.action === 'accept') ?? verdicts[0];
  const wherever = best === undefined ? anywhere(confinements, owner, port ?? 0, protocol) : null;
  if (wherever !== null) return { ok: true, report: { ...base, ...decision(wherever, host, port, protocol, `${host}${port === null ? '' : ` port ${port}`}/${protocol}`), address: null } };
  if (best === undefined) {
    const listed = (idle?.allow ?? []).some(({ target }) => target.kind === 'domain' && target.domain.name === host.toLowerCase());
    const reason = listed ? `${host} is listed but has no address now` : `${host} is not listed in any policy, so nothing resolves it`;
    const suggestion = listed ? 'netwallctl status shows the error of its look-up' : `under egress.allow add: { to: "${host}", ports: [${port ?? 443}] }`;
    return { ok: true, report: { ...base, verdict: 'refuse', rule: null, address: null, reason, suggestion } };
  }
  const { decided, remote } = best;
  const shown = `${formatAddress(remote)}${port === null ? '' : ` port ${port}`}/${protocol}`;
  return {
    ok: true,
    report: {
      ...base,
      ...decision(decided, host, port, protocol, shown),
      address: formatAddress(remote),
    },
  };
}

function decision(decided: Verdict, host: string, port: number | null, protocol: string, shown: string): Pick<ExplainReport, 'verdict' | 'service' | 'rule' | 'reason' | 'suggestion'> {
  const { confinement, rule, audited, action } = decided;
  const passing = audited ? 'audit' : 'allow';
  return {
    verdict: action === 'accept' ? passing : 'refuse',
    service: confinement?.service ?? null,
    rule: rule === null ? null : { file: rule.at.file, line: rule.at.line, column: rule.at.column },
    reason: describe(decided, shown),
    suggestion: suggest(decided, host, port, protocol),
  };
}
