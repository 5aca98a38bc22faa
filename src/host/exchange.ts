/** One question to one server, over UDP, TCP or TLS. Rejects with an Error that says what went wrong; sockets are always closed. */
import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Answer, type Query, readAnswer } from '../dns/message.ts';
import type { NameServer } from '../config/endpoint.ts';

/** Datagrams that are no answer to our question; past this somebody is guessing. */
const MAX_IGNORED = 64;

/** What an exchange can end with; over a stream nothing is truncated. */
export type Outcome = Exclude<Answer, { kind: 'truncated' | 'ignored' }>;

/** Settles once, then closes. */
function within<T>(milliseconds: number, start: (resolve: (value: T) => void, reject: (error: Error) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let close = () => {};
    const settle = (action: () => void) => {
      clearTimeout(timer);
      close();
      close = () => {};
      action();
    };
    const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${milliseconds} ms`))), milliseconds);
    close = start(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}

/** A socket of its own for each question, on a random port, connected: the kernel then drops what comes from elsewhere. */
export function askUdp(server: NameServer, query: Query, timeout: number): Promise<Outcome | { readonly kind: 'truncated' }> {
  return within(timeout, (resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    let ignored = 0;
    let closed = false;
    socket.on('error', reject);
    socket.on('message', (bytes) => {
      const answer = readAnswer(bytes, query);
      if (answer.kind !== 'ignored') return resolve(answer);
      ignored += 1;
      return ignored > MAX_IGNORED ? reject(new Error(`too many datagrams that are no answer (${answer.reason})`)) : undefined;
    });
    // Node hands an unreachable server's error to this callback, not to `error`
    socket.connect(server.port, server.address, (unreachable?: Error) => {
      if (unreachable !== undefined) return reject(unreachable);
      return closed ? undefined : socket.send(query.bytes, (error) => error && reject(error));
    });
    return () => {
      closed = true;
      socket.close();
    };
  });
}

function open(server: NameServer): Socket {
  const { address: host, port, serverName } = server;
  if (server.transport === 'udp') return connectTcp({ host, port });
  // without a name the certificate must be for the address (RFC 8310 §8.1)
  return connectTls({ host, port, ALPNProtocols: ['dot'], ...(serverName === null ? {} : { servername: serverName }) });
}

/** TCP and TLS: two octets of length before each message (RFC 1035 §4.2.2). */
export function askStream(server: NameServer, query: Query, timeout: number): Promise<Outcome> {
  return within(timeout, (resolve, reject) => {
    const socket = open(server);
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('connection closed before the answer')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? Number.POSITIVE_INFINITY : received.readUInt16BE(0);
      if (received.length < length + 2) return;
      const answer = readAnswer(received.subarray(2, length + 2), query);
      if (answer.kind === 'truncated') reject(new Error('truncated answer over a stream'));
      else if (answer.kind === 'ignored') reject(new Error(`no answer to the question: ${answer.reason}`));
      else resolve(answer);
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(query.bytes.length);
    socket.write(Buffer.concat([size, query.bytes]));
    return () => socket.destroy();
  });
}
