/**
 * A port of its own on the loopback addresses for every service with `dns: filtered`: the kernel redirects its queries there, and
 * so tells whose they are. UDP and TCP, IPv4 and, where the host has it, IPv6.
 */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { HEADER } from '../dns/octets.ts';
import { messageOf } from './host-error.ts';
import { literal } from './literal-lookup.ts';

/** Null: no answer. */
export type Answer = (service: string, query: Uint8Array, datagram: boolean) => Buffer | null | Promise<Buffer | null>;

type Listener = { readonly port: number; readonly close: () => void };

export type ListenersOptions = {
  readonly answer: Answer;
  readonly log: Logger;
  /** Ports of an earlier run, by service: flows and rules that know them go on. */
  readonly remembered: ReadonlyMap<string, number>;
};

const ADDRESSES = [
  { address: '127.0.0.1', datagrams: 'udp4' },
  { address: '::1', datagrams: 'udp6' },
] as const;
const PORT_TRIES = 32;
const MAX_CONNECTIONS = 64;
const IDLE_MILLISECONDS = 10_000;
/** Of answers that a client does not fetch; past it, its further queries wait. */
const MAX_PENDING = 256 * 1024;
/** Of queries of one connection; past it, the further ones wait. */
const MOST_UNANSWERED = 64;
/** Of queries of one connection that are begun before everything else has its turn: most are answered at once, and many may be sent. */
const MOST_AT_ONCE = 8;
const RECEIVE_BUFFER = 1024 * 1024;
/** Of a message over TCP. */
const MOST_OCTETS = 65_535;
const NO_IPV6 = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

function bindDatagrams(type: 'udp4' | 'udp6', address: string, port: number, receive: (socket: Datagrams) => void): Promise<Datagrams> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type, recvBufferSize: RECEIVE_BUFFER, lookup: literal, ...(type === 'udp6' ? { ipv6Only: true } : {}) });
    socket.once('error', reject);
    socket.bind({ port, address, exclusive: true }, () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {}); // of a single datagram: the client is gone
      socket.unref();
      receive(socket);
      resolve(socket);
    });
  });
}

function listenStreams(address: string, port: number, serve: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, serve);
    server.maxConnections = MAX_CONNECTIONS;
    server.once('error', reject);
    server.listen({ port, host: address, ipv6Only: address.includes(':'), exclusive: true }, () => {
      server.removeListener('error', reject);
      server.on('error', () => {}); // of accepting one connection
      server.unref();
      resolve(server);
    });
  });
}

/** Queries over TCP, each after two octets of length (RFC 1035 §4.2.2, RFC 7766); answers go back as they are ready. */
function serveStream(socket: Socket, answer: (query: Uint8Array) => Promise<Buffer | null>): void {
  let received: Buffer = Buffer.alloc(0);
  let unanswered = 0;
  let begun = 0;
  const isBehind = () => begun >= MOST_AT_ONCE || unanswered >= MOST_UNANSWERED || socket.writableLength > MAX_PENDING;
  const reply = (bytes: Buffer | null) => {
    unanswered -= 1;
    if (bytes !== null && socket.writable) {
      const size = Buffer.alloc(2);
      size.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([size, bytes]));
    }
    proceed();
  };
  const proceed = () => {
    while (!socket.destroyed && !isBehind() && received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      if (end < 2 + HEADER) {
        socket.destroy();
        return;
      }
      if (begun === 0) setImmediate(nextTurn);
      begun += 1;
      const query = received.subarray(2, end);
      received = received.subarray(end);
      unanswered += 1;
      void answer(query).then(reply);
    }
    if (isBehind()) socket.pause();
    else socket.resume();
  };
  const nextTurn = () => {
    begun = 0;
    proceed();
  };
  socket.on('error', () => socket.destroy());
  socket.on('drain', proceed);
  socket.setTimeout(IDLE_MILLISECONDS, () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    proceed();
  });
}

export class DnsListeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<string, Listener>();
  readonly #ports: Map<string, number>;

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#ports = new Map(options.remembered);
  }

  /** A mistake in what answers one query costs that query its answer, and nobody else theirs. */
  async #contained(reply: ReturnType<Answer>): Promise<Buffer | null> {
    try {
      const bytes = await reply;
      if (bytes === null || bytes.length <= MOST_OCTETS) return bytes;
      throw new RangeError(`an answer of ${bytes.length} octets`);
    } catch (error) {
      this.#options.log.error({ err: messageOf(error) }, 'a query of DNS has no answer');
      return null;
    }
  }

  async #openAt(service: string, port: number): Promise<Listener> {
    const closers: (() => void)[] = [];
    const { answer } = this.#options;
    const receive = (socket: Datagrams) => {
      socket.on('message', (query, { port: from, address }) => {
        // to port 0 nothing can be sent: it is forged
        if (from === 0) return;
        const reply = answer(service, query, true);
        const send = (bytes: Buffer | null) => {
          if (bytes !== null && closers.length > 0) socket.send(bytes, from, address);
        };
        if (reply instanceof Promise) void this.#contained(reply).then(send);
        else send(reply);
      });
      closers.push(() => socket.close());
    };
    let chosen = port;
    try {
      for (const { address, datagrams } of ADDRESSES) {
        try {
          const socket = await bindDatagrams(datagrams, address, chosen, receive);
          chosen = socket.address().port;
          const connections = new Set<Socket>();
          const server = await listenStreams(address, chosen, (connection) => {
            connections.add(connection);
            connection.on('close', () => connections.delete(connection));
            serveStream(connection, (query) => this.#contained(answer(service, query, false)));
          });
          closers.push(() => {
            server.close();
            for (const connection of connections) connection.destroy();
          });
        } catch (error) {
          if (address === '::1' && NO_IPV6.has(codeOf(error))) continue;
          throw error;
        }
      }
    } catch (error) {
      for (const close of closers.splice(0)) close();
      throw error;
    }
    return { port: chosen, close: () => closers.splice(0).forEach((close) => close()) };
  }

  /** The port of the last time where it is free, or else any. */
  async #open(service: string): Promise<Listener> {
    let last: unknown = null;
    const ports = [this.#ports.get(service) ?? 0, ...Array.from({ length: PORT_TRIES }, () => 0)];
    for (const port of ports) {
      try {
        return await this.#openAt(service, port);
      } catch (error) {
        last = error;
        if (codeOf(error) !== 'EADDRINUSE') break;
      }
    }
    throw last;
  }

  /** Listens for these services and for no others. Those that cannot be listened for are left out and tried again at the next call. */
  async listen(services: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const wanted = new Set(services);
    for (const [service, listener] of this.#listeners) {
      if (wanted.has(service)) continue;
      listener.close();
      this.#listeners.delete(service);
      this.#ports.delete(service);
    }
    await Promise.all([...wanted].filter((service) => !this.#listeners.has(service)).map((service) => this.#add(service)));
    return new Map([...this.#listeners].map(([service, { port }]) => [service, port]));
  }

  async #add(service: string): Promise<void> {
    try {
      const listener = await this.#open(service);
      this.#listeners.set(service, listener);
      this.#ports.set(service, listener.port);
    } catch (error) {
      this.#options.log.error({ service, err: messageOf(error) }, 'no port for its DNS queries: it has no names');
    }
  }

  /** Ports to remember for the next time. */
  get known(): ReadonlyMap<string, number> {
    return this.#ports;
  }

  close(): void {
    for (const { close } of this.#listeners.values()) close();
    this.#listeners.clear();
  }
}
