/** Programs that run as somebody else, or with capabilities of their own: in the directories where programs are. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Known, known, unknown } from './known.ts';

export type Program = {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** The shell whose bytes it has, under whatever name. */
  readonly copyOf: string | null;
};

/** Beside PATH: where helpers lie that are setuid. */
const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/games', '/usr/libexec', '/usr/lib/openssh', '/usr/lib/dbus-1.0', '/usr/lib/policykit-1', '/usr/lib/polkit-1'];
const MOST_FILES = 20_000;
const MOST_BYTES = 8 * 1024 * 1024;
const GETCAP = '/usr/sbin/getcap';
const SHELLS = ['/bin/sh', '/bin/bash', '/bin/dash', '/bin/zsh', '/bin/ksh', '/bin/mksh', '/bin/busybox', '/usr/bin/fish', '/usr/bin/env', '/usr/bin/perl', '/usr/bin/python3'];

function each<T>(of: () => readonly T[]): readonly T[] {
  try {
    return of();
  } catch {
    return []; // no such directory, or not ours to see: nobody governed runs anything from there by name
  }
}

/** Without doubles: on most hosts /bin is /usr/bin. */
export function programDirectories(path: string): readonly string[] {
  const named = [...path.split(':').filter((directory) => directory.startsWith('/')), ...DIRECTORIES];
  return [...new Set(named.flatMap((directory) => each(() => [realpathSync(directory)])))];
}

function digest(path: string, size: number): string | null {
  if (size > MOST_BYTES) return null;
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(size);
    readSync(descriptor, bytes, 0, size, 0);
    return createHash('sha256').update(bytes).digest('hex');
  } finally {
    closeSync(descriptor);
  }
}

/** Which shell has the very bytes of this program. Only files of the same size are read. */
function shellLike(path: string, size: number, inode: number): string | null {
  for (const shell of SHELLS) {
    const found = each(() => [{ shell: realpathSync(shell), stats: statSync(shell) }])[0];
    if (found === undefined || found.stats.size !== size) continue;
    if (found.stats.ino === inode || digest(found.shell, size) === digest(path, size)) return found.shell;
  }
  return null;
}

/** Programs with the setuid or setgid bit. */
export function readSetIdPrograms(directories: readonly string[]): readonly Program[] {
  const files = directories.flatMap((directory) => each(() => readdirSync(directory).map((name) => join(directory, name)))).slice(0, MOST_FILES);
  return files.flatMap((path) =>
    each(() => {
      const stats = statSync(path);
      const { uid, gid, mode, size, ino } = stats;
      if (!stats.isFile() || (mode & 0o6000) === 0 || (mode & 0o111) === 0 || realpathSync(path) !== path) return [];
      return [{ path, uid, gid, mode, copyOf: each(() => [shellLike(path, size, ino)])[0] ?? null }];
    }),
  );
}

export type Capable = Program & { readonly capabilities: readonly string[] };

/** `PATH cap_net_raw=ep`, or `PATH = cap_net_raw+ep` of older versions (getcap(8)). */
export function readGetcap(text: string): ReadonlyMap<string, readonly string[]> {
  const rows = text.split('\n').flatMap((line): [string, string[]][] => {
    const [, path, capabilities] = /^(\/.*?)(?: =)? ((?:cap_\w+,?)+)[=+][a-z]+/.exec(line) ?? [];
    return path === undefined || capabilities === undefined ? [] : [[path, capabilities.split(',').filter(Boolean)]];
  });
  return new Map(rows);
}

/** Node cannot read extended attributes, so getcap(8) does. */
export async function readCapablePrograms(directories: readonly string[]): Promise<Known<readonly Capable[]>> {
  const result = await execa(GETCAP, ['-r', ...directories], { env: { LC_ALL: 'C' }, extendEnv: false, stdin: 'ignore', reject: false, timeout: 20_000, cwd: '/' });
  if (result.code === 'ENOENT') return unknown('getcap is missing: apt install libcap2-bin');
  if (result.timedOut) return unknown('getcap takes too long');
  const programs = [...readGetcap(result.stdout)].flatMap(([path, capabilities]) =>
    each(() => {
      const { uid, gid, mode } = statSync(path);
      return [{ path, uid, gid, mode, copyOf: null, capabilities }];
    }),
  );
  return known(programs);
}
