/**
 * Connections that a change of policy has ended. The wall judges a socket's packets for as long as the socket has an owner. What is left to send when it
 * is closed, say because the peer does not take it, is nobody's: it would leave after all. So such sockets are to be destroyed. Pure.
 */
import type { Flow } from '../host/sockets.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { verdict } from '../ruleset/verdict.ts';
import type { ServiceState } from './desired.ts';

const TCP = 6;

/** On a flow past its handshake, whichever side began it. */
const judge = (confinement: Confinement, { uid, remote, remotePort, localPort }: Flow) =>
  verdict([confinement], { uid, gid: null, remote, remotePort, localPort, protocol: TCP, direction: 'original', syn: false });

export type Change = { readonly before: Confinement; readonly after: Confinement };

/** User policies that were changed by somebody; that an address left DNS ends no flow. */
export function policyChanges(before: readonly ServiceState[], after: readonly ServiceState[]): readonly Change[] {
  const old = new Map(before.map((service) => [service.entry.service, service]));
  return after.flatMap(({ entry, blockedSince, confinement }) => {
    const was = old.get(entry.service);
    const changed = was !== undefined && (was.entry.linked !== entry.linked || was.blockedSince !== blockedSince);
    return changed && entry.kind === 'user' ? [{ before: was.confinement, after: confinement }] : [];
  });
}

/**
 * Flows that the policy before let pass and the one after refuses. What neither knows, such as a flow whose addresses are translated, is left to the kernel.
 * `draining`: whether a flow lives on although its address is no longer known.
 */
export function revokedFlows(changes: readonly Change[], flows: readonly Flow[], draining: (flow: Flow) => boolean): readonly Flow[] {
  const byUid = new Map(changes.flatMap((change) => change.after.ids.map((id) => [id, change] as const)));
  return flows.filter((flow) => {
    const change = byUid.get(flow.uid);
    if (change === undefined || judge(change.after, flow).action === 'accept' || draining(flow)) return false;
    const before = judge(change.before, flow);
    return before.action === 'accept' && !before.audited;
  });
}
