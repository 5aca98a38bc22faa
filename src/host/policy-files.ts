/**
 * Policy files as they lie in their directories. A file whose inode, size and change time are as before is not read again, except in a
 * full scan, which goes by content. Where it is known which files may have changed, the others are not even looked at.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { effectiveFiles, isPolicyFileName } from '../policy/dropins.ts';
import { MAX_FILE_SIZE, parsePolicyFile } from '../policy/parse.ts';
import type { PolicyFile } from '../policy/policy-set.ts';
import type { Problem } from '../policy/problem.ts';
import { errorCode, HostError, messageOf } from './host-error.ts';

/**
 * A file that is gone, or empty, is believed only after it stayed so: editors move the old file away before they write the
 * new one, and `cat >` truncates first. A removal that was meant lifts its policy this much later; no edit opens the wall.
 */
export const SETTLE_MILLISECONDS = 300;
/** A writer that never rests for that long is believed in the end. */
const LONGEST_WRITING_MILLISECONDS = 3000;

/** Which file it is, and when it was last written (wall clock); what cannot be looked at is none, and its time tells nothing. */
type Identity = { readonly inode: string; readonly modified: number };
const NO_IDENTITY: Identity = { inode: '', modified: Number.POSITIVE_INFINITY };

/** `homes`: the directories of the file and of the links that lead to it. */
type Known = Identity & { readonly stamp: string; readonly homes: readonly string[]; readonly file: PolicyFile; readonly empty: boolean };

type Found = { readonly name: string; readonly empty: boolean; readonly file: PolicyFile; readonly inode: string };

/** A change that is not believed yet: when it was first seen, and since when it says what it says. Monotonic. */
type Writing = { readonly first: number; readonly hash: string; readonly since: number };

/** Nothing in the file or its directory need change for these to pass. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EAGAIN', 'ETIMEDOUT', 'ESTALE']);

export type Scan = {
  /** Effective files in name order; the same objects as before where nothing changed, and the same array where nothing changed at all. */
  readonly files: readonly PolicyFile[];
  /** True: something is gone or being written, and not yet believed; scan again after SETTLE_MILLISECONDS. */
  readonly unsettled: boolean;
  /** Files masked by one of the same name in a higher directory. */
  readonly masked: readonly string[];
  /** Directories that could not be read; their files stay as they were. */
  readonly failures: readonly string[];
  /** True: something could not be read for want of descriptors or memory, or by a fault of the disk; it may be otherwise soon. */
  readonly unread: boolean;
};

export type PolicyFiles = {
  /**
   * `full`: by content. `settle: false`: what is gone is gone, and what is written is written, somebody says so. `touched`: only these paths
   * can be otherwise; omitted: any. Throws HostError while a directory is there that never could be read.
   */
  scan(options: { readonly full: boolean; readonly settle: boolean; readonly touched?: ReadonlySet<string> | undefined }): Scan;
};

const isMissing = (error: unknown) => errorCode(error) === 'ENOENT';
/** Owned by root, writable by nobody else. */
const isTrusted = ({ uid, mode }: Stats) => uid === 0 && (mode & 0o022) === 0;

function refusal(path: string, message: string, hint: string): Problem {
  return { severity: 'error', at: { file: path, line: 1, column: 1 }, message, hint };
}

/** ProtectHome= in netwalld.service. */
const HIDDEN = 'under its unit netwalld sees neither /root nor /home: put the file itself into the policy directory';

/** As many links as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

/** Whoever may write to one of these may put another file in its place. */
function homesOf(path: string): readonly string[] {
  const homes = [dirname(path)];
  let at = path;
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const home = realpathSync(dirname(at));
    homes.push(home);
    try {
      at = resolve(home, readlinkSync(at));
    } catch (error) {
      if (errorCode(error) === 'EINVAL') break; // no link: the file itself
      throw error;
    }
  }
  return [...new Set(homes)];
}

function trustProblems(path: string, homes: readonly string[], file: Stats): Problem[] {
  const problems: Problem[] = [];
  if (!isTrusted(file)) {
    problems.push(refusal(path, 'the file must belong to root and be writable by nobody else', `chown root: ${path} && chmod go-w ${path}`));
  }
  return [...problems, ...homeProblems(path, homes)];
}

const homeProblems = (path: string, homes: readonly string[]): Problem[] =>
  homes.flatMap((directory) =>
    isTrusted(statSync(directory)) ? [] : [refusal(path, `its directory ${directory} must belong to root and be writable by nobody else`, `chown root: ${directory} && chmod go-w ${directory}`)],
  );

function readRegular(path: string): { bytes: Uint8Array; stats: Stats } {
  // O_NONBLOCK: a FIFO of that name must not hang the daemon
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('not a regular file');
    if (stats.size > MAX_FILE_SIZE) throw new Error(`larger than ${MAX_FILE_SIZE} bytes`);
    return { bytes: readFileSync(descriptor), stats };
  } finally {
    closeSync(descriptor);
  }
}

/** Where a link leads; null: it is none, or gone. */
function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

