/**
 * The daemon's memory between runs. Each file is written whole and atomically (temporary file, fsync, rename, fsync of the
 * directory), carries a version and a checksum, and is believed only when both are right: torn or foreign state is no state.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { errorCode, HostError, messageOf } from './host-error.ts';

const VERSION = 1;
const envelope = z.object({ version: z.literal(VERSION), checksum: z.string(), data: z.unknown() });

const checksum = (data: unknown) => createHash('sha256').update(JSON.stringify(data)).digest('hex');

export type StateFiles = {
  /** What was written last under that name, checked against a schema. Null: nothing, with the reason when there was something. */
  read<T>(name: string, schema: z.ZodType<T>): Promise<{ readonly data: T | null; readonly fault: string | null }>;
  /** Throws HostError; the previous content is then still there. */
  write(name: string, data: unknown): Promise<void>;
};

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export type WriteOptions = {
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Called when all is ready; what it throws leaves the file as it was. */
  readonly before?: () => Promise<void>;
  /** What the temporary file is called; by default one name, so that what a crash leaves is overwritten by the next write. */
  readonly temporary?: string;
};

/** Who makes a long text piece by piece lets others have their turn in between. */
async function* unhurried(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await setImmediate();
  }
}

const temporaryOf = (path: string) => `${path}.new`;

/** A temporary file that stays is in nobody's way, and what went wrong before it is what is to be told. */
const discard = (temporary: string) => rm(temporary, { force: true }).catch(() => {});

/** What could not be written whole, and to the disk, is gone again. */
async function writeTemporary(temporary: string, text: string | Iterable<string>, mode: number, owner?: WriteOptions['owner']): Promise<void> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(temporary, 'w', mode);
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
    await handle.chmod(mode); // whatever the umask
    await handle.writeFile(typeof text === 'string' ? text : unhurried(text));
    await handle.sync();
    await handle.close();
    handle = null;
  } catch (error) {
    await handle?.close();
    await discard(temporary);
    throw error;
  }
}

/** Afterwards the file is either as it was or as asked, whatever happens meanwhile. */
export async function writeFileAtomically(path: string, text: string | Iterable<string>, mode = 0o600, { owner, before, temporary = temporaryOf(path) }: WriteOptions = {}): Promise<void> {
  await writeTemporary(temporary, text, mode, owner);
  try {
    await before?.();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await discard(temporary);
    throw error;
  }
}

const asideOf = (path: string) => `${path}.replaced`;

/** A second name for what is there, be it a file or a link: it can be put back without room on the disk. False: nothing is there. */
async function setAside(path: string): Promise<boolean> {
  await discard(asideOf(path)); // of a crash
  try {
    await link(path, asideOf(path));
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw new Error(`what is there cannot be set aside: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Text by path, all in one directory: either all are as asked afterwards, or, when it throws, all as they were (if the directory cannot be synced at the very
 * end, all as asked). What can fail for want of room is done before the first is replaced. Only a crash between two renames leaves some of each; what the
 * replaced ones were then lies beside them as `*.replaced`.
 */
export async function writeFilesTogether(files: ReadonlyMap<string, string>, mode: number): Promise<void> {
  const paths = [...files.keys()];
  const aside = new Set<string>();
  const replaced: string[] = [];
  let at = '';
  try {
    for (const [path, text] of files) {
      at = path;
      await writeTemporary(temporaryOf(path), text, mode);
    }
    // the last is never put back: no rename comes after it
    for (const path of paths.slice(0, -1)) {
      at = path;
      if (await setAside(path)) aside.add(path);
    }
    for (const path of paths) {
      at = path;
      await rename(temporaryOf(path), path);
      replaced.push(path);
    }
  } catch (error) {
    const stuck: string[] = [];
    for (const path of replaced) {
      await (aside.has(path) ? rename(asideOf(path), path) : rm(path)).catch(() => stuck.push(path));
      aside.delete(path);
    }
    await syncDirectory(dirname(at)).catch(() => {});
    const left = stuck.length === 0 ? '' : `; replaced already, and could not be put back: ${stuck.join(', ')}`;
    throw new Error(`${at}: ${messageOf(error)}${left}`, { cause: error });
  } finally {
    for (const temporary of [...paths.map(temporaryOf), ...[...aside].map(asideOf)]) await discard(temporary);
  }
  await syncDirectory(dirname(at));
}

/** Opens (and makes, mode 0700) the state directory. Throws HostError when it cannot be made or is somebody else's. */
export async function openStateFiles(directory: string): Promise<StateFiles> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(directory);
    if (uid !== (process.geteuid?.() ?? uid) || (mode & 0o022) !== 0) throw new Error('belongs to another user or is writable by others');
  } catch (error) {
    throw new HostError('state directory', `${directory}: ${messageOf(error)}`, { cause: error });
  }
  /** By name: writes wait for each other, as they share a temporary file. */
  const writing = new Map<string, Promise<void>>();
  return {
    async read(name, schema) {
      const path = join(directory, `${name}.json`);
      try {
        const { uid, mode } = await stat(path);
        if ((uid !== 0 && uid !== (process.geteuid?.() ?? uid)) || (mode & 0o022) !== 0) throw new Error('belongs to another user or is writable by others');
        const { checksum: expected, data } = envelope.parse(JSON.parse(await readFile(path, 'utf8')));
        if (checksum(data) !== expected) throw new Error('checksum does not match');
        return { data: schema.parse(data), fault: null };
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return { data: null, fault: null };
        const fault = error instanceof z.ZodError ? 'not of a form this version knows' : messageOf(error);
        return { data: null, fault: `${path}: ${fault}` };
      }
    },
    async write(name, data) {
      const text = JSON.stringify({ version: VERSION, checksum: checksum(data), data });
      const written = (writing.get(name) ?? Promise.resolve()).then(() => writeFileAtomically(join(directory, `${name}.json`), text));
      writing.set(name, written.catch(() => {}));
      try {
        await written;
      } catch (error) {
        throw new HostError('write state', `${name}: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}
