/**
 * Who is at the other end of a Unix socket. Node has no SO_PEERCRED, so the socket tables are asked (`ss`, iproute2): our
 * descriptor names an inode, its row names the peer's inode, and that row the process.
 */
import { readlinkSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { execa } from 'execa';

function inodeOf(socket: Socket): string | null {
  // oxlint-disable-next-line no-underscore-dangle -- the only way to the descriptor of a pipe
  const handle = (socket as Socket & { _handle?: { fd?: number } | null })._handle;
  if (handle?.fd === undefined || handle.fd < 0) return null;
  return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${handle.fd}`))?.[1] ?? null;
}

/** The effective uid of every process that holds the peer's end; null where that cannot be told, which permits nothing. */
export async function peerUids(socket: Socket): Promise<readonly number[] | null> {
  try {
    const inode = inodeOf(socket);
    if (inode === null) return null;
    const { stdout } = await execa('/usr/bin/ss', ['-xnpH'], { env: {}, extendEnv: false, stdin: 'ignore', timeout: 5000, cwd: '/' });
    const rows = stdout.split('\n').map((line) => ({ line, fields: line.trim().split(/\s+/) }));
    const peer = rows.find(({ fields }) => fields[5] === inode)?.fields[7];
    const row = peer === undefined ? undefined : rows.find(({ fields }) => fields[5] === peer);
    const pids = [...(row?.line.matchAll(/pid=(\d+)/g) ?? [])].map(([, pid]) => pid);
    return pids.length === 0 ? null : pids.map((pid) => statSync(`/proc/${pid}`).uid);
  } catch {
    return null;
  }
}
