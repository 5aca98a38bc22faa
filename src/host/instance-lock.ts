/**
 * One netwalld for each table. The lock is an abstract Unix socket: it belongs to the network namespace, as the table does, and
 * is gone with the process, however that ends (unix(7)).
 */
import { createServer, type Server } from 'node:net';
import { HostError } from './host-error.ts';

/** Throws HostError when another daemon keeps this table. */
export function lockTable(table: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      const message = error.code === 'EADDRINUSE' ? `another netwalld keeps table inet ${table}; only one can` : error.message;
      reject(new HostError('start', message, { cause: error }));
    });
    server.listen(`\0netwalld-${table}`, () => resolve(server));
  });
}
