/** A DNS server that does as it is told, well or badly. Runs in the internet's agent. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Question, RECURSION_AVAILABLE, RECURSION_DESIRED, TRUNCATED_RESPONSE } from 'dns-packet';

/** How a name behaves; names that are not in the zone do not exist. */
export type Behaviour =
  /** Addresses of both families; `cname` is followed inside the zone; `ttl` is seconds (default 1). */
  | { readonly addresses: readonly string[]; readonly ttl?: number; readonly delay?: number; readonly truncate?: boolean }
  | { readonly cname: string; readonly ttl?: number }
  /** One of the lists per query and type, in turn. */
  | { readonly rotate: readonly (readonly string[])[]; readonly ttl?: number }
  /** `nodata`: the name exists without addresses; `garbage`: bytes that are no message; `drop`: silence. */
  | { readonly fail: 'servfail' | 'refused' | 'nxdomain' | 'nodata' | 'drop' | 'garbage' | 'wrong-id' | 'wrong-question' };

/** Lower-case names without the final dot. */
export type Zone = Readonly<Record<string, Behaviour>>;

export type Query = { readonly name: string; readonly type: string; readonly transport: 'udp' | 'tcp'; readonly server: string; readonly from: string };

type Reply = { readonly bytes: Buffer | null; readonly delay: number };

let zone: Zone = {};
let queries: Query[] = [];
const turns = new Map<string, number>();

const rcodes = { servfail: 2, nxdomain: 3, refused: 5 } as const;

const serveDns = async ({ addresses, port }: { addresses: readonly string[]; port: number }): Promise<void> => {
  for (const address of addresses) await Promise.all([serveUdp(address, port), serveTcp(address, port)]);
};

const serveUdp = async (address: string, port: number): Promise<void> => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {}).on('message', (message, peer) => {
    void reply(message, { transport: 'udp', server: address, from: peer.address }).then((answer) => answer && socket.send(answer, peer.port, peer.address, () => {}));
  });
  socket.bind(port, address);
  await once(socket, 'listening');
};

const serveTcp = async (address: string, port: number): Promise<void> => {
  const server = createServer((peer) => {
    let pending = Buffer.alloc(0);
    peer.on('error', () => {}).on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0);
        const message = pending.subarray(2, 2 + length);
        pending = pending.subarray(2 + length);
        void reply(message, { transport: 'tcp', server: address, from: peer.remoteAddress ?? '' }).then((answer) => answer && peer.writable && peer.write(framed(answer)));
      }
    });
  });
  server.listen(port, address);
  await once(server, 'listening');
};

const framed = (message: Buffer): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
};

const reply = async (message: Buffer, about: Omit<Query, 'name' | 'type'>): Promise<Buffer | null> => {
  const asked = read(message);
  if (asked === null) return null;
  const { id, question } = asked;
  queries.push({ ...about, name: question.name.toLowerCase(), type: question.type });
  const { bytes, delay } = answerTo(id, question, about.transport);
  if (delay > 0) await sleep(delay);
  return bytes;
};

/** Null for what is no query: probes send anything to port 53. */
const read = (message: Buffer): { id: number; question: Question } | null => {
  try {
    const { id = 0, questions = [] } = decode(message);
    return questions[0] === undefined ? null : { id, question: questions[0] };
  } catch {
    return null;
  }
};

const answerTo = (id: number, question: Question, transport: 'udp' | 'tcp'): Reply => {
  const behaviour = zone[question.name.toLowerCase()] ?? { fail: 'nxdomain' };
  if ('fail' in behaviour) return { bytes: failure(id, question, behaviour.fail), delay: 0 };
  if ('addresses' in behaviour && behaviour.truncate === true && transport === 'udp') return { bytes: response(id, question, [], TRUNCATED_RESPONSE), delay: 0 };
  return { bytes: response(id, question, records(question.name, question, 0)), delay: 'addresses' in behaviour ? (behaviour.delay ?? 0) : 0 };
};

const failure = (id: number, question: Question, kind: Extract<Behaviour, { fail: string }>['fail']): Buffer | null => {
  switch (kind) {
    case 'drop':
      return null;
    case 'garbage':
      return randomBytes(40);
    case 'nodata':
      return response(id, question, []);
    case 'wrong-id':
      return response(id ^ 1, question, [{ type: 'A', name: question.name, ttl: 1, data: '45.64.66.66' }]);
    case 'wrong-question':
      return response(id, { ...question, name: 'elsewhere.example.com' }, [{ type: 'A', name: question.name, ttl: 1, data: '45.64.66.66' }]);
    case 'servfail':
    case 'nxdomain':
    case 'refused':
      return response(id, question, [], rcodes[kind]);
    default:
      return kind satisfies never;
  }
};

/** The question goes back as it came, case included: a resolver that uses 0x20 compares it. */
const response = (id: number, question: Question, answers: Answer[], flags = 0): Buffer =>
  encode({
    type: 'response',
    id,
    flags: RECURSION_DESIRED | RECURSION_AVAILABLE | AUTHORITATIVE_ANSWER | flags,
    questions: [question],
    answers,
  });

const records = (owner: string, question: Question, depth: number): Answer[] => {
  const behaviour = zone[owner.toLowerCase()];
  if (behaviour === undefined || 'fail' in behaviour || depth > 12) return [];
  const ttl = behaviour.ttl ?? 1;
  if ('cname' in behaviour) return [{ type: 'CNAME', name: owner, ttl, data: behaviour.cname }, ...records(behaviour.cname, question, depth + 1)];
  const addresses = 'rotate' in behaviour ? nextTurn(`${owner.toLowerCase()} ${question.type}`, behaviour.rotate) : behaviour.addresses;
  return addresses
    .filter((address) => question.type === (address.includes(':') ? 'AAAA' : 'A'))
    .map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', name: owner, ttl, data }));
};

const nextTurn = (key: string, lists: readonly (readonly string[])[]): readonly string[] => {
  const turn = turns.get(key) ?? 0;
  turns.set(key, turn + 1);
  return lists[turn % lists.length] ?? [];
};

const setZone = async (next: Zone): Promise<void> => {
  zone = next;
};

/** Every query since the last call. */
const takeQueries = async (): Promise<Query[]> => {
  const taken = queries;
  queries = [];
  return taken;
};

export const operations = { serveDns, setZone, takeQueries };
