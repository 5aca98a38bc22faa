/**
 * Questions over TCP (RFC 7766) or TLS (RFC 7858) to one server: connections are used again, many questions at a time on each, and
 * answers come in any order.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NameServer } from '../config/endpoint.ts';
import { answersQuery, buildQuery, type Question, type SentQuery } from '../dns/query.ts';
import { random16, randomBit } from './randomness.ts';

type Waiting = {
  readonly query: SentQuery;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: { readonly message: Buffer; readonly query: SentQuery }) => void;
  readonly reject: (error: Error) => void;
};

type Connection = {
  readonly socket: Socket;
  readonly waiting: Map<number, Waiting>;
  readonly used: Set<number>;
  received: Buffer;
  /** When anything came last; milliseconds. */
  heard: number;
  /** Gets no further questions. */
  retired: boolean;
  closed: boolean;
};

const MOST_CONNECTIONS = 2;
const MOST_UNDER_WAY = 64;
/** Ids are not used twice on a connection: a late answer must not pass for another's. */
const QUESTIONS_PER_CONNECTION = 16_384;
const IDLE = 5000;

/** A connection that ended under a question, which may not have been the reason. */
class ConnectionLost extends Error {}

export class StreamPool {
  readonly #server: NameServer;
  readonly #connections = new Set<Connection>();

  constructor(server: NameServer) {
    this.#server = server;
  }

  /** Resolves to a message that answers the question. Rejects with what went wrong. `timeout` in milliseconds, all in all. */
  async ask(question: Question, timeout: number): Promise<{ readonly message: Buffer; readonly query: SentQuery }> {
    const deadline = performance.now() + timeout;
    try {
      return await this.#askOnce(question, deadline);
    } catch (error) {
      // servers close idle connections whenever they like
      if (!(error instanceof ConnectionLost) || performance.now() >= deadline) throw error;
      return this.#askOnce(question, deadline);
    }
  }

  #askOnce(question: Question, deadline: number): Promise<{ readonly message: Buffer; readonly query: SentQuery }> {
    return new Promise((resolve, reject) => {
      const connection = this.#choose();
      const asked = performance.now();
      let id = random16();
      while (connection.used.has(id)) id = random16();
      connection.used.add(id);
      const query = buildQuery(question, id, randomBit);
      const timer = setTimeout(() => {
        connection.waiting.delete(id);
        reject(new Error('no answer'));
        // silent since before it was asked: whatever is asked there next would wait in vain as well
        connection.retired ||= connection.heard < asked;
        // one that trickles or stalls is not worth keeping
        if (connection.waiting.size === 0) this.#end(connection, new Error('no answer'));
      }, Math.max(1, deadline - performance.now())).unref();
      connection.waiting.set(id, { query, timer, resolve, reject });
      const size = Buffer.alloc(2);
      size.writeUInt16BE(query.bytes.length);
      connection.socket.write(Buffer.concat([size, query.bytes]));
    });
  }

  #choose(): Connection {
    let least: Connection | null = null;
    let usable = 0;
    for (const connection of this.#connections) {
      if (connection.retired || connection.used.size >= QUESTIONS_PER_CONNECTION) continue;
      usable += 1;
      if (least === null || connection.waiting.size < least.waiting.size) least = connection;
    }
    if (least !== null && (least.waiting.size < MOST_UNDER_WAY || usable >= MOST_CONNECTIONS)) return least;
    return this.#open();
  }

  #connect(): Socket {
    const { address: host, port, serverName, transport } = this.#server;
    if (transport === 'udp') return connectTcp({ host, port, noDelay: true });
    // without a name the certificate must be for the address (RFC 8310 §8.1)
    const socket = connectTls({ host, port, minVersion: 'TLSv1.2', ALPNProtocols: ['dot'], ...(serverName === null ? {} : { servername: serverName }) });
    socket.setNoDelay(true);
    return socket;
  }

  #open(): Connection {
    const connection: Connection = { socket: this.#connect(), waiting: new Map(), used: new Set(), received: Buffer.alloc(0), heard: 0, retired: false, closed: false };
    const { socket } = connection;
    this.#connections.add(connection);
    let failure: Error | null = null;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => this.#end(connection, failure ?? new ConnectionLost('connection closed before the answer')));
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#receive(connection, chunk));
    socket.setTimeout(IDLE, () => {
      if (connection.waiting.size === 0) socket.destroy();
    });
    socket.unref();
    return connection;
  }

  #receive(connection: Connection, chunk: Buffer): void {
    connection.heard = performance.now();
    connection.received = connection.received.length === 0 ? chunk : Buffer.concat([connection.received, chunk]);
    for (;;) {
      const { received } = connection;
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const end = 2 + received.readUInt16BE(0);
      // a copy: what is passed on is changed in place
      const message = Buffer.from(received.subarray(2, end));
      connection.received = received.subarray(end);
      const id = message.length >= 2 ? message.readUInt16BE(0) : -1;
      const waiting = connection.waiting.get(id);
      if (waiting !== undefined && answersQuery(message, waiting.query)) {
        connection.waiting.delete(id);
        clearTimeout(waiting.timer);
        waiting.resolve({ message, query: waiting.query });
      } else if (waiting !== undefined || !connection.used.has(id)) {
        return this.#end(connection, new ConnectionLost('an answer that was not asked for'));
      }
    }
  }

  #end(connection: Connection, error: Error): void {
    if (connection.closed) return;
    connection.closed = true;
    this.#connections.delete(connection);
    connection.socket.destroy();
    for (const { timer, reject } of connection.waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    connection.waiting.clear();
  }

  close(): void {
    for (const connection of this.#connections) this.#end(connection, new Error('closed'));
  }
}
