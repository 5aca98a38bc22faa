/** Which element of a principal's ruleset a packet meets first. Pure. */
import { type Address, addressInNetwork, formatAddress, parseAddress, parseNetwork } from '../net/address.ts';
import type { Element } from './element.ts';
import { protocolName } from './protocol.ts';

export type Met = { readonly remote: Address; readonly protocol: number; /** The peer's, or the service's own inbound. */ readonly port: number; readonly inbound: boolean };

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`. */
function coversAddress(text: string, address: Address): boolean {
  if (text.includes('/')) {
    const parsed = parseNetwork(text);
    return parsed.ok && addressInNetwork(address, parsed.value);
  }
  const [first, last] = text.split('-').map((end) => parseAddress(end));
  if (first?.ok !== true || first.value.family !== address.family) return false;
  return last?.ok === true ? first.value.value <= address.value && address.value <= last.value.value : formatAddress(first.value) === formatAddress(address);
}

function coversNumber(text: string, number: number): boolean {
  const [first = '', last = first] = text.split('-');
  return Number(first) <= number && number <= Number(last);
}

const coversProtocol = (text: string, protocol: number) => (/^\d/.test(text) ? coversNumber(text, protocol) : text === protocolName(protocol));

/** Null: none of them. Ingress and egress sets are told apart by name; drain sets are the kernel's own. */
export function elementMet(elements: readonly Element[], { remote, protocol, port, inbound }: Met): Element | null {
  const found = elements.filter(({ set, key }) => {
    if (!set.includes(inbound ? '_ingress' : '_egress') || !set.endsWith(`${remote.family}`)) return false;
    const [, address = '', proto = '', ports] = key.split(' . ');
    return coversAddress(address, remote) && coversProtocol(proto, protocol) && (ports === undefined || coversNumber(ports, port));
  });
  // the order of the chain: exact, with ranges, by protocol
  const rank = ({ set }: Element) => (set.includes('_proto') ? 2 : set.includes('_net') ? 1 : 0);
  return found.toSorted((a, b) => rank(a) - rank(b))[0] ?? null;
}
