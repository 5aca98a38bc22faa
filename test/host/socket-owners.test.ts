/** Sockets with a peer, and the processes that hold them: this one's own. */
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import test from 'ava';
import { socketOwners } from '../../src/host/socket-owners.ts';
import { peerSockets } from '../../src/host/sockets.ts';
import { formatAddress } from '../../src/net/address.ts';

test('a connection and a connected datagram socket are found, with their process', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  const stream = connect(bound.port, '127.0.0.1');
  await once(stream, 'connect');
  const datagrams = createSocket('udp4');
  datagrams.connect(bound.port, '127.0.0.1');
  await once(datagrams, 'connect');

  const mine = peerSockets().filter(({ remotePort, remote }) => remotePort === bound.port && formatAddress(remote) === '127.0.0.1');
  t.deepEqual(mine.map(({ protocol, localPort }) => `${protocol} ${localPort}`).toSorted(), [`tcp ${stream.localPort}`, `udp ${datagrams.address().port}`].toSorted());
  const owners = socketOwners(new Set(mine.map(({ inode }) => inode)));
  for (const { inode, uid } of mine) {
    t.like(owners.get(inode), { pid: process.pid, gid: process.getegid?.() ?? -1 });
    t.is(uid, process.geteuid?.() ?? -1);
  }
  t.is(socketOwners(new Set(['0'])).size, 0);
  stream.destroy();
  datagrams.close();
  server.close();
});
