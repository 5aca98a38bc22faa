import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { NameServer } from '../../src/config/endpoint.ts';
import { type ForwarderOptions, openForwarder } from '../../src/host/forward.ts';
import { StreamPool } from '../../src/host/upstream-stream.ts';

const QUESTION = { name: 'api.example.net', type: 1, dnssecOk: false };
const at = (port: number, address = '127.0.0.1'): NameServer => ({ transport: 'udp', address, port, serverName: null });

type Say = { readonly address?: readonly number[]; readonly flags?: number; readonly rcode?: number };

/** An answer with one address to this very question. */
function answerTo(query: Buffer, { address = [192, 0, 2, 1], flags = 0x8180, rcode = 0 }: Say = {}): Buffer {
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
  header.writeUInt16BE(flags | rcode, 2);
  return Buffer.concat([header, question, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address])]);
}

type Reply = (query: Buffer, send: (bytes: Uint8Array) => void, from: number) => void;

async function udpServer(t: ExecutionContext, reply: Reply, port = 0, address = '127.0.0.1'): Promise<number> {
  const server = createSocket('udp4');
  server.on('message', (query, peer) => reply(query, (bytes) => server.send(bytes, peer.port, peer.address), peer.port));
  await new Promise<void>((resolve) => server.bind(port, address, resolve));
  t.teardown(() => server.close());
  return server.address().port;
}

/** `serve` is given each connection and, one after the other, the queries that come over it. */
async function tcpServer(t: ExecutionContext, serve: (socket: Socket, query: Buffer, count: number) => void, port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    let count = 0;
    socket.on('error', () => {}).on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const query = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + received.readUInt16BE(0));
        serve(socket, query, (count += 1));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const framed = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);

function forwarder(t: ExecutionContext, servers: readonly NameServer[], more: Partial<ForwarderOptions> = {}) {
  const opened = openForwarder({ servers: () => servers, timeout: 1000, tries: 1, requireAd: false, ...more });
  t.teardown(() => opened.close());
  return opened;
}

const lastByte = (outcome: Awaited<ReturnType<ReturnType<typeof openForwarder>['ask']>>) => (outcome.kind === 'reply' ? outcome.bytes.at(-1) : outcome.reason);

test('an answer over UDP, its question in the letters of the policy', async (t) => {
  const asked: string[] = [];
  const port = await udpServer(t, (query, send) => {
    asked.push(query.subarray(13, 16).toString());
    send(answerTo(query));
  });
  const { ask } = forwarder(t, [at(port)]);
  for (let count = 0; count < 20; count += 1) {
    const outcome = await ask(QUESTION);
    t.is(outcome.kind === 'reply' ? outcome.bytes.subarray(13, 16).toString() : outcome.reason, 'api');
  }
  t.true(new Set(asked).size > 1, 'letter case is at random');
});

const FORGERIES: readonly (readonly [what: string, forge: (query: Buffer) => Buffer])[] = [
  ['another id', (query) => { const forged = answerTo(query, { address: [6, 6, 6, 6] }); forged[0] = (forged[0] ?? 0) ^ 0xff; return forged; }],
  ['another letter case', (query) => { const forged = answerTo(query, { address: [6, 6, 6, 6] }); forged[13] = (forged[13] ?? 0) ^ 0x20; return forged; }],
  ['another name', (query) => { const forged = answerTo(query, { address: [6, 6, 6, 6] }); forged[13] = 0x78; return forged; }],
  ['another type', (query) => { const forged = answerTo(query, { address: [6, 6, 6, 6] }); forged[query.indexOf(0, 12) + 2] = 28; return forged; }],
  ['a query', (query) => answerTo(query, { address: [6, 6, 6, 6], flags: 0x0100 })],
  ['two questions', (query) => { const forged = answerTo(query, { address: [6, 6, 6, 6] }); forged[5] = 2; return forged; }],
  ['garbage', () => Buffer.from('garbage')],
  ['nothing', () => Buffer.alloc(0)],
];
for (const [what, forge] of FORGERIES) {
  test(`passed over: ${what}`, async (t) => {
    const port = await udpServer(t, (query, send) => {
      send(forge(query));
      send(answerTo(query));
    });
    t.is(lastByte(await forwarder(t, [at(port)]).ask(QUESTION)), 1);
  });
}

test('what comes from another port is no answer', async (t) => {
  const other = createSocket('udp4');
  t.teardown(() => other.close());
  const port = await udpServer(t, (query, send, from) => {
    other.send(answerTo(query, { address: [6, 6, 6, 6] }), from, '127.0.0.1', () => send(answerTo(query)));
  });
  t.is(lastByte(await forwarder(t, [at(port)]).ask(QUESTION)), 1);
});

