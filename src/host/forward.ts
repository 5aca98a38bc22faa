/** Asks the upstream servers: several tries, the servers that answer first, TCP where UDP is too small, TLS where a server says so. */
import type { NameServer } from '../config/endpoint.ts';
import { isAuthenticated, isTruncated, lowerQuestion, type Question, rcodeOf, type SentQuery } from '../dns/query.ts';
import { serverText } from '../dns/server.ts';
import { RCODE } from '../dns/types.ts';
import { messageOf } from './host-error.ts';
import { StreamPool } from './upstream-stream.ts';
import { UdpPool } from './upstream-udp.ts';

export type ForwardOutcome =
  /** A whole message that answers the question, NOERROR or NXDOMAIN; its question is in lower case. */
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  /** `bytes`: the last answer with another code, to be passed on. */
  | { readonly kind: 'failure'; readonly reason: string; readonly bytes: Buffer | null };

export type Forwarder = {
  /** Never rejects. */
  readonly ask: (question: Question) => Promise<ForwardOutcome>;
  close(): void;
};

export type ForwarderOptions = {
  /** In the order of preference; asked for with each try, as it may change. The same array as long as it does not. */
  readonly servers: () => readonly NameServer[];
  /** Milliseconds for each try. */
  readonly timeout: number;
  readonly tries: number;
  /** Only answers that a validating server vouches for. */
  readonly requireAd: boolean;
};

/** A server that failed is asked last for this long. */
const DEMOTED_MILLISECONDS = 30_000;
/** For so long a server in whose place somebody tried to answer is asked over TCP alone: which ports are open every local user can read. */
const GUESSED_MILLISECONDS = 60_000;
const MOST_UNDER_WAY = 8192;
const CODES: Readonly<Record<number, string>> = { [RCODE.FORMERR]: 'FORMERR', [RCODE.SERVFAIL]: 'SERVFAIL', [RCODE.NOTIMP]: 'NOTIMP', [RCODE.REFUSED]: 'REFUSED' };

class Server {
  readonly #udp: UdpPool;
  readonly #stream: StreamPool;
  readonly #encrypted: boolean;
  readonly text: string;
  demotedUntil = 0;
  /** When an answer came last. */
  heard = Number.NEGATIVE_INFINITY;
  #guessedUntil = 0;

  constructor(server: NameServer) {
    this.#udp = new UdpPool(server);
    this.#stream = new StreamPool(server);
    this.#encrypted = server.transport === 'tls';
    this.text = serverText(server);
  }

  async ask(question: Question, timeout: number): Promise<{ readonly message: Buffer; readonly query: SentQuery }> {
    if (!this.#encrypted && performance.now() >= this.#guessedUntil) {
      const received = await this.#udp.ask(question, timeout);
      if (received === 'guessed') this.#guessedUntil = performance.now() + GUESSED_MILLISECONDS;
      else {
        this.heard = performance.now();
        if (!isTruncated(received.message)) return received;
      }
    }
    const received = await this.#stream.ask(question, timeout);
    this.heard = performance.now();
    if (isTruncated(received.message)) throw new Error('truncated answer over a stream');
    return received;
  }

  close(): void {
    this.#udp.close();
    this.#stream.close();
  }
}

export function openForwarder({ servers: listServers, timeout, tries, requireAd }: ForwarderOptions): Forwarder {
  const known = new Map<string, Server>();
  let last: readonly NameServer[] = [];
  let order: readonly Server[] = [];
  let underWay = 0;
  let isClosed = false;

  /** Servers that are no longer listed end what they have under way: its answer would be the old network's. */
  function takeOver(list: readonly NameServer[]): void {
    last = list;
    const keys = list.map((server) => `${serverText(server)}#${server.serverName ?? ''}`);
    for (const [key, server] of known) {
      if (keys.includes(key)) continue;
      server.close();
      known.delete(key);
    }
    list.forEach((server, index) => {
      const key = keys[index] ?? '';
      if (!known.has(key)) known.set(key, new Server(server));
    });
    order = keys.flatMap((key) => known.get(key) ?? []);
  }

  function inOrder(): readonly Server[] {
    const list = listServers();
    if (list !== last) takeOver(list);
    const now = performance.now();
    if (order.every(({ demotedUntil }) => demotedUntil <= now)) return order;
    return order.toSorted((a, b) => Number(a.demotedUntil > now) - Number(b.demotedUntil > now));
  }

  async function ask(question: Question): Promise<ForwardOutcome> {
    const failures: string[] = [];
    let refused: Buffer | null = null;
    let list = inOrder();
    let listed = last;
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const server = list[attempt % list.length];
      if (server === undefined) return { kind: 'failure', reason: 'no name server is known', bytes: null };
      const asked = performance.now();
      try {
        const { message, query } = await server.ask(question, timeout);
        server.demotedUntil = 0;
        lowerQuestion(message, query);
        const rcode = rcodeOf(message);
        const good = rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
        if (good && (!requireAd || isAuthenticated(message))) return { kind: 'reply', bytes: message };
        if (!good) refused = message;
        failures.push(`${server.text}: ${good ? 'the answer is not validated (no AD)' : (CODES[rcode] ?? `code ${rcode}`)}`);
      } catch (error) {
        const what = messageOf(error);
        failures.push(`${server.text}: ${what === 'no answer' ? `no answer within ${timeout} ms` : what}`);
        // the fault of one name, which its zone can see to, does not send everybody to another server
        if (server.heard < asked) server.demotedUntil = performance.now() + DEMOTED_MILLISECONDS;
      }
      if (isClosed) break;
      if (listServers() !== listed) {
        list = inOrder();
        listed = last;
      }
    }
    return { kind: 'failure', reason: [...new Set(failures)].join('; '), bytes: refused };
  }

  return {
    async ask(question) {
      if (underWay >= MOST_UNDER_WAY) return { kind: 'failure', reason: 'too many queries are under way', bytes: null };
      underWay += 1;
      try {
        return await ask(question);
      } finally {
        underWay -= 1;
      }
    },
    close() {
      isClosed = true;
      for (const server of known.values()) server.close();
      known.clear();
      order = [];
      last = [];
    },
  };
}
