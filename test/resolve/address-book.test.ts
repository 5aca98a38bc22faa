/** For how long an address counts. */
import test from 'ava';
import { type Address, parseAddress } from '../../src/net/address.ts';
import { type BookEntry, expire, learn, learnAddresses, UNKNOWN } from '../../src/resolve/address-book.ts';

const LIMITS = { minTtl: 5000, maxTtl: 3_600_000, hold: 600_000, maxStale: 86_400_000 };
const MINUTE = 60_000;

const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
};
const [ONE, OTHER] = [address('91.200.7.1'), address('91.200.7.2')];
const said = (entry: BookEntry, what: Address, ttl: number, now: number) => learn(entry, 'A', { kind: 'addresses', addresses: [what], ttl }, now, LIMITS, 0);
const at = (entry: BookEntry, now: number) => [...expire(entry, now, LIMITS).addresses.keys()];

test('an address that an own look-up gave counts for hold, or for its TTL', (t) => {
  t.deepEqual([at(said(UNKNOWN, ONE, 30, 0), 10 * MINUTE - 1), at(said(UNKNOWN, ONE, 30, 0), 10 * MINUTE)], [['91.200.7.1'], []]);
  t.deepEqual([at(said(UNKNOWN, ONE, 1800, 0), 30 * MINUTE - 1), at(said(UNKNOWN, ONE, 1800, 0), 30 * MINUTE)], [['91.200.7.1'], []]);
});

test('one that the service was told counts for its TTL and hold after it, whatever a later look-up says', (t) => {
  const told = learnAddresses(UNKNOWN, [ONE], 3600, 0, LIMITS);
  const later = said(said(told, ONE, 20, MINUTE / 2), OTHER, 20, MINUTE);
  t.deepEqual(at(later, 69 * MINUTE), ['91.200.7.1']);
  t.deepEqual(at(later, 70 * MINUTE), []);
  const again = learnAddresses(told, [ONE], 20, MINUTE, LIMITS);
  t.deepEqual([at(again, 69 * MINUTE), at(again, 70 * MINUTE)], [['91.200.7.1'], []]);
});