test('somebody who guesses and guesses: the question is repeated over TCP', async (t) => {
  const port = await tcpServer(t, (socket, query) => void socket.write(framed(answerTo(query, { address: [192, 0, 2, 2] }))));
  await udpServer(t, (query, send) => {
    for (let count = 0; count < 80; count += 1) {
      const forged = answerTo(query, { address: [6, 6, 6, 6] });
      forged.writeUInt16BE((query.readUInt16BE(0) + 1 + count) & 0xffff, 0);
      send(forged);
    }
  }, port);
  t.is(lastByte(await forwarder(t, [at(port)], { timeout: 5000 }).ask(QUESTION)), 2);
});

test('truncated over UDP, whole over TCP; truncated over TCP is a failure', async (t) => {
  let truncated = false;
  const port = await tcpServer(t, (socket, query) => void socket.write(framed(answerTo(query, { address: [192, 0, 2, 2], flags: truncated ? 0x8380 : 0x8180 }))));
  await udpServer(t, (query, send) => send(answerTo(query, { flags: 0x8380 })), port);
  const { ask } = forwarder(t, [at(port)]);
  t.is(lastByte(await ask(QUESTION)), 2);
  truncated = true;
  t.regex(String(lastByte(await ask(QUESTION))), /truncated answer over a stream/);
});

test('many questions share connections, and answers come in any order', async (t) => {
  let connections = 0;
  const port = await tcpServer(t, (socket, query, count) => {
    if (count === 1) connections += 1;
    setTimeout(() => socket.write(framed(answerTo(query))), Math.random() * 20);
  });
  await udpServer(t, (query, send) => send(answerTo(query, { flags: 0x8380 })), port);
  const { ask } = forwarder(t, [at(port)], { timeout: 5000 });
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, index) => ask({ ...QUESTION, name: `n${index}.example.net` })));
  t.true(outcomes.every(({ kind }) => kind === 'reply'));
  t.true(connections <= 2, `${connections} connections`);
});

test('an answer over TCP in pieces of one octet', async (t) => {
  const port = await tcpServer(t, (socket, query) => {
    socket.setNoDelay(true);
    const bytes = framed(answerTo(query));
    const next = (index: number): void => {
      if (index < bytes.length) socket.write(bytes.subarray(index, index + 1), () => setImmediate(next, index + 1));
    };
    next(0);
  });
  await udpServer(t, (query, send) => send(answerTo(query, { flags: 0x8380 })), port);
  t.is(lastByte(await forwarder(t, [at(port)], { timeout: 5000 }).ask(QUESTION)), 1);
});

test('a connection that the server closed meanwhile is replaced without a word', async (t) => {
  const port = await tcpServer(t, (socket, query, count) => {
    if (count > 1) socket.destroy();
    else socket.write(framed(answerTo(query)));
  });
  await udpServer(t, (query, send) => send(answerTo(query, { flags: 0x8380 })), port);
  const { ask } = forwarder(t, [at(port)]);
  t.is(lastByte(await ask(QUESTION)), 1);
  t.is(lastByte(await ask(QUESTION)), 1);
});

const STREAM_FAULTS: readonly (readonly [what: string, serve: (socket: Socket, query: Buffer) => void, reason: RegExp])[] = [
  ['ends early', (socket, query) => void socket.end(framed(answerTo(query)).subarray(0, 20)), /closed before the answer/],
  ['stalls', (socket, query) => void socket.write(framed(answerTo(query)).subarray(0, 20)), /no answer within 300 ms/],
  ['answers something else', (socket, query) => { const other = answerTo(query); other.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0); socket.write(framed(other)); }, /not asked for/],
  ['claims more than it sends', (socket, query) => void socket.end(Buffer.concat([Buffer.from([0xff, 0xff]), answerTo(query)])), /closed before the answer/],
];
for (const [what, serve, reason] of STREAM_FAULTS) {
  test(`a stream that ${what}`, async (t) => {
    const port = await tcpServer(t, serve);
    await udpServer(t, (query, send) => send(answerTo(query, { flags: 0x8380 })), port);
    t.regex(String(lastByte(await forwarder(t, [at(port)], { timeout: 300 }).ask(QUESTION))), reason);
  });
}

