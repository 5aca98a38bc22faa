/** A small forwarding resolver: ADDRESS PORT UPSTREAM. Every query it takes is a line on stdout. */
import { createSocket } from 'node:dgram';

const [address = '', port = '0', upstream = ''] = process.argv.slice(2);
const server = createSocket('udp4');
server.on('message', (query, peer) => {
  process.stdout.write('query\n');
  const socket = createSocket('udp4');
  const timer = setTimeout(() => socket.close(), 5000);
  socket.on('error', () => {}).on('message', (answer) => {
    clearTimeout(timer);
    socket.close();
    server.send(answer, peer.port, peer.address);
  });
  socket.send(query, 53, upstream, () => {});
});
server.bind(Number(port), address, () => process.stdout.write('ready\n'));
process.stdin.on('end', () => process.exit()).resume();
