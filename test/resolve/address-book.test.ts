/** For how long an address counts. */
import test from 'ava';
import { type Address, parseAddress } from '../../src/net/address.ts';
import { type BookEntry, expire, learn, learnAddresses, nameState, UNKNOWN } from '../../src/resolve/address-book.ts';

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

test('of thousands of addresses those seen last stay, and it is said', (t) => {
  const many = (round: number) => Array.from({ length: 256 }, (_, index) => address(`45.${round}.7.${index}`));
  let entry = said(UNKNOWN, ONE, 3600, 0);
  t.is(nameState(entry, 0).error, null);
  for (let round = 0; round < 20; round += 1) entry = round % 2 === 0 ? learnAddresses(entry, many(round), 0, round + 1, LIMITS) : learn(entry, 'A', { kind: 'addresses', addresses: many(round), ttl: 30 }, round + 1, LIMITS, 0);
  t.is(entry.addresses.size, 4096);
  t.is(entry.current.length, 4096);
  t.deepEqual([entry.addresses.has('91.200.7.1'), entry.addresses.has('45.3.7.255'), entry.addresses.has('45.4.7.0'), entry.addresses.has('45.19.7.9')], [false, false, true, true]);
  t.regex(nameState(entry, 30).error ?? '', /^more than 4096 addresses/);
});
