/** Policy files that are to be edited where they are installed: which, with what beside them, and how one is replaced. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { lstat, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parsePolicyFile } from '../policy/parse.ts';
import { buildPolicySet, type PolicyFile } from '../policy/policy-set.ts';
import type { Problem } from '../policy/problem.ts';
import { errorCode, HostError, messageOf } from './host-error.ts';
import { openPolicyFiles } from './policy-files.ts';
import { writeFileAtomically } from './state-files.ts';

/** The files in effect in these directories. */
export const readInstalled = (directories: readonly string[]): readonly PolicyFile[] => openPolicyFiles(directories).scan({ full: true, settle: false }).files;

const hashOf = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** Whether the text of a file is all there is to it: bytes that are no UTF-8 would not survive an edit. */
export const isAllText = (file: PolicyFile): boolean => hashOf(file.text) === file.hash;

/** Where an edit of a file goes. */
export type EditTarget = {
  /** What is to be written: the file itself, what it is a link to, or an override of the same name. */
  readonly path: string;
  /** `override`: the file comes with a package, and a copy in the highest directory takes its place. */
  readonly kind: 'itself' | 'link' | 'override';
};

/** What packages install is theirs: the next version of them would overwrite an edit. */
const isVendor = (path: string) => path.startsWith('/usr/') && !path.startsWith('/usr/local/');

/** `directories`: highest precedence first. Throws HostError. */
export function editTarget(file: string, directories: readonly string[]): EditTarget {
  const [highest = ''] = directories;
  const directory = dirname(file);
  // what lies in /run is of this boot, and so is its edit
  if (directory !== highest && !directory.startsWith('/run/')) return { path: join(highest, file.slice(directory.length + 1)), kind: 'override' };
  const real = realTarget(file);
  if (real === join(realTarget(directory), file.slice(directory.length + 1))) return { path: file, kind: 'itself' };
  if (isVendor(real)) throw new HostError('allow', `${file} is a link to ${real}, which belongs to a package: replace the link with a copy first`);
  return { path: real, kind: 'link' };
}

function realTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new HostError('allow', messageOf(error), { cause: error });
  }
}

/** What positions in the edited file say. */
export const shownPath = ({ path, kind }: EditTarget, file: PolicyFile): string => (kind === 'override' ? path : file.path);

/** What is wrong with a file once it says `text`, beside the others. */
export function problemsWith(target: EditTarget, file: PolicyFile, text: string, others: readonly PolicyFile[]): readonly Problem[] {
  const path = shownPath(target, file);
  // an override has an owner of its own; what stands in the way of the file itself stays in the way
  const refusals = target.kind === 'override' ? [] : file.refusals;
  const changed: PolicyFile = { ...file, path, text, hash: '', parsed: parsePolicyFile(path, text), refusals };
  // the others go first: it is the edit that is at fault
  const set = buildPolicySet([...others.filter(({ name }) => name !== file.name), changed], new Map(), () => null);
  return set.badFiles.filter((bad) => bad.path === path).flatMap(({ problems }) => problems);
}

const CHANGED = 'it was changed meanwhile; nothing is written: try again';

/** Writes the edit of a file that said `before`. Owner and mode stay. Throws HostError, and then the file is as it was. */
export async function writeEdit({ path, kind }: EditTarget, file: PolicyFile, text: string): Promise<void> {
  // two who edit at once must not share it
  const temporary = `${path}.${process.pid}.new`;
  try {
    if (kind === 'override') {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeFileAtomically(path, text, 0o644, { owner: { uid: 0, gid: 0 }, temporary, before: () => stillMissing(path) });
      return;
    }
    const { mode, uid, gid } = await stat(path);
    await writeFileAtomically(path, text, mode & 0o7777, { owner: { uid, gid }, temporary, before: () => stillSays(path, file) });
  } catch (error) {
    throw error instanceof HostError ? error : new HostError('allow', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function stillSays(path: string, file: PolicyFile): Promise<void> {
  if (hashOf(await readFile(path)) !== file.hash) throw new Error(CHANGED);
}

async function stillMissing(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  throw new Error('it is there, and masks the file it would replace: remove it first');
}
