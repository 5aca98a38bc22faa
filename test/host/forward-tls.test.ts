/** DNS over TLS: only a server whose certificate is right is believed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import test from 'ava';
import { openForwarder } from '../../src/host/forward.ts';

const directory = mkdtempSync(join(tmpdir(), 'netwall-tls-'));
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
execFileSync('/usr/bin/openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=dns.test', '-addext', 'subjectAltName=DNS:dns.test,IP:127.0.0.1', '-keyout', key, '-out', certificate], { stdio: 'ignore' });

test('a certificate that nobody vouches for is refused, whatever name is expected, and nothing is asked', async (t) => {
  let asked = 0;
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate), ALPNProtocols: ['dot'] }, (socket) => {
    socket.on('error', () => {}).on('data', () => (asked += 1));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  for (const serverName of ['dns.test', 'other.test', null]) {
    const forwarder = openForwarder({ servers: () => [{ transport: 'tls', address: '127.0.0.1', port, serverName }], timeout: 2000, tries: 1, requireAd: false });
    const outcome = await forwarder.ask({ name: 'api.example.net', type: 1, dnssecOk: false });
    t.regex(outcome.kind === 'failure' ? outcome.reason : '', /self-signed certificate|altnames/i, `${serverName}`);
    forwarder.close();
  }
  t.is(asked, 0);
});
