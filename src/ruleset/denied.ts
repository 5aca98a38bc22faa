/** The kernel's own record of what was refused, read back. Pure. */
import { type Address, parseAddress } from '../net/address.ts';
import type { PrincipalKind } from '../policy/policy.ts';
import type { Counter, ObservedElement } from './element.ts';
import { DENIED_SECONDS } from './skeleton.ts';

export type DeniedFlow = {
  /** Unique: set and key in the kernel. */
  readonly key: string;
  readonly kind: PrincipalKind;
  readonly id: number;
  /** The peer. */
  readonly address: Address;
  /** As nft writes it: `tcp`, `udp`, `icmp`, `icmpv6`, or a number. */
  readonly protocol: string;
  /** Of the peer, or the service's own where the peer began; null: the protocol has none. */
  readonly port: number | null;
  readonly direction: 'out' | 'in';
  readonly counter: Counter;
  /** Since the last packet. */
  readonly secondsAgo: number;
};

/** Sets of one side that the packet path fills. */
export const deniedSets = (kind: PrincipalKind): readonly string[] => ['denied', 'denied_proto', 'denied_ingress'].flatMap((set) => [`${kind}_${set}4`, `${kind}_${set}6`]);

/** Null: nothing of that form. */
export function readDenied({ set, key, counter, expires }: ObservedElement): DeniedFlow | null {
  const [id = '', text = '', protocol = '', port] = key.split(' . ');
  const address = parseAddress(text);
  if (!address.ok) return null;
  return {
    key: `${set} ${key}`,
    kind: set.startsWith('group') ? 'group' : 'user',
    id: Number(id),
    address: address.value,
    protocol,
    port: port === undefined ? null : Number(port),
    direction: set.includes('ingress') ? 'in' : 'out',
    counter: counter ?? { packets: 0, bytes: 0 },
    // each packet starts the timeout anew
    secondsAgo: Math.max(0, DENIED_SECONDS - (expires ?? DENIED_SECONDS)),
  };
}