test('a connection that died silently gets no further questions, however many are asked', async (t) => {
  let connections = 0;
  const numbers = new Map<Socket, number>();
  const port = await tcpServer(t, (socket, query, count) => {
    if (!numbers.has(socket)) numbers.set(socket, (connections += 1));
    if (numbers.get(socket) === 1 && count > 1) return;
    socket.write(framed(answerTo(query)));
  });
  const pool = new StreamPool(at(port));
  t.teardown(() => pool.close());
  await pool.ask(QUESTION, 1000);
  let answered = 0;
  const asked = [];
  for (let count = 0; count < 20; count += 1) {
    asked.push(pool.ask(QUESTION, 200).then(() => (answered += 1), () => {}));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await Promise.all(asked);
  t.true(answered >= 10, `${answered} answers`);
  t.is(connections, 2);
});

test('silence, a closed port and unreachable addresses are failures with a reason, not crashes', async (t) => {
  const silent = await udpServer(t, () => {});
  t.is(lastByte(await forwarder(t, [at(silent)], { timeout: 100 }).ask(QUESTION)), `127.0.0.1:${silent}: no answer within 100 ms`);
  t.regex(String(lastByte(await forwarder(t, [at(silent, '127.0.0.2')]).ask(QUESTION))), /ECONNREFUSED/);
  // refused by connect itself: no datagram is sent
  t.regex(String(lastByte(await forwarder(t, [at(53, '255.255.255.255')]).ask(QUESTION))), /EACCES|ENETUNREACH/);
  t.regex(String(lastByte(await forwarder(t, [at(53, 'fe80::1')]).ask(QUESTION))), /EINVAL|ENETUNREACH|EADDRNOTAVAIL/);
  t.is(lastByte(await forwarder(t, []).ask(QUESTION)), 'no name server is known');
});

test('several servers: what one does not say another does, and who failed is asked last', async (t) => {
  const asked: string[] = [];
  const failing = await udpServer(t, (query, send) => { asked.push('failing'); send(answerTo(query, { rcode: 2 })); });
  const silent = await udpServer(t, () => { asked.push('silent'); });
  const good = await udpServer(t, (query, send) => { asked.push('good'); send(answerTo(query)); });
  const { ask } = forwarder(t, [at(silent), at(failing), at(good)], { tries: 3, timeout: 100 });
  t.is(lastByte(await ask(QUESTION)), 1);
  t.deepEqual(asked.splice(0), ['silent', 'failing', 'good']);
  t.is(lastByte(await ask(QUESTION)), 1);
  t.deepEqual(asked, ['failing', 'good']);
});

test('when nobody resolves it the last answer is passed on, with every reason once', async (t) => {
  const port = await udpServer(t, (query, send) => send(answerTo(query, { rcode: 5 })));
  const outcome = await forwarder(t, [at(port)], { tries: 3 }).ask(QUESTION);
  t.like(outcome, { kind: 'failure', reason: `127.0.0.1:${port}: REFUSED` });
  t.is(outcome.kind === 'failure' ? (outcome.bytes?.[3] ?? 0) & 15 : 0, 5);
});

test('require_ad: only what a validating server vouches for', async (t) => {
  let vouched = true;
  let wanted = false;
  const port = await udpServer(t, (query, send) => {
    wanted = ((query[3] ?? 0) & 0x20) !== 0;
    send(answerTo(query, { flags: vouched ? 0x81a0 : 0x8180 }));
  });
  const { ask } = forwarder(t, [at(port)], { requireAd: true });
  t.is(lastByte(await ask(QUESTION)), 1);
  t.true(wanted);
  vouched = false;
  t.regex(String(lastByte(await ask(QUESTION))), /not validated/);
});

test('ports and ids change: nothing to guess by what was seen before', async (t) => {
  const seen = new Map<number, Set<number>>();
  let repeated = 0;
  const port = await udpServer(t, (query, send, from) => {
    const ids = seen.get(from) ?? new Set();
    if (ids.has(query.readUInt16BE(0))) repeated += 1;
    seen.set(from, ids.add(query.readUInt16BE(0)));
    send(answerTo(query));
  });
  const { ask } = forwarder(t, [at(port)], { timeout: 5000 });
  for (let round = 0; round < 20; round += 1) {
    const outcomes = await Promise.all(Array.from({ length: 200 }, (_, index) => ask({ ...QUESTION, name: `n${round}-${index}.example.net` })));
    t.true(outcomes.every(({ kind }) => kind === 'reply'));
  }
  t.is(repeated, 0);
  t.true(seen.size >= 8, `${seen.size} ports`);
  t.true([...seen.values()].every((ids) => ids.size <= 1024));
});

test('servers that are no longer listed are not asked', async (t) => {
  const asked: string[] = [];
  const [first, second] = [await udpServer(t, (query, send) => { asked.push('first'); send(answerTo(query)); }), await udpServer(t, (query, send) => { asked.push('second'); send(answerTo(query)); })];
  let servers = [at(first)];
  const { ask } = forwarder(t, servers, { servers: () => servers });
  await ask(QUESTION);
  servers = [at(second)];
  await ask(QUESTION);
  t.deepEqual(asked, ['first', 'second']);
});

test('nothing is asked after close, and what was under way ends', async (t) => {
  const silent = await udpServer(t, () => {});
  const opened = openForwarder({ servers: () => [at(silent)], timeout: 60_000, tries: 1, requireAd: false });
  const asked = opened.ask(QUESTION);
  opened.close();
  t.regex(String(lastByte(await asked)), /closed/);
});
