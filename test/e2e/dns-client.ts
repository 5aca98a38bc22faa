/** Asks as a service does, octet by octet. stdin: a line of JSON for each question; stdout: one for each answer. */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

/** `query` and `answer` in base64; `answer` null: none came within the time. */
export type ClientQuestion = { readonly id: number; readonly server: string; readonly transport: 'udp' | 'tcp'; readonly query: string; readonly timeout: number };
export type ClientAnswer = { readonly id: number; readonly answer: string | null };

function udp({ server, query, timeout }: ClientQuestion): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const end = (answer: Buffer | null) => {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => {}).close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), timeout);
    socket.on('error', () => end(null)).on('message', (answer) => end(answer));
    socket.send(Buffer.from(query, 'base64'), 53, server, (error) => error !== null && end(null));
  });
}

function tcp({ server, query, timeout }: ClientQuestion): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const bytes = Buffer.from(query, 'base64');
    const socket = connect({ host: server, port: 53 });
    let received = Buffer.alloc(0);
    const end = (answer: Buffer | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), timeout);
    socket.on('error', () => end(null)).on('close', () => end(null)).on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) end(received.subarray(2, 2 + received.readUInt16BE(0)));
    });
    const size = Buffer.alloc(2);
    size.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([size, bytes]));
  });
}

if (process.argv[1]?.endsWith('dns-client.ts') === true) {
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const question: ClientQuestion = JSON.parse(line);
      void (question.transport === 'udp' ? udp(question) : tcp(question)).then((answer) => {
        process.stdout.write(`${JSON.stringify({ id: question.id, answer: answer?.toString('base64') ?? null } satisfies ClientAnswer)}\n`);
      });
    })
    .on('close', () => process.exit());
}
