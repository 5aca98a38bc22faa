/** Servers on a host's address: what a client in the other namespace connects to, named by number across the pipe. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

type Listener = { readonly peers: Set<Socket>; readonly close: () => void };

const listeners = new Map<number, Listener>();
let last = 0;

const remember = (listener: Listener): number => {
  last += 1;
  listeners.set(last, listener);
  return last;
};

const recall = (id: number): Listener => {
  const listener = listeners.get(id);
  if (listener === undefined) throw new Error(`There is no listener ${id}`);
  return listener;
};

/** Echoes; with `greeting` the server speaks first. `address` is where to listen (`0.0.0.0`, `::1`, …). */
export type Listen = { readonly protocol: 'tcp' | 'udp'; readonly address: string; readonly port: number; readonly greeting?: string };

const listen = async (where: Listen): Promise<number> =>
  remember(where.protocol === 'tcp' ? await listenTcp(where) : await listenUdp(where));

const listenTcp = async ({ address, port, greeting }: Listen): Promise<Listener> => {
  const peers = new Set<Socket>();
  const server = createServer((peer) => {
    peers.add(peer);
    peer.on('error', () => {}).on('close', () => peers.delete(peer));
    if (greeting !== undefined) peer.write(greeting);
    peer.pipe(peer);
  });
  // Without ipv6Only "::" would take the IPv4 port as well.
  server.listen({ host: address, port, ipv6Only: address.includes(':') });
  await once(server, 'listening');
  return { peers, close: () => void server.close(() => {}) };
};

const listenUdp = async ({ address, port }: Listen): Promise<Listener> => {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':') });
  // The refusal of an answer (EPERM) is what some tests provoke.
  socket.on('message', (data, peer) => socket.send(data, peer.port, peer.address, () => {})).on('error', () => {});
  socket.bind(port, address);
  await once(socket, 'listening');
  return { peers: new Set(), close: () => void socket.close() };
};

/** The server sends `data` to everyone connected; returns to how many. */
const push = async ({ listener, data }: { listener: number; data: string }): Promise<number> => {
  const { peers } = recall(listener);
  for (const peer of peers) peer.write(data);
  return peers.size;
};

const closeListener = async ({ listener: id }: { listener: number }): Promise<void> => {
  const listener = recall(id);
  listeners.delete(id);
  for (const peer of listener.peers) peer.destroy();
  listener.close();
};

export const operations = { listen, push, closeListener };
