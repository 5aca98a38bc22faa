/** One item of `to`, `from` or a group: an address, a CIDR block, a domain, a wildcard, or `@group`. */
import { formatNetwork, type Network, networkAt, type Parsed, parseNetwork } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';
import { parseDomainPattern } from '../resolve/domain-pattern.ts';
import { NAME_PATTERN } from './patterns.ts';
import type { Destination } from './policy.ts';
import { quoted } from './visible.ts';

type WithoutPlace<T> = T extends unknown ? Omit<T, 'at'> : never;
/** A destination before it is known where it is written. */
export type DestinationValue = WithoutPlace<Destination>;

/** Of services and of groups. */
export const NAME = new RegExp(`^${NAME_PATTERN}$`);

/** Reads an item of `to`. Never throws. */
export function parseDestination(item: string | number): Parsed<DestinationValue> {
  const text = String(item);
  if (text === '') return { ok: false, fault: 'a destination is missing' };
  if (text === '*') return { ok: false, fault: '"*" is not a destination', hint: 'write 0.0.0.0/0 and ::/0 for every address' };
  if (/\S[,;\s]+\S/.test(text)) {
    return { ok: false, fault: `${quoted(text)} is not one destination`, hint: 'write several destinations as a list: [api.example.com, 10.0.0.0/8]' };
  }
  if (text.startsWith('@')) return parseGroupReference(text);
  if (looksLikeAddress(text)) return parseNetworkItem(text);
  const parsed = parseDomainPattern(text);
  return parsed.ok ? { ok: true, value: { kind: 'domain', domain: parsed.value } } : parsed;
}

/** Reads an item of `from`: who connects in is known by address only. */
export function parseSource(item: string | number): Parsed<DestinationValue> {
  const parsed = parseDestination(item);
  if (!parsed.ok || parsed.value.kind !== 'domain') return parsed;
  return { ok: false, fault: `${quoted(String(item))} is a domain, which says nothing of who connects in`, hint: 'list addresses, CIDRs or "@groups"' };
}

/** Reads a member of a group: groups do not nest, and a wildcard stands for no addresses that could be known. */
export function parseMember(item: string | number): Parsed<DestinationValue> {
  const parsed = parseDestination(item);
  if (!parsed.ok || parsed.value.kind === 'network') return parsed;
  const what = quoted(String(item));
  if (parsed.value.kind === 'group') return { ok: false, fault: `${what}: a group cannot hold another group`, hint: 'list its members here, or both groups where they are used' };
  if (parsed.value.domain.wildcard) return { ok: false, fault: `${what}: a group cannot hold a wildcard`, hint: 'write the wildcard into the policies that need it' };
  return parsed;
}

function parseGroupReference(text: string): Parsed<DestinationValue> {
  const name = text.slice(1);
  if (NAME.test(name)) return { ok: true, value: { kind: 'group', name } };
  const lower = name.toLowerCase();
  const hint = NAME.test(lower) ? `did you mean "@${lower}"?` : 'a group is "@" and a name of a-z, 0-9 and "-", at most 32 characters';
  return { ok: false, fault: `${quoted(text)} is not a group`, hint };
}

/** Whether programs take it for an address, rightly or not: then it must be one. */
function looksLikeAddress(text: string): boolean {
  const [head = ''] = text.split('/');
  return (
    /^[0-9a-f.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%.*)?$/i.test(head) || // two colons: IPv6
    /^\[.*\](?::[0-9]+)?$/.test(head) ||
    /^[0-9.\s-]*$/.test(head) || // also what is nearly a range, or has a space too many
    (/^[^:@*]*$/.test(head) && /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/i.test(head))
  );
}

function parseNetworkItem(text: string): Parsed<DestinationValue> {
  const [, address = '', port] = /^\[([0-9a-f:.]+)\]:([0-9]+)$/i.exec(text) ?? [];
  if (port !== undefined) {
    return { ok: false, fault: `${quoted(text)} has a port in it`, hint: `write ${address} here and [${port}] under "ports"` };
  }
  if (/^[0-9.]+\s*-\s*[0-9.]+$/.test(text) && text.includes('.')) {
    return { ok: false, fault: `${quoted(text)} is a range of addresses`, hint: 'write it as CIDR blocks, for example 10.0.0.0/24' };
  }
  const parsed = parseNetwork(text);
  if (parsed.ok) return mappedFault(text, parsed.value) ?? { ok: true, value: { kind: 'network', network: parsed.value } };
  // the longest spelling of an address has 45 characters; there is nothing to explain about what is far longer
  return text.length <= 60 ? parsed : { ok: false, fault: `${quoted(text)} is not an IP address` };
}

/** A socket that connects to an IPv4-mapped address sends IPv4, which an entry for IPv6 would never match. */
function mappedFault(text: string, { family, first, prefix }: Network): Parsed<never> | null {
  const wire = wireAddress({ family, value: first });
  if (wire.family === family || prefix < 96) return null;
  return { ok: false, fault: `${quoted(text)} is IPv4 inside an IPv6 address, and is sent as IPv4`, hint: `did you mean ${formatNetwork(networkAt(wire, prefix - 96))}?` };
}
