/**
 * One netwalld for each table. The lock is an abstract Unix socket: it belongs to the network namespace, as the table does, and
 * is gone with the process, however that ends (unix(7)). Anybody may take such a name: who is not root keeps nobody out with it.
 */
import { connect, createServer, type Server } from 'node:net';
import { HostError } from './host-error.ts';
import { peerUid } from './peer.ts';

/** A netwalld listens, and is root; true where that cannot be told. */
function heldByRoot(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path, allowHalfOpen: true }, () => {
      void peerUid(socket).then((uid) => {
        socket.destroy();
        resolve(uid === null || uid === 0);
      });
    });
    socket.on('error', () => resolve(false));
  });
}

/** Null: somebody else has the name. Throws HostError when another daemon keeps this table. */
export function lockTable(table: string): Promise<Server | null> {
  const path = `\0netwalld-${table}`;
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      const refuse = (message: string) => reject(new HostError('start', message, { cause: error }));
      if (error.code !== 'EADDRINUSE') return refuse(error.message);
      void heldByRoot(path).then((held) => (held ? refuse(`another netwalld keeps table inet ${table}; only one can`) : resolve(null)));
    });
    server.listen(path, () => resolve(server));
  });
}
