/** How long ago DNS last said something. */
import test from 'ava';
import { parseAddress } from '../../src/net/address.ts';
import { addressAges, learn, nameState, UNKNOWN } from '../../src/resolve/address-book.ts';

const LIMITS = { minTtl: 5000, maxTtl: 3_600_000, hold: 600_000, maxStale: 86_400_000 };
const addresses = (...texts: string[]) =>
  texts.map((text) => {
    const parsed = parseAddress(text);
    if (!parsed.ok) throw new Error(text);
    return parsed.value;
  });
const first = learn(UNKNOWN, 'A', { kind: 'addresses', addresses: addresses('91.200.7.1', '91.200.7.2'), ttl: 30 }, 0, LIMITS, 0);
const second = learn(first, 'A', { kind: 'addresses', addresses: addresses('91.200.7.2', '91.200.7.3'), ttl: 30 }, 30_000, LIMITS, 0);

test('a name is as old as its latest address', (t) => {
  t.is(nameState(UNKNOWN, 5000).lastSeenSecondsAgo, null);
  t.is(nameState(first, 5000).lastSeenSecondsAgo, 5);
  t.is(nameState(second, 42_000).lastSeenSecondsAgo, 12);
});

test('each address as its last answer', (t) => {
  t.deepEqual(addressAges(second, 42_000), [
    { address: '91.200.7.1', secondsAgo: 42 },
    { address: '91.200.7.2', secondsAgo: 12 },
    { address: '91.200.7.3', secondsAgo: 12 },
  ]);
});

test('a failing look-up makes nothing younger', (t) => {
  const failed = learn(second, 'A', { kind: 'failure', reason: 'timeout' }, 60_000, LIMITS, 0);
  t.is(nameState(failed, 90_000).lastSeenSecondsAgo, 60);
});
