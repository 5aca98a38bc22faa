import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import test from 'ava';
import { pino } from 'pino';
import { serveMetrics } from '../../src/control/metrics-server.ts';
import { until } from '../e2e/until.ts';

const address = '127.0.0.1';

/** A listener on a port that was free; closed again unless `keep`. */
async function takePort(): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer();
  server.listen(0, address);
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a TCP server
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) };
}

function start(port: number, text: () => Promise<string> = async () => 'x 1\n') {
  const said: string[] = [];
  const log = pino({ base: null }, { write: (line) => void said.push(line) });
  const stop = serveMetrics({ at: { address, port }, type: 'text/plain; version=0.0.4', text, log, retryMilliseconds: 50 });
  return { said, stop, url: `http://${address}:${port}` };
}

async function free(): Promise<number> {
  const { port, close } = await takePort();
  await close();
  return port;
}

test('GET /metrics, and nothing else', async (t) => {
  const { url, stop } = start(await free());
  const answer = await until('it listens', () => fetch(`${url}/metrics`));
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4');
  t.is(await answer.text(), 'x 1\n');
  const status = async (path: string, method = 'GET') => {
    const response = await fetch(`${url}${path}`, { method });
    await response.text();
    return response.status;
  };
  t.is(await status('/metrics?name=x'), 200);
  for (const path of ['/', '/v1/status', '/metrics/', '/metrics/../v1/status']) t.is(await status(path), 404, path);
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) t.is(await status('/metrics', method), 405, method);
  stop();
  await t.throwsAsync(fetch(`${url}/metrics`));
});

test('headers are bounded', async (t) => {
  const port = await free();
  const { url, stop } = start(port);
  await until('it listens', () => fetch(`${url}/metrics`));
  const socket = connect(port, address);
  socket.on('error', () => {}); // it may be reset while still sending
  socket.end(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(12_000)}\r\n\r\n`);
  let said = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  await once(socket, 'close');
  t.notRegex(said, /200 OK/);
  stop();
});

test('a port that is taken is tried again, and told once', async (t) => {
  const other = await takePort();
  const { url, said, stop } = start(other.port);
  await until('it is told', async () => said.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(said.length, 1);
  t.regex(said[0] ?? '', /EADDRINUSE.*no metrics at 127\.0\.0\.1:\d+; they are on the control socket all the same/);
  await other.close();
  t.is(await (await until('it listens', () => fetch(`${url}/metrics`))).text(), 'x 1\n');
  t.regex(said.at(-1) ?? '', /metrics are served/);
  stop();
});

test('metrics that cannot be had: 500, and the next one may do better', async (t) => {
  let fails = true;
  const { url, said, stop } = start(await free(), async () => {
    if (fails) throw new Error('broken');
    return 'x 2\n';
  });
  t.is((await until('it listens', () => fetch(`${url}/metrics`))).status, 500);
  t.true(said.some((line) => line.includes('broken')));
  fails = false;
  t.is(await (await fetch(`${url}/metrics`)).text(), 'x 2\n');
  stop();
});
