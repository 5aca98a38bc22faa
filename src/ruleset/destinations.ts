/** What went where: the kernel's counters of single elements, put together by the policy entries they come from. Pure. */
import type { ObservedElement } from './element.ts';

export type Destination = {
  readonly direction: 'out' | 'in';
  /** A name, address, network or range, as the entry says it. */
  readonly to: string;
  readonly protocol: string;
  /** Remote if outbound, local if inbound: `443`, `8000-8010`; null: every port, or a protocol without ports. */
  readonly port: string | null;
  /** How many elements of the kernel's sets this is. */
  readonly elements: number;
  readonly packets: number;
  readonly bytes: number;
};

/** Comments are `webapp.yaml 10.0.0.0/8` or, of an address that DNS gave, the name alone. */
const entryOf = (comment: string | null, address: string) => comment?.replace(/^\S+\.ya?ml /, '') ?? address;
const ALL_PROTOCOLS = '0-255';
const ALL_PORTS = '0-65535';

function destinationOf({ set, key, comment, counter }: ObservedElement): Destination {
  const [, address = '', protocol = '', port = ALL_PORTS] = key.split(' . ');
  return {
    direction: set.includes('_egress') ? 'out' : 'in',
    to: entryOf(comment, address),
    protocol: protocol === ALL_PROTOCOLS ? 'any' : protocol,
    port: port === ALL_PORTS ? null : port,
    elements: 1,
    packets: counter?.packets ?? 0,
    bytes: counter?.bytes ?? 0,
  };
}

/** What carried most comes first. */
export function destinationsOf(elements: readonly ObservedElement[]): readonly Destination[] {
  const byEntry = new Map<string, Destination>();
  for (const element of elements) {
    const one = destinationOf(element);
    const key = JSON.stringify([one.direction, one.to, one.protocol, one.port]);
    const sum = byEntry.get(key);
    byEntry.set(key, sum === undefined ? one : { ...sum, elements: sum.elements + 1, packets: sum.packets + one.packets, bytes: sum.bytes + one.bytes });
  }
  return [...byEntry.values()].toSorted((a, b) => b.packets - a.packets || (a.to < b.to ? -1 : a.to > b.to ? 1 : 0));
}
