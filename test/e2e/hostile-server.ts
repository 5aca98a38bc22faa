/**
 * The name server that plays `hostileCases`, over UDP and TCP. Each name that is asked for goes to stdout, a line each.
 * Honest names beside them: `f17.…` has an address of its own for each number, `turning.…` has two of 4,000, others at each question.
 */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { a, message, QNAME } from '../dns/bytes.ts';
import { type Asked, hostileCases, type Reply } from './hostile-cases.ts';

const [address = '', other = ''] = process.argv.slice(2);
const asked = new Map<string, number>();

function read(bytes: Buffer, transport: 'udp' | 'tcp'): Asked | null {
  let end = 12;
  const labels: string[] = [];
  while ((bytes[end] ?? 0) > 0) {
    labels.push(bytes.subarray(end + 1, end + 1 + (bytes[end] ?? 0)).toString('latin1').toLowerCase());
    end += 1 + (bytes[end] ?? 0);
  }
  const question = bytes.subarray(12, end + 5);
  const key = `${transport} ${labels.join('.')} ${bytes.readUInt16BE(end + 1)}`;
  const before = asked.get(key) ?? 0;
  asked.set(key, before + 1);
  process.stdout.write(`${labels.join('.')}\n`);
  const number = Number(/^c(\d+)$/.exec(labels[0] ?? '')?.[1] ?? Number.NaN);
  return Number.isNaN(number) ? null : { number, id: bytes.readUInt16BE(0), question, nameLength: end + 1 - 12, type: bytes.readUInt16BE(end + 1), transport, before };
}

const address4 = (base: number, index: number) => `45.64.${base + (index >> 8)}.${index & 255}`;
let turn = 0;

/** Addresses of honest names; null: it is none of them. */
function honestAddresses(label: string): string[] | null {
  const number = /^f(\d+)$/.exec(label)?.[1];
  if (number !== undefined) return [address4(0, Number(number) % 25_600)];
  if (label !== 'turning') return null;
  turn += 1;
  return [address4(120, (2 * turn) % 4000), address4(120, (2 * turn + 1) % 4000)];
}

const repliesTo = (bytes: Buffer, transport: 'udp' | 'tcp'): readonly Reply[] => {
  const query = read(bytes, transport);
  const end = 13 + (bytes[12] ?? 0);
  const addresses = honestAddresses(bytes.subarray(13, end).toString('latin1').toLowerCase());
  if (addresses !== null) {
    const question = bytes.subarray(12, bytes.indexOf(0, 12) + 5);
    const type = question.readUInt16BE(question.length - 4);
    return [{ bytes: message({ id: bytes.readUInt16BE(0), question, answers: type === 1 ? addresses.map((one) => a(one, QNAME, 1)) : [] }) }];
  }
  return query === null ? [] : (hostileCases[query.number]?.replies(query) ?? []);
};

const main = createSocket('udp4');
const elsewhere: Readonly<Record<'address' | 'port', Datagrams>> = { address: createSocket('udp4'), port: createSocket('udp4') };
main.on('message', (bytes, peer) => {
  for (const { bytes: reply, after = 0, from } of repliesTo(bytes, 'udp')) {
    if (reply !== undefined) setTimeout(() => (from === undefined ? main : elsewhere[from]).send(reply, peer.port, peer.address), after);
  }
});

async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  socket.setNoDelay(true);
  for (const octet of bytes) {
    socket.write(Buffer.from([octet]));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

createServer((socket) => {
  let received = Buffer.alloc(0);
  socket.on('error', () => {}).on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const query = received.subarray(2, end);
      received = received.subarray(end);
      for (const { bytes, trickle: slowly, raw, close } of repliesTo(query, 'tcp')) {
        const reply = Buffer.from(bytes ?? []);
        const size = Buffer.alloc(2);
        size.writeUInt16BE(reply.length);
        const whole = raw === true ? reply : Buffer.concat([size, reply]);
        if (slowly === true) void trickle(socket, whole);
        else socket.write(whole);
        if (close === true) socket.end();
      }
    }
  });
}).listen(53, address);

elsewhere.address.bind(53, other);
elsewhere.port.bind(5353, address);
main.bind(53, address, () => process.stdout.write('ready\n'));
process.stdin.on('end', () => process.exit()).resume();