const identityOf = ({ dev, ino, mtimeMs }: Stats): Identity => ({ inode: `${dev} ${ino}`, modified: mtimeMs });

/** The stamp of a link to nowhere. No file has it. */
const NOWHERE = 'nowhere';

const stampOf = (path: string, stats: Stats) => `${path} ${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.uid} ${stats.mode}`;

/** Whether it is to be trusted, and whether it is still the same. What else happens in it is no business of any one file. One that is gone may be where a link led before. */
function directoryStamp(directory: string): string {
  const stats = statSync(directory, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.uid} ${stats.mode}`;
}

/** Reads and understands one file; never throws: whatever is wrong becomes a refusal. */
function load(name: string, path: string, before: PolicyFile | undefined): { file: PolicyFile; homes: readonly string[]; empty: boolean; passing?: boolean } {
  try {
    const { bytes, stats } = readRegular(path);
    const homes = homesOf(path);
    const refusals = trustProblems(path, homes, stats);
    const text = Buffer.from(bytes).toString('utf8');
    const hash = createHash('sha256').update(bytes).digest('hex');
    // what others than root may write to says nothing, and so not that its policy is lifted either
    const empty = text.trim() === '' && refusals.length === 0;
    if (before?.hash === hash && before.path === path && JSON.stringify(before.refusals) === JSON.stringify(refusals)) return { file: before, homes, empty };
    return { file: { name, path, hash, text, parsed: parsePolicyFile(path, bytes), refusals }, homes, empty };
  } catch (error) {
    if (isMissing(error)) throw error;
    const nothing = parsePolicyFile(path, '');
    return {
      file: { name, path, hash: '', text: '', parsed: nothing, refusals: [refusal(path, `cannot be read: ${messageOf(error)}`, errorCode(error) === 'EACCES' ? HIDDEN : 'make it a readable regular file')] },
      homes: [dirname(path)],
      empty: false,
      passing: PASSING.has(errorCode(error) ?? ''),
    };
  }
}

/** Opens the directories, highest precedence first. Reads nothing yet. */
export function openPolicyFiles(directories: readonly string[]): PolicyFiles {
  const known = new Map<string, Known>();
  let listings = new Map<string, readonly string[]>();
  const found = new Map<string, Map<string, Found>>();
  /** Of directories, for the time of one scan. */
  const stamps = new Map<string, string>();
  let last: Scan = { files: [], unsettled: false, masked: [], failures: [], unread: false };
  let effective = new Map<string, PolicyFile>();
  const goneSince = new Map<string, number>();
  /** By path. What was there before counts meanwhile. */
  const writing = new Map<string, Writing>();
  let unread = false;

  function list(directory: string, failures: string[]): readonly string[] {
    try {
      return readdirSync(directory).filter(isPolicyFileName).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      const before = listings.get(directory);
      // taken for empty it would release whoever its files govern
      if (before === undefined) throw new HostError('policy directory', `${messageOf(error)}: which policies are in it is not known; make it a directory that root can read`, { cause: error });
      failures.push(`${directory}: ${messageOf(error)}`);
      unread ||= PASSING.has(errorCode(error) ?? '');
      return before;
    }
  }

  function stampOfDirectory(directory: string): string {
    const stamp = stamps.get(directory) ?? directoryStamp(directory);
    stamps.set(directory, stamp);
    return stamp;
  }

  function examine(name: string, path: string, full: boolean): Known | null {
    try {
      const stats = statSync(path);
      if (stats.isCharacterDevice()) {
        // of the device itself it does not matter who may write to it, only of the link
        const before = known.get(path)?.file;
        const refusals = homeProblems(path, homesOf(path));
        const same = before?.hash === '' && JSON.stringify(before.refusals) === JSON.stringify(refusals);
        const file = same ? before : { name, path, hash: '', text: '', parsed: parsePolicyFile(path, ''), refusals };
        const now = { ...identityOf(stats), stamp: '', homes: [], file, empty: refusals.length === 0 };
        known.set(path, now);
        return now;
      }
      const stampIn = (homes: readonly string[]) => [stampOf(path, stats), ...homes.map(stampOfDirectory)].join(' ');
      const before = known.get(path);
      if (!full && before !== undefined && before.stamp === stampIn(before.homes)) return before;
      const { passing = false, ...loaded } = load(name, path, before?.file);
      unread ||= passing;
      const now = { ...identityOf(stats), stamp: passing ? '' : stampIn(loaded.homes), ...loaded };
      known.set(path, now);
      return now;
    } catch (error) {
      if (isMissing(error)) return examineLink(name, path);
      return { ...NO_IDENTITY, stamp: '', ...load(name, path, undefined) };
    }
  }

  /** What has no file behind it; null: it is gone since it was listed. Of a link nobody knows that its policy was removed: it may only not be mounted. */
  function examineLink(name: string, path: string): Known | null {
    const target = linkTarget(path);
    if (target === null) return null;
    const before = known.get(path);
    if (before?.stamp === NOWHERE) return before;
    const refusals = [refusal(path, `a link to nowhere: ${target}`, 'mount what it leads to, or remove the link')];
    const now = { ...NO_IDENTITY, stamp: NOWHERE, homes: [], file: { name, path, hash: '', text: '', parsed: parsePolicyFile(path, ''), refusals }, empty: false };
    known.set(path, now);
    return now;
  }

  /** Whether there may be more to come. Who puts another file in its place has written that one; an empty file is believed to be gone in its own time. */
  function isBeingWritten(path: string, before: Found | undefined, { file: { hash }, inode, modified, empty }: Known): boolean {
    const inPlace = before === undefined || (inode === '' && before.inode !== '') || (before.inode === inode && before.file.hash !== hash);
    if (empty || !inPlace) return false;
    const now = performance.now();
    const last = writing.get(path);
    const { first, since } = { first: last?.first ?? now, since: last?.hash === hash ? last.since : now };
    // the file's own time may be any
    const quiet = Math.max(Date.now() - modified, now - since);
    if (quiet >= SETTLE_MILLISECONDS || now - first >= LONGEST_WRITING_MILLISECONDS) return false;
    writing.set(path, { first, hash, since });
    return true;
  }

  /** Returns whether anything is otherwise. */
  function lookAt(directory: string, name: string, full: boolean, settle: boolean): boolean {
    const files = found.get(directory);
    const before = files?.get(name);
    const path = join(directory, name);
    const state = examine(name, path, full);
    if (state === null) {
      known.delete(path);
      writing.delete(path);
      return files?.delete(name) ?? false;
    }
    const same = before !== undefined && before.file === state.file && before.empty === state.empty;
    if (!same && settle && isBeingWritten(path, before, state)) return false;
    writing.delete(path);
    files?.set(name, { name, empty: state.empty, file: state.file, inode: state.inode });
    return !same;
  }

  function lookAtAll(full: boolean, settle: boolean, failures: string[]): void {
    // at the first look everything is new, and nothing known that could count meanwhile
    const settles = settle && listings.size > 0;
    listings = new Map(directories.map((directory) => [directory, list(directory, failures)]));
    for (const [directory, names] of listings) {
      const listed = new Set(names);
      const files = found.get(directory) ?? new Map<string, Found>();
      found.set(directory, files);
      for (const name of files.keys()) {
        if (listed.has(name)) continue;
        files.delete(name);
        known.delete(join(directory, name));
      }
      for (const path of writing.keys()) if (dirname(path) === directory && !listed.has(basename(path))) writing.delete(path);
      for (const name of names) lookAt(directory, name, full, settles);
    }
  }

  const lookAtSome = (paths: ReadonlySet<string>, settle: boolean): boolean => {
    const changed = [...paths].filter((path) => found.has(dirname(path)) && isPolicyFileName(basename(path)) && lookAt(dirname(path), basename(path), false, settle));
    return changed.length > 0;
  };

  /** Whether it only comes into force because the one that masked it is gone, which may be back in a moment. */
  const isBelow = (file: PolicyFile, masking: PolicyFile): boolean =>
    directories.indexOf(dirname(file.path)) > directories.indexOf(dirname(masking.path)) && found.get(dirname(masking.path))?.has(masking.name) !== true;

  /** A link to nowhere says nothing that could take the place of what a lower directory says. */
  const isPassedOver = ({ name, path }: PolicyFile, index: number): boolean =>
    known.get(path)?.stamp === NOWHERE && directories.slice(index + 1).some((directory) => found.get(directory)?.has(name) === true);

  const isWriting = (name: string): boolean => directories.some((directory) => writing.has(join(directory, name)));

  return {
    scan({ full, settle, touched }) {
      const failures: string[] = [];
      unread = false;
      stamps.clear();
      if (full || touched === undefined) lookAtAll(full, settle, failures);
      else {
        failures.push(...last.failures);
        if (!lookAtSome(new Set([...touched, ...writing.keys()]), settle) && goneSince.size === 0 && writing.size === 0) return (last = { ...last, unsettled: false, unread });
      }
      const { files, masked } = effectiveFiles(directories.map((directory, index) => [...(found.get(directory)?.values() ?? [])].filter(({ file }) => !isPassedOver(file, index))));
      const now = performance.now();
      const next = new Map(files.map(({ name, file }) => [name, file]));
      for (const [name, file] of effective) {
        const other = next.get(name);
        if (other !== undefined && !isBelow(other, file)) {
          goneSince.delete(name);
          continue;
        }
        const since = isWriting(name) ? now : (goneSince.get(name) ?? now);
        goneSince.set(name, since);
        // what is being written may be what takes its place, under whatever name
        if (settle && (now - since < SETTLE_MILLISECONDS || writing.size > 0)) next.set(name, file);
        else goneSince.delete(name);
      }
      effective = new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1)));
      const all = [...effective.values()];
      const same = all.length === last.files.length && all.every((file, index) => file === last.files[index]);
      return (last = { files: same ? last.files : all, unsettled: goneSince.size > 0 || writing.size > 0, masked: masked.map(({ file }) => file.path), failures, unread });
    },
  };
}
