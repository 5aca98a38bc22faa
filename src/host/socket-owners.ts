/** Whose sockets are whose, from /proc/PID/fd (proc(5)). Of other users' processes only root may know. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** `gid`: the effective one. */
export type SocketOwner = { readonly pid: number; readonly name: string; readonly gid: number };

function ownerAt(pid: number): SocketOwner {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd(), gid: Number(/^Gid:\s+\d+\s+(\d+)/m.exec(status)?.[1]) };
}

/** Inodes of the sockets a process holds; none when it is gone or somebody else's. */
function socketsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return [];
  }
}

/** A process that holds each of these sockets, the first there is; none where it cannot be told. */
export function socketOwners(inodes: ReadonlySet<string>): ReadonlyMap<string, SocketOwner> {
  const owners = new Map<string, SocketOwner>();
  if (inodes.size === 0) return owners;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b)) {
    const mine = socketsOf(pid).filter((inode) => inodes.has(inode) && !owners.has(inode));
    if (mine.length === 0) continue;
    try {
      const owner = ownerAt(pid);
      for (const inode of mine) owners.set(inode, owner);
    } catch {
      // it has ended meanwhile
    }
    if (owners.size === inodes.size) break;
  }
  return owners;
}
