/**
 * The daemon's memory between runs. Each file is written whole and atomically (temporary file, fsync, rename, fsync of the
 * directory), carries a version and a checksum, and is believed only when both are right: torn or foreign state is no state.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
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

/** Afterwards the file is either as it was or as asked, whatever happens meanwhile. */
export async function writeFileAtomically(path: string, text: string | Iterable<string>, mode = 0o600, { owner, before, temporary = `${path}.new` }: WriteOptions = {}): Promise<void> {
  const directory = dirname(path);
  let handle: FileHandle | null = null;
  try {
    handle = await open(temporary, 'w', mode);
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
    await handle.chmod(mode); // whatever the umask
    await handle.writeFile(typeof text === 'string' ? text : unhurried(text));
    await handle.sync();
    await handle.close();
    handle = null;
    await before?.();
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await handle?.close();
    await rm(temporary, { force: true });
    throw error;
  }
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
