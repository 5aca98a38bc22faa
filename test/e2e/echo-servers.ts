/**
 * The servers of the made-up internet. The ruleset in internet.ts sends every port of every address here, whichever of the
 * listeners it is: with a single one, two flows from one client port would need the same translated tuple, and one would fail.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** TCP on every address; UDP on the link's own two, so that an answer leaves with the source that the translation expects. */
export type EchoServers = { readonly firstPort: number; readonly lastPort: number; readonly udp: readonly string[] };

const serveEcho = async ({ firstPort, lastPort, udp }: EchoServers): Promise<void> => {
  for (let port = firstPort; port <= lastPort; port += 1) {
    await echoTcp(port);
    for (const address of udp) await echoUdp(address, port);
  }
};

const echoTcp = async (port: number): Promise<void> => {
  const server = createServer((peer) => peer.on('error', () => {}).pipe(peer));
  server.listen({ host: '::', port, backlog: 4096 });
  await once(server, 'listening');
};

const echoUdp = async (address: string, port: number): Promise<void> => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (data, peer) => socket.send(data, peer.port, peer.address, () => {})).on('error', () => {});
  socket.bind(port, address);
  await once(socket, 'listening');
};

export const operations = { serveEcho };
