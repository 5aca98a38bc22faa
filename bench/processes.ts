/** What /proc says of processes. */
import { readFileSync } from 'node:fs';

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

/** Seconds of CPU of a process and all its children, living and past. */
export const cpuOfFamily = (pid: number): number => [pid, ...childrenOf(pid)].reduce((sum, each) => sum + cpuOf(each), 0);

/** Resident memory in MB (10^6 bytes). */
export const residentOf = (pid: number): number => (Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / 1e6;
