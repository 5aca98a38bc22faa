import test from 'ava';
import { judgeListeners, NO_INBOUND } from '../../src/daemon/listeners.ts';
import type { Listener } from '../../src/host/sockets.ts';
import { parseAddress } from '../../src/net/address.ts';
import { confinements } from '../ruleset/policies.ts';

const EPHEMERAL = { first: 32_768, last: 60_999 };
const POLICIES = `service: webapp
match: { user: 1001 }
ingress:
  allow:
    - ports: [8080, 5000/udp]
    - from: [10.0.0.0/8, 10.2.0.0/16]
      ports: [5001/udp]
---
service: watched
match: { user: 1002 }
mode: audit
---
service: builders
match: { group: 1003 }
---
service: shut
match: { user: 1004 }
mode: block
`;

const listener = (protocol: 'tcp' | 'udp', address: string | null, port: number, uid = 1001): Listener => {
  const parsed = address === null ? null : parseAddress(address);
  return { protocol, address: parsed?.ok === true ? parsed.value : null, port, uid };
};
const judge = (...listeners: Listener[]) => judgeListeners(confinements(POLICIES), listeners, EPHEMERAL);

const FINDINGS: readonly [what: string, listener: Listener, found: string | null][] = [
  ['allowed', listener('tcp', null, 8080), null],
  ['not allowed', listener('tcp', null, 8081), 'uid 1001 listens on tcp port 8081 of every address, which its ingress does not allow'],
  ['the other protocol', listener('udp', null, 8080), 'uid 1001 listens on udp port 8080 of every address, which its ingress does not allow'],
  ['on one address', listener('tcp', '127.0.0.1', 25), 'uid 1001 listens on tcp 127.0.0.1:25, which its ingress does not allow'],
  ['IPv6', listener('tcp', '::1', 25), 'uid 1001 listens on tcp [::1]:25, which its ingress does not allow'],
  ['allowed from some', listener('udp', null, 5001), null],
  ['allowed from IPv4 and bound to IPv6', listener('udp', '::1', 5001), 'uid 1001 listens on udp [::1]:5001, which its ingress does not allow'],
  ['a UDP client', listener('udp', null, 40_000), null],
  ['a TCP server on such a port', listener('tcp', null, 40_000), 'uid 1001 listens on tcp port 40000 of every address, which its ingress does not allow'],
  ['a watched one', listener('tcp', null, 9, 1002), 'uid 1002 listens on tcp port 9 of every address, which its ingress does not allow'],
  ['of a group', listener('tcp', null, 9, 1003), null],
  ['of a user whom no policy governs', listener('tcp', null, 9, 1999), null],
];
for (const [what, one, found] of FINDINGS) {
  test(`listener: ${what}`, (t) => t.deepEqual(judge(one).findings.map(({ detail }) => detail), found === null ? [] : [found]));
}

test('TCP is judged by its answers: the guard hears of UDP alone', (t) => {
  t.deepEqual(judge(listener('tcp', null, 8081), listener('udp', null, 9, 1002), listener('udp', null, 9, 1003)).inbound, NO_INBOUND);
});

test('what somebody who is not governed can receive as well is not dropped', (t) => {
  const stranger = 1999;
  const heard = (...listeners: Listener[]) => judge(...listeners).inbound;
  t.deepEqual(heard(listener('udp', null, 9), listener('udp', null, 9, stranger)), NO_INBOUND);
  t.deepEqual(heard(listener('udp', null, 9), listener('udp', '127.0.0.1', 9, stranger)), NO_INBOUND);
  t.deepEqual(heard(listener('udp', '127.0.0.1', 9), listener('udp', '127.0.0.1', 9, stranger)), NO_INBOUND);
  // to an address of its own it comes to nobody else
  t.deepEqual([...heard(listener('udp', '127.0.0.1', 9), listener('udp', null, 9, stranger)).sockets4], ['127.0.0.1 . 9']);
  t.deepEqual([...heard(listener('udp', null, 9), listener('udp', null, 10, stranger), listener('tcp', null, 9, stranger)).ports], ['9']);
});

test('what the guard hears', (t) => {
  const { inbound } = judge(listener('udp', null, 5000), listener('udp', '10.0.0.1', 5001), listener('udp', '::1', 53), listener('udp', null, 40_000), listener('udp', null, 5000, 1004));
  t.deepEqual(inbound, {
    ports: new Set(['5000', '40000']),
    sockets4: new Set(['10.0.0.1 . 5001']),
    sockets6: new Set(['::1 . 53']),
    admitted4: new Set(['5000 . 0.0.0.0/0', '5001 . 10.0.0.0/8']),
    admitted6: new Set(['5000 . ::/0']),
  });
});
