/** What /proc/net says of this machine's own sockets, on loopback. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import test from 'ava';
import { formatAddress } from '../../src/net/address.ts';
import { listeningSockets } from '../../src/host/sockets.ts';

/** A page of /proc/net/tcp has 27 lines. */
for (const count of [1, 25, 26, 27, 28, 54, 80]) {
  test.serial(`${count} listeners are all there`, async (t) => {
    const servers: Server[] = [];
    for (let made = 0; made < count; made += 1) {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
    }
    const ports = servers.flatMap((server) => {
      const at = server.address();
      return at === null || typeof at === 'string' ? [] : [at.port];
    });
    t.is(ports.length, count);
    const seen = new Set(listeningSockets('tcp').flatMap(({ address, port }) => (address !== null && formatAddress(address) === '127.0.0.1' ? [port] : [])));
    t.deepEqual(ports.filter((port) => !seen.has(port)), []);
    for (const server of servers) server.close();
  });
}
