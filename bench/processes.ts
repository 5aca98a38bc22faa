/** What /proc says of processes, and on which CPUs they run. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { attempt } from '../test/e2e/run.ts';

/** USER_HZ; 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Seconds of CPU of a process and of its children that have ended and been waited for. */
const cpuOf = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the name before it may hold anything
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS;
};

export const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Where what is pinned runs. */
export const ONE_CPU = '0';
const EVERY_CPU = `0-${cpus().length - 1}`;

/** Runs `task` while these processes, their children and what they start share one CPU; threads that they have besides, such as Node's for collecting, do not. */
export const onOneCpu = async <Value>(pids: readonly number[], task: () => Promise<Value>): Promise<Value> => {
  // a child may have ended since it was listed
  const run = (where: string) => Promise.all(pids.flatMap((pid) => [pid, ...childrenOf(pid)]).map((pid) => attempt(['/usr/bin/taskset', '--cpu-list', '--pid', where, `${pid}`])));
  await run(ONE_CPU);
  try {
    return await task();
  } finally {
    await run(EVERY_CPU);
  }
};

/** Seconds of CPU of a process and all its children, living and past. */
export const cpuOfFamily = (pid: number): number => [pid, ...childrenOf(pid)].reduce((sum, each) => sum + cpuOf(each), 0);

/** A field of /proc/PID/status in MB (10^6 bytes). */
const megabytes = (pid: number, field: 'VmRSS' | 'VmHWM'): number => (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / 1e6;

/** Resident memory in MB. */
export const residentOf = (pid: number): number => megabytes(pid, 'VmRSS');

/** The most that ever was resident, in MB. */
export const mostResidentOf = (pid: number): number => megabytes(pid, 'VmHWM');

/** Resident memory in MB, and seconds of CPU so far, of the children too. */
export type Sample = { readonly at: number; readonly daemon: number; readonly children: number; readonly cpu: number };

const lookAt = (pid: number): Sample => ({
  at: performance.now() / 1000,
  daemon: residentOf(pid),
  children: childrenOf(pid).reduce((sum, child) => sum + residentOf(child), 0),
  cpu: cpuOfFamily(pid),
});

/** A child may end while it is looked at; the next look is without it. */
export const sampleOf = (pid: number, looks = 5): Sample => {
  try {
    return lookAt(pid);
  } catch (error) {
    if (looks <= 1) throw error;
    return sampleOf(pid, looks - 1);
  }
};

/** % of a core between two samples. */
export const coreShare = (from: Sample, to: Sample): number => ((to.cpu - from.cpu) / (to.at - from.at)) * 100;
