/** Which live flows pass by the policies of now and would not by others. Pure. */
import { type Address, formatAddress } from '../net/address.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { type Packet, type Verdict, verdict } from '../ruleset/verdict.ts';
import type { PlanFlow } from './api.ts';

/** A socket that has a peer. `gid`: the primary group of its process; null: not known. */
export type LiveFlow = {
  readonly protocol: 'tcp' | 'udp';
  readonly uid: number;
  readonly gid: number | null;
  readonly local: Address;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly process: PlanFlow['process'];
};

export type Ending = { readonly flow: PlanFlow; readonly before: string | null; readonly after: string };

const NUMBERS = { tcp: 6, udp: 17 } as const;

const flowReport = ({ protocol, local, localPort, remote, remotePort, uid, process }: LiveFlow): PlanFlow => ({
  protocol,
  local: { address: formatAddress(local), port: localPort },
  remote: { address: formatAddress(remote), port: remotePort },
  uid,
  process,
});

/** `before` and `after` name the services that decide; null: nobody did. */
export function endingFlows(before: readonly Confinement[], after: readonly Confinement[], flows: readonly LiveFlow[]): readonly Ending[] {
  return flows.flatMap((flow) => {
    const { uid, gid, remote, remotePort, localPort } = flow;
    const judge = (policies: readonly Confinement[], direction: Packet['direction']): Verdict => verdict(policies, { uid, gid, remote, remotePort, localPort, protocol: NUMBERS[flow.protocol], direction, syn: false });
    // who began it is not known here; of TCP past its handshake both directions are looked at anyway
    const directions = (['original', 'reply'] as const).filter((direction) => judge(before, direction).action === 'accept');
    const [first] = directions;
    if (first === undefined || directions.some((direction) => judge(after, direction).action === 'accept')) return [];
    const refusing = judge(after, first).confinement;
    return refusing === null ? [] : [{ flow: flowReport(flow), before: judge(before, first).confinement?.service ?? null, after: refusing.service }];
  });
}
