/**
 * Listening sockets of governed users, beside what their ingress allows. TCP needs no help: the answer to a SYN is judged. A UDP socket
 * takes what comes, so the guard is told which datagrams are not to reach it. Pure.
 */
import type { Listener } from '../host/sockets.ts';
import { type Address, type Family, formatAddress, formatInterval, type Interval, sameAddress } from '../net/address.ts';
import { addressIntervals } from '../net/interval.ts';
import type { Inbound } from '../ruleset/guard.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { portsInClass } from '../ruleset/protocol.ts';
import type { Finding } from './drift.ts';

export type Judged = { readonly findings: readonly Finding[]; readonly inbound: Inbound };

export const NO_INBOUND: Inbound = { ports: new Set(), sockets4: new Set(), sockets6: new Set(), admitted4: new Set(), admitted6: new Set() };

/** From where a confinement lets packets come to a port. */
function sources({ inbound, mode }: Confinement, { protocol, port }: Listener, family: Family): readonly Interval[] {
  if (mode === 'block') return [];
  const networks = inbound.flatMap(({ target, ports }) => {
    const covered = ports.some((match) => {
      const interval = portsInClass(match, protocol);
      return interval !== null && interval.first <= port && port <= interval.last;
    });
    return covered && target.kind === 'network' && target.network.family === family ? [{ first: target.network.first, last: target.network.last }] : [];
  });
  return addressIntervals.normalise(networks);
}

const place = (address: Address | null, port: number) => (address === null ? `port ${port} of every address` : address.family === 4 ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`);

/**
 * `ephemeral`: ports that the kernel gives to sockets which asked for none. A UDP client that has no peer looks like a server there,
 * so those are guarded but not reported.
 */
export function judgeListeners(confinements: readonly Confinement[], listeners: readonly Listener[], ephemeral: { readonly first: number; readonly last: number }): Judged {
  const byUid = new Map(confinements.flatMap((confinement) => (confinement.kind === 'user' ? confinement.ids.map((id) => [id, confinement] as const) : [])));
  const findings = new Map<string, Finding>();
  const sets = { ports: new Set<string>(), sockets4: new Set<string>(), sockets6: new Set<string>() };
  const admitted = { 4: new Map<number, readonly Interval[]>(), 6: new Map<number, readonly Interval[]>() };
  // a datagram to a port may be for somebody who is not governed: not to be dropped because a governed user has the same port
  const others = Map.groupBy(listeners.filter(({ protocol, uid }) => protocol === 'udp' && !byUid.has(uid)), ({ port }) => port);
  const isShared = ({ address, port }: Listener) => (others.get(port) ?? []).some((other) => address === null || (other.address !== null && sameAddress(other.address, address)));
  for (const listener of listeners) {
    const { protocol, address, port, uid } = listener;
    const confinement = byUid.get(uid);
    if (confinement === undefined) continue;
    const families: readonly Family[] = address === null ? [4, 6] : [address.family];
    const from = families.map((family) => [family, sources(confinement, listener, family)] as const);
    const isClient = protocol === 'udp' && ephemeral.first <= port && port <= ephemeral.last;
    if (!isClient && from.every(([, intervals]) => intervals.length === 0)) {
      const detail = `uid ${uid} listens on ${protocol} ${place(address, port)}, which its ingress does not allow`;
      findings.set(`${confinement.service} ${detail}`, { service: confinement.service, detail });
    }
    if (protocol !== 'udp' || confinement.mode === 'audit' || isShared(listener)) continue;
    if (address === null) sets.ports.add(`${port}`);
    else sets[`sockets${address.family}`].add(`${formatAddress(address)} . ${port}`);
    for (const [family, intervals] of from) {
      if (intervals.length > 0) admitted[family].set(port, addressIntervals.normalise([...(admitted[family].get(port) ?? []), ...intervals]));
    }
  }
  const keys = (family: Family) => new Set([...admitted[family]].flatMap(([port, intervals]) => intervals.map((interval) => `${port} . ${formatInterval(family, interval)}`)));
  return { findings: [...findings.values()], inbound: { ...sets, admitted4: keys(4), admitted6: keys(6) } };
}
