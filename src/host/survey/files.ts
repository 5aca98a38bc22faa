/** Files that the wall relies on, and files that say who may do what: owner and mode, or the text. */
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { attemptOr, type Known, known } from './known.ts';

export type Owned = { readonly path: string; readonly uid: number; readonly gid: number; readonly mode: number };

const owned = (path: string): Owned => {
  const { uid, gid, mode } = statSync(path);
  return { path, uid, gid, mode };
};

/** Null: there is none. */
export const readOwned = (path: string): Known<Owned | null> => attemptOr(null, () => owned(path));

/** A path and all directories on the way to it, as whoever may write to one of these may put something else there. Empty: there is none. */
export const readWay = (path: string): Known<readonly Owned[]> =>
  attemptOr([], () => {
    const way: Owned[] = [];
    for (const start of new Set([resolve(path), realpathSync(path)])) {
      for (let at = start; ; at = dirname(at)) {
        if (!way.some((known) => known.path === at)) way.push(owned(at));
        if (at === dirname(at)) break;
      }
    }
    return way;
  });

/** Null: there is none. */
export const readTextFile = (path: string): Known<string | null> => attemptOr(null, () => readFileSync(path, 'utf8'));

/** Names in a directory; none where there is none. */
export const readNames = (path: string): Known<readonly string[]> => attemptOr([], () => readdirSync(path));

const MOST_INCLUDES = 200;
const INCLUDE = /^[ \t]*[@#]include(dir)?[ \t]+("?)(\S+?)\2[ \t]*$/gm;

/** sudoers(5) with what it includes, as one text; null: there is no sudo. */
export const readSudoers = (path = '/etc/sudoers'): Known<string | null> => {
  const texts: string[] = [];
  const open = [path];
  const seen = new Set<string>();
  for (let next = open.shift(); next !== undefined && seen.size < MOST_INCLUDES; next = open.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const read = readTextFile(next);
    if (!read.ok) return read;
    if (read.value === null) continue;
    texts.push(read.value);
    for (const [, directory, , target = ''] of read.value.matchAll(INCLUDE)) {
      const at = resolve(dirname(next), target);
      if (directory === undefined) open.push(at);
      else {
        const names = readNames(at);
        if (!names.ok) return names;
        // sudo skips names with a dot or a tilde at the end, so as not to read editors' leavings
        open.push(...names.value.filter((name) => !name.includes('.') && !name.endsWith('~')).sort().map((name) => join(at, name)));
      }
    }
  }
  return known(texts.length === 0 ? null : texts.join('\n'));
};

export type EngineSocket = Owned & { readonly engine: string };

/** Whoever may write to one of these is root in all but name. */
const ENGINES: readonly (readonly [engine: string, socket: string])[] = [
  ['docker', '/run/docker.sock'],
  ['containerd', '/run/containerd/containerd.sock'],
  ['podman', '/run/podman/podman.sock'],
  ['cri-o', '/run/crio/crio.sock'],
  ['lxd', '/var/snap/lxd/common/lxd/unix.socket'],
  ['lxd', '/var/lib/lxd/unix.socket'],
  ['incus', '/var/lib/incus/unix.socket'],
  ['libvirt', '/run/libvirt/libvirt-sock'],
];

/** Sockets of container engines. */
export function readEngines(): Known<readonly EngineSocket[]> {
  const found: EngineSocket[] = [];
  for (const [engine, path] of ENGINES) {
    const socket = attemptOr(null, () => (lstatSync(path).isSocket() ? { engine, ...owned(path) } : null));
    if (!socket.ok) return socket;
    if (socket.value !== null) found.push(socket.value);
  }
  return known(found);
}
