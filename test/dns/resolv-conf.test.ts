import test from 'ava';
import { readResolvConf } from '../../src/dns/resolv-conf.ts';

const OWN = ['127.0.0.1'];
const cases: readonly (readonly [text: string, addresses: readonly string[]])[] = [
  ['nameserver 192.0.2.1\nnameserver\t2001:DB8::1\n', ['192.0.2.1', '2001:db8::1']],
  ['nameserver fe80::1%eth0', ['fe80::1%eth0']],
  ['nameserver FE80:0::1%br-lan.7:1 # the router', ['fe80::1%br-lan.7:1']],
  ['nameserver fe80::1%2\nnameserver fe80::1%3', ['fe80::1%2', 'fe80::1%3']],
  ['nameserver 192.0.2.1%eth0\nnameserver 192.0.2.2', ['192.0.2.2']],
  ['nameserver 192.0.2.1%eth0', OWN],
  ['nameserver %eth0', OWN],
  ['#nameserver 192.0.2.1\nsearch example.com\nnameserver one.example.com', OWN],
  ['', OWN],
];
for (const [text, addresses] of cases) {
  test(`resolv.conf: ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(readResolvConf(text), addresses.map((address) => ({ transport: 'udp', address, port: 53, serverName: null })));
  });
}
