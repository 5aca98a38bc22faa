/** Which processes hold which sockets, as `ss` (iproute2) tells root. */
import { execa } from 'execa';
import { type Address, parseAddress } from '../net/address.ts';
import { wireAddress } from '../net/special.ts';

export type Process = { readonly pid: number; readonly name: string };

/** `remote`: null where the socket has no peer. */
export type OwnedSocket = {
  readonly protocol: 'tcp' | 'udp';
  readonly uid: number;
  readonly localPort: number;
  readonly remote: Address | null;
  readonly remotePort: number | null;
  readonly processes: readonly Process[];
};

const TIMEOUT = 5000;
const MOST_OUTPUT = 64 * 1024 * 1024;

/** `10.0.0.1:443`, `[::1]:53`, `127.0.0.53%lo:53`, `*:22`, `0.0.0.0:*`. */
function readEnd(text: string): { readonly address: Address | null; readonly port: number | null } {
  const colon = text.lastIndexOf(':');
  const port = text.slice(colon + 1);
  const parsed = parseAddress(text.slice(0, colon).replace(/%.*$/, '').replace(/^\[(.*)\](?:%.*)?$/, '$1'));
  return { address: parsed.ok ? wireAddress(parsed.value) : null, port: port === '*' ? null : Number(port) };
}

/** Lines of `ss -H -n -t -u -a -p -e`. Pure. */
export function readSockets(text: string): readonly OwnedSocket[] {
  return text.split('\n').flatMap((line) => {
    const [protocol, , , , local = '', peer = ''] = line.trim().split(/\s+/);
    if (protocol !== 'tcp' && protocol !== 'udp') return [];
    const remote = readEnd(peer);
    const processes = new Map([...line.matchAll(/\("((?:[^"\\]|\\.)*)",pid=(\d+),fd=\d+\)/g)].map(([, name = '', pid = '']) => [Number(pid), { pid: Number(pid), name }]));
    // ss leaves out who is root
    const uid = Number(/\suid:(\d+)/.exec(line)?.[1] ?? 0);
    return [{ protocol, uid, localPort: readEnd(local).port ?? 0, remote: remote.port === null ? null : remote.address, remotePort: remote.port, processes: [...processes.values()] }];
  });
}

/** Every TCP and UDP socket of this network namespace. Empty where ss is missing. */
export async function ownedSockets(): Promise<readonly OwnedSocket[]> {
  const { stdout, failed } = await execa('/usr/bin/ss', ['-H', '-n', '-t', '-u', '-a', '-p', '-e'], { reject: false, env: {}, extendEnv: false, stdin: 'ignore', timeout: TIMEOUT, maxBuffer: MOST_OUTPUT, cwd: '/' });
  return failed ? [] : readSockets(stdout);
}
