/** Asks the upstream servers: several tries, the servers that answer first, TCP where UDP is too small. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIPv6 } from 'node:net';
import type { NameServer } from '../config/endpoint.ts';
import { serverText } from '../dns/server.ts';
import { messageOf } from './host-error.ts';

export type Question = { readonly name: string; readonly type: number; readonly dnssecOk: boolean };
export type ForwardOutcome =
  | { readonly kind: 'reply'; readonly bytes: Buffer; readonly server: string }
  | { readonly kind: 'failure'; readonly reason: string; readonly bytes: Buffer | null };
export type Forwarder = { ask(question: Question): Promise<ForwardOutcome>; close(): void };

function build({ name, type, dnssecOk }: Question): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(Array.from(label, (c) => (randomInt(2) === 0 ? c.toUpperCase() : c)).join(''))]));
  const head = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  head.writeUInt16BE(randomInt(65536), 0);
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1]), Buffer.from([0, 0, 41, 4, 208, 0, 0, dnssecOk ? 128 : 0, 0, 0, 0])]);
}

const ours = (reply: Buffer, query: Buffer) => reply.length >= query.length - 11 && reply.readUInt16BE(0) === query.readUInt16BE(0) && (reply.readUInt16BE(2) & 0xf800) === 0x8000 && reply.subarray(12, query.length - 11).equals(query.subarray(12, query.length - 11)) && reply.readUInt16BE(4) === 1;

function udp(server: NameServer, query: Buffer, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    let done = false;
    const end = (action: () => void) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.close();
      action();
    };
    const timer = setTimeout(() => end(() => reject(new Error(`no answer within ${timeout} ms`))), timeout);
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (bytes) => { if (ours(bytes, query)) end(() => resolve(bytes)); });
    socket.connect(server.port, server.address, (error?: Error) => (error === undefined ? done || socket.send(query, (failed) => failed && end(() => reject(failed))) : end(() => reject(error))));
  });
}

function tcp(server: NameServer, query: Buffer, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: server.address, port: server.port });
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    socket.on('error', reject);
    socket.on('close', () => { clearTimeout(timer); reject(new Error('connection closed before the answer')); });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = received.subarray(2, 2 + received.readUInt16BE(0));
      if (ours(reply, query)) resolve(reply);
      else reject(new Error('no answer to the question'));
      socket.destroy();
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(query.length);
    socket.write(Buffer.concat([size, query]));
  });
}

export function openForwarder({ servers, timeout, tries }: { servers: () => readonly NameServer[]; timeout: number; tries: number; requireAd: boolean }): Forwarder {
  return {
    close() {},
    async ask(question) {
      const failures: string[] = [];
      let last: Buffer | null = null;
      const list = servers();
      for (let attempt = 0; attempt < tries; attempt += 1) {
        const server = list[attempt % list.length];
        if (server === undefined) break;
        try {
          const query = build(question);
          let bytes = await udp(server, query, timeout);
          if ((bytes.readUInt16BE(2) & 0x200) !== 0) bytes = await tcp(server, query, timeout);
          const rcode = bytes.readUInt16BE(2) & 15;
          for (let at = 12; at < query.length - 15; at += 1) { const byte = bytes[at] ?? 0; if (byte >= 65 && byte <= 90) bytes[at] = byte + 32; }
          if (rcode === 0 || rcode === 3) return { kind: 'reply', bytes, server: serverText(server) };
          last = bytes;
          failures.push(`${serverText(server)}: rcode ${rcode}`);
        } catch (error) {
          failures.push(`${serverText(server)}: ${messageOf(error)}`);
        }
      }
      return { kind: 'failure', reason: [...new Set(failures)].join('; ') || 'no name server is known', bytes: last };
    },
  };
}
