/**
 * `GET /metrics` on a loopback port, for a Prometheus that cannot read the control socket. Nothing else can be asked there, and
 * whatever goes wrong with it is only said: the wall does not depend on it.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Logger } from 'pino';
import type { Endpoint } from '../config/endpoint.ts';
import { messageOf } from '../host/host-error.ts';

export type MetricsServerOptions = {
  readonly at: Endpoint;
  readonly type: string;
  readonly text: () => Promise<string>;
  readonly log: Logger;
  /** Until a port that is taken is tried again. */
  readonly retryMilliseconds?: number;
};

const RETRY_MILLISECONDS = 10_000;
/** Prometheus asks every few seconds on one connection. */
const MAX_CONNECTIONS = 16;
const MAX_HEADER_BYTES = 8192;
const REQUEST_MILLISECONDS = 5000;
const IDLE_MILLISECONDS = 120_000;

function answerWith({ text, type, log }: MetricsServerOptions): RequestListener {
  return (request, response) => {
    const refuse = (status: number, why: string) => response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${why}\n`);
    if (request.url?.split('?', 1)[0] !== '/metrics') return refuse(404, 'there is only /metrics');
    if (request.method !== 'GET') return refuse(405, 'there is only GET');
    text().then(
      (body) => response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body),
      (error: unknown) => {
        refuse(500, 'see the log of netwalld');
        log.error({ err: messageOf(error) }, 'metrics cannot be put together');
      },
    );
    return undefined;
  };
}

/** Listens as soon as it can. Returns how to stop. */
export function serveMetrics(options: MetricsServerOptions): () => void {
  const { at, log, retryMilliseconds = RETRY_MILLISECONDS } = options;
  const where = `${at.address.includes(':') ? `[${at.address}]` : at.address}:${at.port}`;
  const server: Server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: REQUEST_MILLISECONDS, requestTimeout: REQUEST_MILLISECONDS, keepAliveTimeout: IDLE_MILLISECONDS }, answerWith(options));
  server.maxConnections = MAX_CONNECTIONS;
  // a client that does not take its answer
  server.setTimeout(IDLE_MILLISECONDS);
  let said: string | null = null;
  let retry: NodeJS.Timeout | null = null;
  const listen = () => server.listen({ host: at.address, port: at.port, ipv6Only: true });
  server.on('listening', () => {
    said = null;
    log.info({ url: `http://${where}/metrics` }, 'metrics are served');
  });
  server.on('error', (error) => {
    if (server.listening) return; // of accepting one connection
    if (error.message !== said) log.error({ err: error.message, retryInMilliseconds: retryMilliseconds }, `no metrics at ${where}; they are on the control socket all the same`);
    said = error.message;
    retry = setTimeout(listen, retryMilliseconds).unref();
  });
  listen();
  return () => {
    if (retry !== null) clearTimeout(retry);
    server.close();
    server.closeAllConnections();
  };
}
