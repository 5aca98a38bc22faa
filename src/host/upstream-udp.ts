/**
 * Questions over UDP to one server. Sockets are connected, so that the kernel drops what comes from elsewhere, and short-lived, so
 * that their ports keep changing; each question takes one at random and an id that is new on it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { NameServer } from '../config/endpoint.ts';
import { answersQuery, buildQuery, type Question, type SentQuery } from '../dns/query.ts';
import { literal } from './literal-lookup.ts';
import { random16, randomBit } from './randomness.ts';

type Waiting = {
  readonly query: SentQuery;
  readonly deadline: number;
  readonly resolve: (message: Received) => void;
  readonly reject: (error: Error) => void;
};

/** `guessed`: somebody tries to answer in the server's place; the question is better repeated over TCP. */
export type Received = { readonly message: Buffer; readonly query: SentQuery } | 'guessed';

type Port = {
  readonly socket: Socket;
  readonly waiting: Map<number, Waiting>;
  /** Ids that are not used again here, as a late answer must not pass for another's. */
  readonly used: Set<number>;
  readonly opened: number;
  connected: boolean;
  guesses: number;
  lastUse: number;
  retired: boolean;
};

const MOST_PORTS = 16;
const QUESTIONS_PER_PORT = 1024;
const PORT_LIFETIME = 10_000;
/** Open a further port for each so many questions under way. */
const QUESTIONS_BEFORE_NEXT = 16;
const MOST_GUESSES = 64;
const TICK = 50;
const RECEIVE_BUFFER = 1024 * 1024;

export class UdpPool {
  readonly #server: NameServer;
  readonly #ports: Port[] = [];
  #underWay = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(server: NameServer) {
    this.#server = server;
  }

  /** Resolves to a message that answers the question, truncated or not. Rejects with what went wrong. `timeout` in milliseconds. */
  ask(question: Question, timeout: number): Promise<Received> {
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const port = this.#choose(now);
      let id = random16();
      while (port.used.has(id)) id = random16();
      const query = buildQuery(question, id, randomBit);
      port.used.add(id);
      port.waiting.set(id, { query, deadline: now + timeout, resolve, reject });
      port.lastUse = now;
      this.#underWay += 1;
      if (this.#underWay === 1) this.#wake(TICK);
      if (port.connected) this.#send(port, query);
    });
  }

  #send(port: Port, query: SentQuery): void {
    port.socket.send(query.bytes, (error) => {
      if (error !== null) this.#settle(port, query.id)?.reject(error);
    });
  }

  #choose(now: number): Port {
    for (const port of this.#ports) if (port.used.size >= QUESTIONS_PER_PORT || now - port.opened > PORT_LIFETIME) this.#retire(port);
    if (this.#ports.length < Math.min(MOST_PORTS, 1 + Math.floor(this.#underWay / QUESTIONS_BEFORE_NEXT))) return this.#open(now);
    return this.#ports[random16() % this.#ports.length] ?? this.#open(now);
  }

  #open(now: number): Port {
    const { address, port: number } = this.#server;
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: literal, recvBufferSize: RECEIVE_BUFFER });
    const port: Port = { socket, waiting: new Map(), used: new Set(), opened: now, connected: false, guesses: 0, lastUse: now, retired: false };
    this.#ports.push(port);
    socket.on('error', (error) => this.#fail(port, error));
    socket.on('message', (message) => this.#receive(port, message));
    // Node hands an unreachable server's error to this callback, not to `error`
    socket.connect(number, address, (unreachable?: Error) => {
      if (unreachable !== undefined) return this.#fail(port, unreachable);
      socket.unref();
      port.connected = true;
      for (const { query } of port.waiting.values()) this.#send(port, query);
      return undefined;
    });
    return port;
  }

  /** Takes no further questions; closes once those under way have ended. */
  #retire(port: Port): void {
    const index = this.#ports.indexOf(port);
    if (index >= 0) this.#ports.splice(index, 1);
    port.retired = true;
    this.#closeIfDone(port);
    if (port.waiting.size > 0) this.#retired.add(port);
  }

  readonly #retired = new Set<Port>();

  #closeIfDone(port: Port): void {
    if (!port.retired || port.waiting.size > 0) return;
    this.#retired.delete(port);
    try {
      port.socket.close();
    } catch {} // closed before
  }

  #settle(port: Port, id: number): Waiting | undefined {
    const waiting = port.waiting.get(id);
    if (waiting === undefined) return undefined;
    port.waiting.delete(id);
    this.#underWay -= 1;
    this.#closeIfDone(port);
    return waiting;
  }

  #fail(port: Port, error: Error): void {
    for (const id of port.waiting.keys()) this.#settle(port, id)?.reject(error);
    this.#retire(port);
  }

  #receive(port: Port, message: Buffer): void {
    const id = message.length >= 2 ? message.readUInt16BE(0) : -1;
    const waiting = port.waiting.get(id);
    if (waiting !== undefined && answersQuery(message, waiting.query)) {
      this.#settle(port, id);
      waiting.resolve({ message, query: waiting.query });
      return;
    }
    // what comes late was asked for, and is no guess
    if (waiting === undefined && port.used.has(id)) return;
    port.guesses += 1;
    if (port.guesses <= MOST_GUESSES) return;
    for (const each of port.waiting.keys()) this.#settle(port, each)?.resolve('guessed');
    this.#retire(port);
  }

  #tick(): void {
    const now = performance.now();
    for (const port of [...this.#ports, ...this.#retired]) {
      // in the order they were asked; all have the same patience
      for (const [id, { deadline, reject }] of port.waiting) {
        if (deadline > now) break;
        this.#settle(port, id);
        reject(new Error('no answer'));
      }
      if (!port.retired && port.waiting.size === 0 && now - port.lastUse > PORT_LIFETIME) this.#retire(port);
    }
    if (this.#underWay > 0) this.#wake(TICK);
    else if (this.#ports.length > 0) this.#wake(PORT_LIFETIME);
  }

  #wake(milliseconds: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), milliseconds).unref();
  }

  close(): void {
    for (const port of [...this.#ports, ...this.#retired]) this.#fail(port, new Error('closed'));
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
