/** Listeners for DNS of a service: whatever one query comes to, the others have their answers. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { type Answer, DnsListeners } from '../../src/host/dns-listeners.ts';

async function listen(t: ExecutionContext, answer: Answer): Promise<{ readonly port: number; readonly stream: () => Promise<Socket> }> {
  const listeners = new DnsListeners({ answer, log: pino({ level: 'silent' }), remembered: new Map() });
  t.teardown(() => listeners.close());
  const port = (await listeners.listen(['webapp'])).get('webapp') ?? 0;
  return {
    port,
    stream: async () => {
      const socket = connect({ port, host: '127.0.0.1' });
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    },
  };
}

/** As long as a message is at least. */
const padded = (text: string) => text.padEnd(12);
const framed = (text: string) => Buffer.concat([Buffer.from([0, padded(text).length]), Buffer.from(padded(text))]);

test('an answer that is too long for TCP, or a mistake, costs one query its answer', async (t) => {
  const { port, stream } = await listen(t, (_, query) => {
    const text = Buffer.from(query).toString().trim();
    if (text === 'long') return Buffer.alloc(65_536);
    if (text === 'mistake') return Promise.reject(new Error('a mistake'));
    return Promise.resolve(Buffer.from(`${text} answered`));
  });
  const socket = await stream();
  socket.write(Buffer.concat([framed('long'), framed('mistake'), framed('good')]));
  t.deepEqual((await once(socket, 'data'))[0], framed('good answered'));
  const datagrams = createSocket('udp4');
  t.teardown(() => datagrams.close());
  datagrams.send('mistake', port, '127.0.0.1');
  datagrams.send('good', port, '127.0.0.1');
  t.is(String((await once(datagrams, 'message'))[0]), 'good answered');
});

test('of one connection only so many queries are under way; the others wait, and have their answers', async (t) => {
  let [underWay, most] = [0, 0];
  const { stream } = await listen(t, async (_, query) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await sleep(1);
    underWay -= 1;
    return Buffer.from(query);
  });
  const socket = await stream();
  let octets = 0;
  socket.on('data', (data: Buffer) => (octets += data.length));
  const queries = Buffer.concat(Array.from({ length: 2000 }, () => framed('query')));
  socket.write(queries);
  for (let round = 0; round < 500 && octets < queries.length; round += 1) await sleep(10);
  t.is(octets, queries.length);
  t.is(most, 64);
});

test('who sends many queries at once waits for everything else in between', async (t) => {
  const count = { turns: 0, answered: 0 };
  const { stream } = await listen(t, () => {
    count.answered += 1;
    return null;
  });
  const sockets = await Promise.all([stream(), stream()]);
  for (const socket of sockets) socket.write(Buffer.concat(Array.from({ length: 2000 }, () => framed('query'))));
  for (; count.answered < 4000 && count.turns < 100_000; count.turns += 1) await new Promise((resolve) => setImmediate(resolve));
  t.is(count.answered, 4000);
  t.true(count.turns > 2000 / 8, `${count.turns} turns`);
});

test('what is too short for a message ends the connection', async (t) => {
  let answered = 0;
  const { stream } = await listen(t, () => {
    answered += 1;
    return null;
  });
  const socket = await stream();
  const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
  socket.resume().write(Buffer.alloc(100_000));
  await closed;
  t.is(answered, 0);
});
