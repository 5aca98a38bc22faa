/** Would it pass, by which line, and what to write if it should. Pure: answers from the same `verdict` the kernel is tested against. */
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { parseDestinationText } from './destination-text.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { type Packet, type Verdict, verdict } from '../ruleset/verdict.ts';
import type { ExplainReport } from './api.ts';

export type Question = { readonly who: string; readonly destination: string };

/** Who is asked about: a service's name, a user's or group's name, or a number. */
function packetOwner(who: string, confinements: readonly Confinement[], uidOf: (name: string) => number | null): Pick<Packet, 'uid' | 'gid'> | null {
  const service = confinements.find((confinement) => confinement.service === who);
  if (service !== undefined) {
    const [id = null] = service.ids;
    if (id === null) return null;
    return service.kind === 'user' ? { uid: id, gid: null } : { uid: null, gid: id };
  }
  if (/^\d+$/.test(who)) return { uid: Number(who), gid: null };
  const uid = uidOf(who);
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

/** `addressesOf`: what DNS gave for a name, before the guard; empty when nobody asked for it. */
export function explain(
  { who, destination }: Question,
  confinements: readonly Confinement[],
  addressesOf: (domain: string) => readonly Address[],
  uidOf: (name: string) => number | null,
): Explanation {
  const parsed = parseDestinationText(destination);
  if (!parsed.ok) return { ok: false, error: parsed.error };
  const { host, port, protocol } = parsed.value;
  const owner = packetOwner(who, confinements, uidOf);
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
      verdict: decided.audited ? 'audit' : decided.action === 'accept' ? 'allow' : 'refuse',
      service: decided.confinement?.service ?? null,
      rule: decided.rule === null ? null : { file: decided.rule.at.file, line: decided.rule.at.line, column: decided.rule.at.column },
      address: formatAddress(remote),
      reason: describe(decided, shown),
      suggestion: suggest(decided, host, port, protocol),
    },
  };
}
