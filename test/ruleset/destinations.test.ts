import test from 'ava';
import { destinationsOf } from '../../src/ruleset/destinations.ts';
import type { ObservedElement } from '../../src/ruleset/element.ts';

const element = (set: string, key: string, packets: number, comment: string | null = null): ObservedElement => ({ set, key, mode: null, timeout: null, expires: null, comment, counter: { packets, bytes: packets * 100 } });

type Case = readonly [title: string, elements: readonly ObservedElement[], expected: readonly string[]];
const cases: readonly Case[] = [
  [
    'addresses and users of one name are one destination',
    [element('user_egress4', '1001 . 91.200.7.1 . tcp . 443', 2, 'api.partner.net'), element('user_egress4', '1002 . 91.200.7.1 . tcp . 443', 3, 'api.partner.net'), element('user_egress6', '1001 . 2a0e::1 . tcp . 443', 5, 'api.partner.net')],
    ['out api.partner.net tcp 443: 3 10 1000'],
  ],
  [
    'other ports and protocols are others; the busiest first',
    [element('user_egress4', '1001 . 91.200.7.1 . tcp . 80', 1, 'a'), element('user_egress4', '1001 . 91.200.7.1 . udp . 443', 7, 'a')],
    ['out a udp 443: 1 7 700', 'out a tcp 80: 1 1 100'],
  ],
  ['the file is left out of an entry', [element('group_egress_net4', '27 . 10.0.0.0/8 . tcp . 8000-8010', 1, 'web-app.yaml 10.0.0.0/8')], ['out 10.0.0.0/8 tcp 8000-8010: 1 1 100']],
  ['without a word, the address', [element('user_egress4', '1001 . 91.200.7.1 . tcp . 443', 1)], ['out 91.200.7.1 tcp 443: 1 1 100']],
  ['every port; every protocol', [element('user_egress_proto4', '1001 . 10.0.0.0/8 . icmp', 0, 'x.yml 10.0.0.0/8'), element('user_egress_proto4', '1001 . 10.1.0.0/16 . 0-255', 0, 'x.yml any')], ['out 10.0.0.0/8 icmp null: 1 0 0', 'out any any null: 1 0 0']],
  ['inbound: the port is the local one', [element('user_ingress4', '1001 . 0.0.0.0/0 . tcp . 8080', 4, 'x.yaml 0.0.0.0/0')], ['in 0.0.0.0/0 tcp 8080: 1 4 400']],
];
for (const [title, elements, expected] of cases) {
  test(title, (t) => {
    t.deepEqual(destinationsOf(elements).map(({ direction, to, protocol, port, elements, packets, bytes }) => `${direction} ${to} ${protocol} ${port}: ${elements} ${packets} ${bytes}`), expected);
  });
}
