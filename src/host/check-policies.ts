/** Validates policy files without a daemon and without privilege: the same reading and the same rules, nothing applied. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { isPolicyFileName } from '../policy/dropins.ts';
import { parsePolicyFile } from '../policy/parse.ts';
import { type BadFile, buildPolicySet, type PolicyFile, type PolicySet } from '../policy/policy-set.ts';
import { hasErrors } from '../policy/problem.ts';
import { HostError, messageOf } from './host-error.ts';
import { openPolicyFiles } from './policy-files.ts';

/** `broken`: installed files that are good now, and would not be with the candidates. */
export type Checked = { readonly set: PolicySet; readonly files: number; readonly bad: readonly BadFile[]; readonly broken: readonly BadFile[] };

/** A file that is not installed: its absolute path, and what is in it. */
export type CandidateFile = { readonly path: string; readonly bytes: Uint8Array };

function read(path: string): CandidateFile {
  try {
    return { path, bytes: readFileSync(path) };
  } catch (error) {
    throw new HostError('check', messageOf(error), { cause: error });
  }
}

function expand(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter(isPolicyFileName)
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw new HostError('check', messageOf(error), { cause: error });
  }
}

/** The files in effect in these directories, owners and modes included. */
export function checkInstalled(directories: readonly string[]): Checked {
  const { files } = openPolicyFiles(directories).scan({ full: true, settle: false });
  const set = buildPolicySet(files, new Map(), () => null);
  return { set, files: files.length, bad: set.badFiles, broken: [] };
}

/** Policy files, and those in directories, whoever owns them. Throws HostError when one cannot be read. */
export const readCandidateFiles = (paths: readonly string[]): readonly CandidateFile[] => [...new Set(paths.flatMap(expand).map((path) => resolve(path)))].map(read);

/** Throws HostError when one could not be installed: by its name nobody would read it, or two have one name. */
export function parseCandidates(files: readonly CandidateFile[]): readonly PolicyFile[] {
  const names = new Map<string, string>();
  return files.map(({ path, bytes }) => {
    const name = basename(path);
    if (!isPolicyFileName(name)) throw new HostError('check', `${path}: policy files are called NAME.yaml or NAME.yml: nobody would read this one once it is installed`);
    const other = names.get(name);
    if (other !== undefined) throw new HostError('check', `${path} and ${other} have one name: only one of them can be installed`);
    names.set(name, path);
    return { name, path, hash: createHash('sha256').update(bytes).digest('hex'), text: Buffer.from(bytes).toString('utf8'), parsed: parsePolicyFile(path, bytes), refusals: [] };
  });
}

const readCandidates = (paths: readonly string[]): readonly PolicyFile[] => parseCandidates(readCandidateFiles(paths));

/**
 * Files that are not installed yet, as if they were: each takes the place of an installed one of the same name, so that groups
 * and principals of the others count. Their owner does not matter here. Throws HostError when one cannot be read.
 */
export function checkCandidates(paths: readonly string[], directories: readonly string[]): Checked {
  const candidates = readCandidates(paths);
  const names = new Set(candidates.map(({ name }) => name));
  const installed = openPolicyFiles(directories).scan({ full: true, settle: false }).files;
  const before = buildPolicySet(installed, new Map(), () => null);
  // what is installed goes first: it is the newcomer that is at fault
  const set = buildPolicySet([...installed.filter(({ name }) => !names.has(name)), ...candidates], new Map(), () => null);
  const own = new Set(candidates.map(({ path }) => path));
  const already = new Set(before.badFiles.filter(({ problems }) => hasErrors(problems)).map(({ path }) => path));
  const broken = set.badFiles.filter(({ path, problems }) => hasErrors(problems) && !own.has(path) && !already.has(path));
  return { set, files: candidates.length, bad: set.badFiles.filter(({ path }) => own.has(path)), broken };
}

export type Planned = { readonly installed: readonly PolicyFile[]; /** Each candidate in the place of an installed file of the same name. */ readonly over: readonly PolicyFile[]; readonly candidates: readonly PolicyFile[] };

/** The files in effect in these directories, and those that would be with the candidates. Throws HostError when a candidate cannot be read. */
export function readPlanned(paths: readonly string[], directories: readonly string[]): Planned {
  const candidates = readCandidates(paths);
  const installed = openPolicyFiles(directories).scan({ full: true, settle: false }).files;
  const given = new Map(candidates.map((file) => [file.name, file]));
  return { installed, candidates, over: [...installed.filter(({ name }) => !given.has(name)), ...given.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}
