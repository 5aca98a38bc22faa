/** Processes, as /proc shows them (proc_pid_status(5)). */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { errorCode } from '../host-error.ts';

export type Process = {
  readonly pid: number;
  readonly name: string;
  /** Of the file system: what a new socket gets. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Capabilities it has or may take up, as a bit set. */
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
};

/** A process of somebody governed, looked at more closely. Null: not for us to see. */
export type Inspected = Process & {
  /** In the same network namespace, and the same user namespace, as who asks. */
  readonly sameNetwork: boolean | null;
  readonly sameUsers: boolean | null;
  /** Of its network namespace, where that is another one. */
  readonly interfaces: readonly string[];
  /** Which of the sockets asked for it may connect to, in its own view of the file system. */
  readonly sockets: readonly string[] | null;
};

export type Processes = {
  readonly governed: readonly Inspected[];
  /** How many network namespaces have processes; null: not for us to see. */
  readonly networks: number | null;
  /** False: some processes are not shown to who asks (hidepid= of proc(5)). */
  readonly complete: boolean;
};

/** A host with more has other troubles. */
const MOST = 100_000;

const field = (text: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
const numbers = (text: string) => text.split(/\s+/).filter(Boolean).map(Number);

/** Null: no status of a process. */
export function readStatus(pid: number, text: string): Process | null {
  const [, , , uid] = numbers(field(text, 'Uid'));
  const [, , , gid] = numbers(field(text, 'Gid'));
  if (uid === undefined || gid === undefined) return null;
  const set = (name: string) => BigInt(`0x${field(text, name) || '0'}`);
  return { pid, name: field(text, 'Name'), uid, gid, groups: numbers(field(text, 'Groups')), capabilities: set('CapPrm') | set('CapEff'), noNewPrivileges: field(text, 'NoNewPrivs') === '1' };
}

/** A process may end while it is looked at, and others are not for everybody to see. */
function look<T>(of: () => T): T | null {
  try {
    return of();
  } catch (error) {
    if (errorCode(error) === null) throw error;
    return null;
  }
}

const namespace = (pid: number | 'self', kind: 'net' | 'user') => look(() => readlinkSync(`/proc/${pid}/ns/${kind}`));
const same = (pid: number, kind: 'net' | 'user') => {
  const theirs = namespace(pid, kind);
  return theirs === null ? null : theirs === namespace('self', kind);
};

/** Whether somebody may write to a file, which is what connect() to a socket asks for (unix(7)); directories on the way are taken as open. */
export function mayWrite({ uid, gid, groups }: Pick<Process, 'uid' | 'gid' | 'groups'>, file: { readonly uid: number; readonly gid: number; readonly mode: number }): boolean {
  if (uid === 0) return true;
  if (uid === file.uid) return (file.mode & 0o200) !== 0;
  return (file.mode & (file.gid === gid || groups.includes(file.gid) ? 0o020 : 0o002)) !== 0;
}

/** Sockets among `paths` that somebody may connect to, below a root directory. */
export const openSockets = (root: string, paths: readonly string[], who: Pick<Process, 'uid' | 'gid' | 'groups'>): readonly string[] =>
  paths.filter((path) => {
    const stats = look(() => statSync(`${root}${path}`));
    return stats !== null && stats.isSocket() && mayWrite(who, stats);
  });

function interfaces(pid: number): readonly string[] {
  const text = look(() => readFileSync(`/proc/${pid}/net/dev`, 'utf8')) ?? '';
  return text.split('\n').slice(2, -1).map((line) => line.slice(0, line.indexOf(':')).trim());
}

function inspect(process: Process, sockets: readonly string[]): Inspected {
  const sameNetwork = same(process.pid, 'net');
  const root = `/proc/${process.pid}/root`;
  const visible = look(() => readdirSync(`${root}/`)) !== null;
  return {
    ...process,
    sameNetwork,
    sameUsers: same(process.pid, 'user'),
    interfaces: sameNetwork === false ? interfaces(process.pid) : [],
    sockets: visible ? openSockets(root, sockets, process) : null,
  };
}

export function readProcesses(isGoverned: (process: Process) => boolean, sockets: readonly string[]): Processes {
  const governed: Inspected[] = [];
  const networks = new Set<string>();
  let hidden = false;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  let complete = pids.includes(1);
  for (const pid of pids.slice(0, MOST)) {
    const text = look(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
    if (text === null && existsSync(`/proc/${pid}`)) complete = false;
    const process = text === null ? null : readStatus(pid, text);
    if (process === null) continue;
    const network = namespace(pid, 'net');
    if (network === null) hidden = true;
    else networks.add(network);
    if (isGoverned(process)) governed.push(inspect(process, sockets));
  }
  return { governed, networks: hidden ? null : networks.size, complete };
}
