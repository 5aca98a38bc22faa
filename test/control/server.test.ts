/** What those who may only read cannot do to the daemon through its socket. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ask } from '../../src/control/client.ts';
import { type Routes, serveControl } from '../../src/control/server.ts';
import { until } from '../e2e/until.ts';

async function start(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'netwall-control-'));
  const listening = new Set<object>();
  let asked = 0;
  const routes: Routes = {
    streams: {
      '/v1/events': (_query, line) => {
        const listener = {};
        listening.add(listener);
        line({ time: 'now' });
        return () => listening.delete(listener);
      },
    },
    get: {
      '/v1/slow': () => {
        asked += 1;
        return new Promise(() => {});
      },
      '/v1/large': () => ({ status: 200, body: 'x'.repeat(10_000_000) }),
      '/v1/status': () => ({ status: 200, body: { state: 'enforcing' } }),
    },
    post: { '/v1/try': async (_query, body) => ({ status: 200, body: { came: (await body()).length } }) },
  };
  const path = join(directory, 'control.sock');
  const server: Server = await serveControl(path, null, routes, 200);
  t.teardown(async () => {
    server.close();
    server.closeAllConnections();
    await rm(directory, { recursive: true });
  });
  const open = async (): Promise<Socket> => {
    const socket = connect(path).on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { path, server, listening, asked: () => asked, open };
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: netwall\r\n\r\n`;

test('a stream ends with its connection', async (t) => {
  const { listening, open } = await start(t);
  const socket = await open();
  socket.write(get('/v1/events'));
  await once(socket, 'data');
  t.is(listening.size, 1);
  socket.destroy();
  await until('nobody listens', async () => listening.size === 0);
});

test('of many streams asked for on one connection none is left behind', async (t) => {
  const { listening, open } = await start(t);
  const socket = await open();
  socket.resume().write(get('/v1/events').repeat(50));
  await once(socket, 'close');
  await until('nobody listens', async () => listening.size === 0);
  t.true(socket.bytesRead < 1000, 'one answer at most');
});

test('of many questions on one connection one is worked on', async (t) => {
  const { asked, open } = await start(t);
  const socket = await open();
  socket.write(get('/v1/slow').repeat(50));
  await once(socket, 'close');
  t.is(asked(), 1);
});

test('so many streams may be open, and others are still answered', async (t) => {
  const { path, listening, open } = await start(t);
  const sockets = await Promise.all(Array.from({ length: 64 }, open));
  for (const socket of sockets) socket.write(get('/v1/events'));
  await until('all are open', async () => listening.size === 64);
  const one = await open();
  one.write(get('/v1/events'));
  const [head] = await once(one, 'data');
  t.regex(String(head), /^HTTP\/1\.1 503 /);
  t.deepEqual(await ask(path, 'GET', '/v1/status'), { state: 'enforcing' });
  for (const socket of sockets) socket.destroy();
});

test('who does not read an answer does not keep a connection', async (t) => {
  const { path, server, open } = await start(t);
  const socket = await open();
  socket.write(get('/v1/large'));
  const connections = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  await until('it is there', async () => (await connections()) === 1);
  await until('it is gone', async () => (await connections()) === 0);
  t.is(JSON.stringify(await ask(path, 'GET', '/v1/large')).length, 10_000_002);
});

test('what comes with a question is read where somebody wants it, up to a size', async (t) => {
  const { path } = await start(t);
  const body = 'x'.repeat(5_000_000);
  t.deepEqual(await ask(path, 'POST', '/v1/try', { body }), { came: body.length + 2 });
  await t.throwsAsync(ask(path, 'POST', '/v1/nothing', { body }), { message: 'no such resource: POST /v1/nothing' });
  await t.throwsAsync(ask(path, 'POST', '/v1/try', { body: 'x'.repeat(64 * 1024 * 1024) }), { message: /a question may have 67108864 bytes at most/ });
});
