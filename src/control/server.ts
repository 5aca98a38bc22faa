/**
 * HTTP over the Unix socket. Root reads and writes, the group `netwall` reads: the file's mode decides who may connect, and a
 * write is only taken from a process of root.
 */
import { chmodSync, chownSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HostError, messageOf } from '../host/host-error.ts';
import { peerUid } from '../host/peer.ts';
import { OWN_GID } from '../ruleset/skeleton.ts';
import type { ErrorReport } from './api.ts';

/** `type`: of a body that is text as it stands; without, it becomes JSON. */
export type Answer = { readonly status: number; readonly body: unknown; readonly type?: string };
/** `body`: what came with the question, as text. Throws HostError when that is too long. */
export type Route = (query: URLSearchParams, body: () => Promise<string>) => Promise<Answer> | Answer;

/** Writes lines until the returned function is called; null: that was all. */
export type Stream = (query: URLSearchParams, line: (value: unknown) => void) => (() => void) | null;

export type Routes = {
  /** NDJSON, for those who may read. */
  readonly streams: Readonly<Record<string, Stream>>;
  readonly get: Readonly<Record<string, Route>>;
  readonly post: Readonly<Record<string, Route>>;
};

const fault = (status: number, error: string): Answer => ({ status, body: { error } satisfies ErrorReport });

/** Null: it may. `looking`: those of whom it is not known yet who they are. */
async function mayChange(socket: Socket, looking: Set<Socket>): Promise<Answer | null> {
  if (looking.size >= MOST_CHANGES) return fault(503, `${MOST_CHANGES} changes are asked for already: try again`);
  looking.add(socket);
  const uid = await peerUid(socket).finally(() => looking.delete(socket));
  if (uid === 0) return null;
  return fault(403, uid === null ? 'only root may change anything, and who asks could not be told (/usr/bin/perl is needed for that)' : 'only root may change anything');
}

function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (part: Buffer) => {
      length += part.length;
      // the rest is passed over: who is still writing would not read the answer
      if (length <= MOST_BODY) parts.push(part);
    });
    request.on('end', () => (length > MOST_BODY ? reject(new HostError('control', `a question may have ${MOST_BODY} bytes at most`)) : resolve(Buffer.concat(parts).toString('utf8'))));
    request.on('error', (error) => reject(new HostError('control', messageOf(error), { cause: error })));
  });
}

/** `looking`: null where whoever gets here is root. */
async function respond(routes: Routes, request: IncomingMessage, target: URL | null, looking: Set<Socket> | null): Promise<Answer> {
  if (target === null) return fault(400, 'unreadable request target');
  const { pathname, searchParams } = target;
  const method = request.method === 'POST' ? 'post' : 'get';
  if (method === 'get' && request.method !== 'GET') return fault(405, `${request.method} is not known here`);
  const route = Object.hasOwn(routes[method], pathname) ? routes[method][pathname] : undefined;
  if (route === undefined) return fault(404, `no such resource: ${request.method} ${pathname}`);
  const refusal = method === 'post' && looking !== null ? await mayChange(request.socket, looking) : null;
  if (refusal !== null) return refusal;
  try {
    return await route(searchParams, () => bodyOf(request));
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return fault(500, error.message);
  }
}

/** Ten thousand policy files of a trial. */
const MOST_BODY = 64 * 1024 * 1024;
/** A reader that does not read is let go: its lines would pile up here. */
const MOST_UNSENT = 1024 * 1024;
/** Who may only read must not be able to use up what the daemon needs: each change that is asked for starts a process, each stream keeps events. */
const MOST_CONNECTIONS = 1024;
const MOST_STREAMS = 64;
const MOST_CHANGES = 32;
const HEADERS_MILLISECONDS = 5000;
/** With its body. */
const REQUEST_MILLISECONDS = 30_000;
/** For how long an answer may lie there unread. */
const UNREAD_MILLISECONDS = 10_000;

function stream(route: Stream, query: URLSearchParams, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' });
  response.flushHeaders();
  const stop = route(query, (value) => {
    if (response.writableLength > MOST_UNSENT) response.destroy();
    else response.write(`${JSON.stringify(value)}\n`);
  });
  if (stop === null) response.end();
  else response.on('close', stop);
}

/** `unread`: for how many milliseconds it may lie there. */
function write(response: ServerResponse, { status, body, type }: Answer, unread: number): void {
  response.req.socket.setTimeout(unread);
  const text = type === undefined ? `${JSON.stringify(body)}\n` : String(body);
  response.writeHead(status, { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(text), connection: 'close' });
  response.end(text);
}

/** A file that the group may use. In the sandbox of our unit no file can be given away: systemd does it, once we are ready; until then it is our own group's. */
function share(path: string, group: number): void {
  try {
    chownSync(path, process.geteuid?.() ?? 0, group);
  } catch (error) {
    if (statSync(path).gid !== OWN_GID) throw error;
  }
  chmodSync(path, 0o660);
}

/** `group`: the gid that may read; null: root alone. `unread`: milliseconds. Throws HostError when the socket cannot be made. */
export async function serveControl(path: string, group: number | null, routes: Routes, unread = UNREAD_MILLISECONDS): Promise<Server> {
  const asked = new WeakSet<Socket>();
  const streams = new Set<ServerResponse>();
  const looking = new Set<Socket>();
  const server = createServer({ headersTimeout: HEADERS_MILLISECONDS, requestTimeout: REQUEST_MILLISECONDS, connectionsCheckingInterval: HEADERS_MILLISECONDS }, (request, response) => {
    // one question for each connection. Node would begin with all that were sent at once, and tell those behind the first of no end
    if (asked.has(request.socket)) return void request.socket.destroy();
    asked.add(request.socket);
    const target = URL.parse(`http://netwall${request.url ?? ''}`);
    const endless = target !== null && request.method === 'GET' && Object.hasOwn(routes.streams, target.pathname) ? routes.streams[target.pathname] : undefined;
    if (target !== null && endless !== undefined) {
      if (streams.size >= MOST_STREAMS) return write(response, fault(503, `${MOST_STREAMS} streams are open already`), unread);
      streams.add(response.on('close', () => streams.delete(response)));
      request.resume();
      return stream(endless, target.searchParams, response);
    }
    const answered = (answer: Answer) => {
      // who is still writing what no route wanted would not read the answer
      if (request.complete) write(response, answer, unread);
      else request.resume().once('end', () => write(response, answer, unread));
    };
    respond(routes, request, target, group === null ? null : looking).then(answered, (error: unknown) => {
      answered(fault(500, messageOf(error)));
      throw error;
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  rmSync(path, { force: true }); // whoever left it is gone: the instance lock is ours
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    if (group !== null) share(path, group);
  } catch (error) {
    throw new HostError('control socket', `${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    process.umask(mask);
  }
  return server;
}
