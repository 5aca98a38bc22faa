/** Who is at the other end of a Unix socket. Node has no SO_PEERCRED (unix(7)), so a child inherits the socket and asks; perl is on every Debian. */
import type { Socket } from 'node:net';
import { execa } from 'execa';

const PERL = '/usr/bin/perl';
/** SOL_SOCKET, SO_PEERCRED: the same on x86 and ARM (asm-generic/socket.h). struct ucred is pid, uid, gid. */
const ASK = 'my ($pid, $uid, $gid) = unpack "I3", getsockopt(STDIN, 1, 17) // exit 1; print $uid';

/** The effective uid of who connected, at that moment; null where it cannot be told, which permits nothing. */
export async function peerUid(socket: Socket): Promise<number | null> {
  // oxlint-disable-next-line no-underscore-dangle -- the only way to the descriptor of a pipe
  const handle = (socket as Socket & { _handle?: { fd?: number } | null })._handle;
  if (handle?.fd === undefined || handle.fd < 0) return null;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- any descriptor will do, but execa's types end at 9
    const { stdout } = await execa(PERL, ['-e', ASK], { env: {}, extendEnv: false, stdin: handle.fd as 3, timeout: 5000, cwd: '/' });
    return /^\d+$/.test(stdout) ? Number(stdout) : null;
  } catch {
    return null;
  }
}
