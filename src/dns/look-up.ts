/** What an answer to a look-up of netwalld's own means for the address book. Pure. */
import { type Address, formatAddress } from '../net/address.ts';
import { type Analysis, MOST_ADDRESSES, negativeTtl } from './answer.ts';
import { RCODE, sanitisedTtl, TYPE } from './types.ts';

export type RecordType = 'A' | 'AAAA';

/** TTLs are seconds. */
export type Outcome =
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly ttl: number }
  | { readonly kind: 'nodata' | 'nxdomain'; readonly ttl: number }
  | { readonly kind: 'failure'; readonly reason: string };

export function outcomeOf({ rcode, addresses, message, ttl }: Analysis, type: RecordType): Outcome {
  if (rcode === RCODE.NXDOMAIN) return { kind: 'nxdomain', ttl: negativeTtl(message) };
  const found = new Map<string, Address>();
  let shortest = ttl;
  for (const { record, address } of addresses) {
    if (record.type !== TYPE[type]) continue;
    found.set(formatAddress(address), address);
    shortest = Math.min(shortest, sanitisedTtl(record.ttl));
  }
  if (found.size === 0) return { kind: 'nodata', ttl: negativeTtl(message) };
  if (found.size > MOST_ADDRESSES) return { kind: 'failure', reason: `unusable answer: more than ${MOST_ADDRESSES} addresses` };
  return { kind: 'addresses', addresses: [...found.values()], ttl: shortest };
}
