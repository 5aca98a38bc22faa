import test from 'ava';
import { parseEndpoint, parseNameServer } from '../../src/config/endpoint.ts';

const udp = (address: string, port = 53) => ({ transport: 'udp', address, port, serverName: null });
const tls = (address: string, serverName: string | null, port = 853) => ({ transport: 'tls', address, port, serverName });

const servers = [
  ['9.9.9.9', udp('9.9.9.9')],
  ['9.9.9.9:5353', udp('9.9.9.9', 5353)],
  ['2620:fe::fe', udp('2620:fe::fe')],
  ['2620:FE:0::FE', udp('2620:fe::fe')],
  ['[::1]', udp('::1')],
  ['[::1]:5353', udp('::1', 5353)],
  ['udp://[::1]:5353', udp('::1', 5353)],
  ['udp://127.0.0.53', udp('127.0.0.53')],
  ['tls://9.9.9.9#dns.quad9.net', tls('9.9.9.9', 'dns.quad9.net')],
  ['tls://9.9.9.9:8853#dns.quad9.net', tls('9.9.9.9', 'dns.quad9.net', 8853)],
  ['tls://[2620:fe::fe]#dns.quad9.net', tls('2620:fe::fe', 'dns.quad9.net')],
  ['tls://1.1.1.1', tls('1.1.1.1', null)],
] as const;

for (const [text, value] of servers) test(`a name server: ${text}`, (t) => t.deepEqual(parseNameServer(text), { ok: true, value }));

const refusedServers: readonly (readonly [text: string, fault: RegExp, hint: RegExp])[] = [
  ['', /missing/, /write an IP address/],
  ['dns.quad9.net', /"dns\.quad9\.net" is not an IP address/, /names cannot be looked up/],
  ['tls://dns.quad9.net', /"dns\.quad9\.net" is not an IP address/, /names cannot be looked up/],
  ['https://1.1.1.1/dns-query', /"https" is not udp or tls/, /udp:\/\/ADDRESS or tls:\/\/ADDRESS#NAME/],
  ['dot://1.1.1.1', /"dot" is not udp or tls/, /did you mean "tls:\/\/1\.1\.1\.1"\?/],
  ['tcp://1.1.1.1', /"tcp" is not udp or tls/, /did you mean "udp:\/\/1\.1\.1\.1"\?/],
  ['TLS://1.1.1.1', /"TLS" is not udp or tls/, /did you mean "tls:\/\/1\.1\.1\.1"\?/],
  ['udp://::1', /needs brackets/, /write \[::1\]/],
  ['tls://::1#a.example', /needs brackets/, /write \[::1\]/],
  ['[9.9.9.9]', /brackets are for IPv6/, /write 9\.9\.9\.9/],
  ['9.9.9.9#dns.quad9.net', /only tls has a server name/, /did you mean "tls:\/\/9\.9\.9\.9#dns\.quad9\.net"\?/],
  ['udp://9.9.9.9#dns.quad9.net', /only tls has a server name/, /did you mean "tls:/],
  ['tls://9.9.9.9#', /"" is not a server name/, /write a domain after the "#"/],
  ['tls://9.9.9.9#quad9', /"quad9" is not a server name/, /write a domain after the "#"/],
  ['tls://9.9.9.9#9.9.9.9', /"9\.9\.9\.9" is not a server name/, /write a domain after the "#"/],
  ['tls://9.9.9.9#a..b', /"a\.\.b" is not a server name/, /write a domain after the "#"/],
  ['9.9.9.9:0', /"0" is not a port/, /1 to 65535/],
  ['9.9.9.9:65536', /"65536" is not a port/, /1 to 65535/],
  ['9.9.9.9:053', /"053" is not a port/, /1 to 65535/],
  ['9.9.9.9:', /"" is not a port/, /1 to 65535/],
  ['9.9.9.9/32', /is a network/, /write one address/],
  ['009.9.9.9', /leading zero/, /did you mean 9\.9\.9\.9\?/],
  ['fe80::1%eth0', /zone id/, /did you mean fe80::1\?/],
  ['9.9.9.9, 1.1.1.1', /is not an IP address/, /./],
  ['9.9.9.9\n', /is not an IP address/, /./],
  ['x'.repeat(500), /"x{59}…" is not an IP address/, /names cannot be looked up/],
];

for (const [text, fault, hint] of refusedServers) {
  test(`no name server: ${JSON.stringify(text).slice(0, 50)}`, (t) => {
    const parsed = parseNameServer(text);
    if (parsed.ok) return t.fail('it was accepted');
    t.regex(parsed.fault, fault);
    t.regex(parsed.hint ?? '', hint);
  });
}

test('endpoints', (t) => {
  t.deepEqual(parseEndpoint('127.0.0.1:9477'), { ok: true, value: { address: '127.0.0.1', port: 9477 } });
  t.deepEqual(parseEndpoint('[::1]:9477'), { ok: true, value: { address: '::1', port: 9477 } });
  t.deepEqual(parseEndpoint('0.0.0.0:1'), { ok: true, value: { address: '0.0.0.0', port: 1 } });
});

const refusedEndpoints: readonly (readonly [text: string, fault: RegExp, hint: RegExp])[] = [
  ['127.0.0.1', /has no port/, /did you mean 127\.0\.0\.1:9477\?/],
  ['[::1]', /has no port/, /127\.0\.0\.1:9477/],
  ['::1', /needs brackets/, /write \[::1\]/],
  [':9477', /missing/, /write an IP address/],
  ['*:9477', /is not an IP address/, /write an IP address/],
  ['localhost:9477', /is not an IP address/, /write an IP address/],
  ['127.0.0.1:http', /"http" is not a port/, /1 to 65535/],
];

for (const [text, fault, hint] of refusedEndpoints) {
  test(`no endpoint: ${text}`, (t) => {
    const parsed = parseEndpoint(text);
    if (parsed.ok) return t.fail('it was accepted');
    t.regex(parsed.fault, fault);
    t.regex(parsed.hint ?? '', hint);
  });
}
