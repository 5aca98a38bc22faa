import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
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
  const server = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  server.on('message', (query, peer) => reply(query, (bytes) => server.send(bytes, peer.port, peer.address), peer.port));
  await new Promise<void>((resolve) => server.bind(port, address, resolve));
  t.teardown(() => server.close());
  return server.address().port;
}

/** `serve` is given each connection and, one after the other, the queries that come over it. */
async function tcpServer(t: ExecutionContext, serve: (socket: Socket, query: Buffer, count: number) => void, port = 0, address = '127.0.0.1'): Promise<number> {
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
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
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

test.serial('somebody who guesses and guesses: the question is repeated over TCP, and for a while all others are asked there', async (t) => {
  const asked: string[] = [];
  let guessing = true;
  const port = await tcpServer(t, (socket, query) => {
    asked.push('TCP');
    socket.write(framed(answerTo(query, { address: [192, 0, 2, 2] })));
  });
  await udpServer(t, (query, send) => {
    asked.push('UDP');
    if (!guessing) return send(answerTo(query));
    for (let count = 0; count < 80; count += 1) {
      const forged = answerTo(query, { address: [6, 6, 6, 6] });
      forged.writeUInt16BE((query.readUInt16BE(0) + 1 + count) & 0xffff, 0);
      send(forged);
    }
  }, port);
  const { ask } = forwarder(t, [at(port)], { timeout: 5000 });
  t.is(lastByte(await ask(QUESTION)), 2);
  guessing = false;
  for (let count = 0; count < 3; count += 1) t.is(lastByte(await ask({ ...QUESTION, name: `n${count}.example.net` })), 2);
  t.deepEqual(asked.splice(0), ['UDP', 'TCP', 'TCP', 'TCP', 'TCP']);
  const now = performance.now.bind(performance);
  t.teardown(() => Object.assign(performance, { now }));
  Object.assign(performance, { now: () => now() + 61_000 });
  t.is(lastByte(await ask(QUESTION)), 1);
  t.deepEqual(asked, ['UDP']);
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

test('a slow name is not held against a server that answers others meanwhile; silence is', async (t) => {
  const asked: string[] = [];
  let silent = false;
  const first = await udpServer(t, (query, send) => {
    asked.push('first');
    if (!silent && query.subarray(13, 17).toString().toLowerCase() !== 'slow') send(answerTo(query));
  });
  const second = await udpServer(t, (query, send) => { asked.push('second'); send(answerTo(query, { address: [192, 0, 2, 2] })); });
  const { ask } = forwarder(t, [at(first), at(second)], { tries: 2, timeout: 200 });
  const slow = ask({ ...QUESTION, name: 'slow.example.net' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(lastByte(await ask(QUESTION)), 1);
  t.is(lastByte(await slow), 2);
  t.is(lastByte(await ask(QUESTION)), 1);
  t.deepEqual(asked.splice(0), ['first', 'first', 'second', 'first']);
  silent = true;
  t.is(lastByte(await ask(QUESTION)), 2);
  t.is(lastByte(await ask(QUESTION)), 2);
  t.deepEqual(asked, ['first', 'second', 'second']);
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

type Ask = ReturnType<typeof openForwarder>['ask'];
const OTHER = { ...QUESTION, name: 'other.example.net' };
const CHANGES: readonly (readonly [what: string, before: readonly string[], after: readonly string[], meanwhile: (ask: Ask) => Promise<unknown>, asked: readonly string[]])[] = [
  ['of now, which another question brought to light', ['silent'], ['good'], (ask) => ask(OTHER), ['good', 'good']],
  ['of now, with nobody else to ask', ['silent'], ['good'], async () => {}, ['silent', 'good']],
  ['of now, while the first stays', ['late', 'gone'], ['late', 'good'], async (ask) => void ask(OTHER), ['late', 'late', 'good', 'good']],
];
for (const [what, before, after, meanwhile, expected] of CHANGES) {
  test(`a retry is with the name servers ${what}`, async (t) => {
    const asked: string[] = [];
    const ports: Readonly<Record<string, number>> = {
      silent: await udpServer(t, () => asked.push('silent')),
      late: await udpServer(t, (query, send) => { asked.push('late'); setTimeout(() => send(answerTo(query, { rcode: 2 })), 100); }),
      gone: await udpServer(t, (query, send) => { asked.push('gone'); send(answerTo(query, { address: [192, 0, 2, 2] })); }),
      good: await udpServer(t, (query, send) => { asked.push('good'); send(answerTo(query)); }),
    };
    const listed = (names: readonly string[]) => names.map((one) => at(ports[one] ?? 0));
    let servers = listed(before);
    const { ask } = forwarder(t, servers, { servers: () => servers, tries: 2, timeout: 300 });
    const outcome = ask(QUESTION);
    servers = listed(after);
    await meanwhile(ask);
    t.is(lastByte(await outcome), 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.deepEqual(asked, expected);
  });
}

for (const tries of [1, 3]) {
  test(`what was under way ends with close: ${tries} tries`, async (t) => {
    const asked: string[] = [];
    const silent = await udpServer(t, () => asked.push('silent'));
    const opened = openForwarder({ servers: () => [at(silent)], timeout: 300, tries, requireAd: false });
    const outcome = opened.ask(QUESTION);
    opened.close();
    t.is(lastByte(await outcome), `127.0.0.1:${silent}: closed`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.deepEqual(asked, []);
  });
}

const [linkLocal] = Object.entries(networkInterfaces()).flatMap(([zone, list]) => (list ?? []).flatMap((one) => (one.family === 'IPv6' && one.scopeid > 0 ? [`${one.address}%${zone}`] : [])));
// such an address comes with IPv6 on a network card: without one nothing can be bound to it
(linkLocal === undefined ? test.skip : test)('a server that is known by its link-local address, over UDP and TCP', async (t) => {
  const asked: string[] = [];
  const port = await tcpServer(t, (socket, query) => { asked.push('TCP'); socket.write(framed(answerTo(query))); }, 0, '::');
  await udpServer(t, (query, send) => { asked.push('UDP'); send(answerTo(query, { flags: 0x8380 })); }, port, '::');
  t.is(lastByte(await forwarder(t, [at(port, linkLocal)]).ask(QUESTION)), 1);
  t.deepEqual(asked, ['UDP', 'TCP']);
});
