import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { askFor, type Query } from '../../src/dns/message.ts';
import { askStream, askUdp } from '../../src/host/exchange.ts';

const query = () => askFor('api.example.net', 'A', (below) => Math.floor(Math.random() * below));
const at = (port: number) => ({ transport: 'udp', address: '127.0.0.1', port, serverName: null }) as const;

/** An answer with one address, to this very question. */
function answerTo({ bytes }: Pick<Query, 'bytes'>, address = [192, 0, 2, 1]): Buffer {
  const question = bytes.subarray(12, bytes.indexOf(0, 12) + 5);
  const header = Buffer.from([bytes[0] ?? 0, bytes[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  return Buffer.concat([header, question, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address])]);
}

async function udpServer(t: ExecutionContext, reply: (question: Buffer, send: (bytes: Uint8Array) => void) => void): Promise<number> {
  const server = createSocket('udp4');
  server.on('message', (question, { port, address }) => reply(question, (bytes) => server.send(bytes, port, address)));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return server.address().port;
}

async function tcpServer(t: ExecutionContext, serve: (socket: Socket, question: Promise<Buffer>) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket, new Promise((resolve) => socket.once('data', (data) => resolve(data.subarray(2)))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const framed = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);

test('an answer over UDP', async (t) => {
  const port = await udpServer(t, (question, send) => send(answerTo({ bytes: question })));
  t.like(await askUdp(at(port), query(), 2000), { kind: 'addresses', addresses: [{ family: 4, value: 0xc0000201n }] });
});

test('what is no answer is passed over, and the true one counts', async (t) => {
  const port = await udpServer(t, (question, send) => {
    const forged = answerTo({ bytes: question }, [203, 0, 113, 66]);
    forged[0] = (forged[0] ?? 0) ^ 0xff;
    send(forged);
    send(Buffer.from('garbage'));
    send(answerTo({ bytes: question }));
  });
  t.like(await askUdp(at(port), query(), 2000), { kind: 'addresses', addresses: [{ family: 4, value: 0xc0000201n }] });
});

test('somebody who guesses and guesses is not listened to any longer', async (t) => {
  const port = await udpServer(t, (_question, send) => {
    for (let count = 0; count < 80; count += 1) send(Buffer.from('garbage'));
  });
  await t.throwsAsync(askUdp(at(port), query(), 5000), { message: /too many datagrams/ });
});

test('a server that says nothing', async (t) => {
  const port = await udpServer(t, () => {});
  await t.throwsAsync(askUdp(at(port), query(), 50), { message: 'no answer within 50 ms' });
});

test('a closed port, an unreachable network and an address of no family are errors, not crashes', async (t) => {
  const port = await udpServer(t, () => {});
  await t.throwsAsync(askUdp({ ...at(port), address: '127.0.0.2' }, query(), 2000), { message: /ECONNREFUSED/ });
  // multicast to no group, a network that no route leads to from here: refused by connect itself
  await t.throwsAsync(askUdp({ ...at(53), address: '255.255.255.255' }, query(), 2000), { message: /EACCES|ENETUNREACH/ });
  await t.throwsAsync(askUdp({ ...at(53), address: 'fe80::1' }, query(), 2000), { message: /EINVAL|ENETUNREACH|EADDRNOTAVAIL/ });
  await t.throwsAsync(askStream({ ...at(port), address: '127.0.0.2' }, query(), 2000), { message: /ECONNREFUSED/ });
});

test('an answer over TCP, in pieces of one octet', async (t) => {
  const port = await tcpServer(t, (socket, question) => {
    void question.then(async (bytes) => {
      socket.setNoDelay(true);
      for (const octet of framed(answerTo({ bytes }))) {
        socket.write(Buffer.from([octet]));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  t.like(await askStream(at(port), query(), 5000), { kind: 'addresses' });
});

test('a stream that ends early, stalls, or answers something else', async (t) => {
  const early = await tcpServer(t, (socket, question) => void question.then((bytes) => socket.end(framed(answerTo({ bytes })).subarray(0, 20))));
  await t.throwsAsync(askStream(at(early), query(), 2000), { message: /closed before the answer/ });
  const stalled = await tcpServer(t, (socket, question) => void question.then((bytes) => socket.write(framed(answerTo({ bytes })).subarray(0, 20))));
  await t.throwsAsync(askStream(at(stalled), query(), 50), { message: 'no answer within 50 ms' });
  const other = await tcpServer(t, (socket) => socket.write(framed(answerTo(query()))));
  await t.throwsAsync(askStream(at(other), query(), 2000), { message: /no answer to the question/ });
});
