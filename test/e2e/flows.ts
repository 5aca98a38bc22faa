/** Connections and UDP exchanges that live longer than one probe, named by number across the pipe. */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, outcomeOf, type Reach, since, type Target } from './reach.ts';

/** `error` is why it ended, `end` after an orderly close. */
type Stream = { readonly kind: 'tcp'; readonly socket: Socket; received: string; ended: string | null };
type Exchange = { readonly kind: 'udp'; readonly socket: Datagrams; readonly to: Target; received: string; ended: string | null };
type Flow = Stream | Exchange;

const flows = new Map<number, Flow>();
let last = 0;

const remember = (flow: Flow): number => {
  last += 1;
  flows.set(last, flow);
  return last;
};

const recall = (id: number): Flow => {
  const flow = flows.get(id);
  if (flow === undefined) throw new Error(`There is no flow ${id}`);
  return flow;
};

/** `flow` is null when the connection was not made. */
const openTcp = async (target: Target): Promise<Reach & { flow: number | null }> => {
  const { result, ms, socket } = await connect(target);
  if (socket === null) return { result, ms, flow: null };
  const flow: Stream = { kind: 'tcp', socket, received: '', ended: null };
  socket.setEncoding('utf8').on('data', (data) => (flow.received += data));
  socket.on('error', (error) => (flow.ended = outcomeOf(error))).on('close', () => (flow.ended ??= 'end'));
  return { result, ms, flow: remember(flow) };
};

/** A socket of its own for the whole exchange, so that the kernel sees one flow. */
const openUdp = async (target: Target): Promise<Reach & { flow: number }> => {
  const socket = createSocket(target.address.includes(':') ? 'udp6' : 'udp4');
  const flow: Exchange = { kind: 'udp', socket, to: target, received: '', ended: null };
  socket.on('message', (data) => (flow.received += data.toString())).on('error', (error) => (flow.ended = outcomeOf(error)));
  socket.bind(target.fromPort ?? 0, target.from);
  await once(socket, 'listening');
  return { result: 'open', ms: 0, flow: remember(flow) };
};

const transmit = (flow: Flow, data: string): void => {
  if (flow.kind === 'tcp') flow.socket.write(data);
  else flow.socket.send(data, flow.to.port, flow.to.address, (error) => error && (flow.ended = outcomeOf(error)));
};

/** Waits until `arrived`, the flow ends, or `timeout`; looks every 2 ms, which is precise enough for what is measured here. */
const until = async (flow: Flow, arrived: () => boolean, timeout: number): Promise<void> => {
  const end = performance.now() + timeout;
  while (!arrived() && flow.ended === null && performance.now() < end) await sleep(2);
};

/** Sends a line and waits for its echo: `echoed`, `timeout`, or how the flow ended (`ECONNRESET`, `end`, `eperm`, …). */
const exchange = async ({ flow: id, timeout }: { flow: number; timeout: number }): Promise<Reach> => {
  const flow = recall(id);
  const start = performance.now();
  const line = `${id}-${start}\n`;
  if (flow.kind === 'udp') flow.ended = null;
  if (flow.ended === null) transmit(flow, line);
  await until(flow, () => flow.received.includes(line), timeout);
  const result = flow.received.includes(line) ? 'echoed' : (flow.ended ?? 'timeout');
  return { result, ms: since(start) };
};

/** Everything received so far, after waiting for `text` to be among it. */
const receive = async ({ flow: id, text, timeout }: { flow: number; text: string; timeout: number }): Promise<{ received: string; ended: string | null }> => {
  const flow = recall(id);
  await until(flow, () => flow.received.includes(text), timeout);
  return { received: flow.received, ended: flow.ended };
};

const closeFlow = async ({ flow: id }: { flow: number }): Promise<void> => {
  const flow = recall(id);
  flows.delete(id);
  if (flow.kind === 'tcp') flow.socket.destroy();
  else flow.socket.close();
};

export const operations = { openTcp, openUdp, exchange, receive, closeFlow };
