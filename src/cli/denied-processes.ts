/** Which processes have a socket open that may have sent what was refused. Looked up here: the daemon may not look into processes, root who asks may. */
import type { DeniedEntry } from '../control/api.ts';
import { socketOwners } from '../host/socket-owners.ts';
import { openSockets, type OpenSocket } from '../host/sockets.ts';
import { formatAddress } from '../net/address.ts';

type Process = { readonly pid: number; readonly name: string };
export type DeniedByProcess = DeniedEntry & { readonly processes: readonly Process[] };

const holds = ({ uid, address, protocol, port, direction }: DeniedEntry, socket: OpenSocket): boolean => {
  if (uid === null || socket.uid !== uid || socket.protocol !== protocol) return false;
  if (direction === 'in') return socket.localPort === port;
  // a UDP socket without a peer may have sent it
  if (socket.remote === null) return protocol === 'udp';
  return socket.remotePort === port && formatAddress(socket.remote) === address;
};

/** Who is not root finds its own processes. */
export function withProcesses(denied: readonly DeniedEntry[]): readonly DeniedByProcess[] {
  const sockets = denied.length === 0 ? [] : openSockets();
  const held = denied.map((entry) => sockets.filter((socket) => holds(entry, socket)).map(({ inode }) => inode));
  const owners = socketOwners(new Set(held.flat()));
  return denied.map((entry, at) => {
    const processes = new Map((held[at] ?? []).flatMap((inode) => owners.get(inode) ?? []).map(({ pid, name }) => [pid, { pid, name }]));
    return { ...entry, processes: [...processes.values()] };
  });
}
