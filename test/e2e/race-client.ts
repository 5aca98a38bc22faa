/**
 * Looks a name up and connects to the first address at once, again and again. Arguments: PATTERN (with # for the number of the round, or
 * without), ROUNDS, CONCURRENCY. Prints one line of JSON: how many rounds failed, and the first few reasons.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { name, query } from '../dns/bytes.ts';

const [pattern = '', rounds = '1', concurrency = '1'] = process.argv.slice(2);
const failures: string[] = [];

function lookUp(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => reject(new Error('no answer')), 5000);
    const end = (action: () => void) => {
      clearTimeout(timer);
      socket.close();
      action();
    };
    socket.on('error', (error) => end(() => reject(error)));
    // the address is the end of an answer without EDNS
    socket.on('message', (answer) => end(() => ((answer[3] ?? 0) & 15) === 0 && answer.readUInt16BE(6) > 0 ? resolve(answer.subarray(-4).join('.')) : reject(new Error(`code ${(answer[3] ?? 0) & 15}, ${answer.readUInt16BE(6)} answers`))));
    socket.send(query(name(host), 1, { edns: false }), 53, '9.9.9.9');
  });
}

function reach(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 443 });
    socket.setTimeout(900, () => socket.destroy(new Error('timeout')));
    socket.on('error', reject).on('connect', () => {
      socket.resetAndDestroy();
      resolve();
    });
  });
}

let next = 0;
async function worker(): Promise<void> {
  while (next < Number(rounds)) {
    const host = pattern.replace('#', String((next += 1)));
    try {
      const address = await lookUp(host);
      await reach(address);
    } catch (error) {
      failures.push(`${host}: ${error instanceof Error ? error.message : 'unknown'}`);
    }
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, worker));
process.stdout.write(`${JSON.stringify({ failures: failures.length, first: failures.slice(0, 5) })}\n`);
