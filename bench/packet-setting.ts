/** Where packets are measured, and for how long: a hall with one server, and a client for each contestant. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiled } from './gcc.ts';
import type { Contestant } from './packet-contestants.ts';
import { createHall, type Hall } from './packet-hall.ts';
import { isRefused, loadOf } from './packet-load.ts';
import type { Load } from './packet-output.ts';

export const effortOf = { short: { rounds: 1, seconds: 0.03 }, full: { rounds: 27, seconds: 0.1 } } as const;

export const perSecond = (load: Load): number => load.total / load.seconds;

/** `program`: the compiled load generator; `ends`: how to end what was started. */
export type Setting = { readonly hall: Hall; readonly program: string; readonly ends: (() => Promise<void>)[] };

export const inHall = async <Value>(measure: (setting: Setting) => Promise<Value>): Promise<Value> => {
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  const ends: (() => Promise<void>)[] = [];
  let hall: Hall | null = null;
  try {
    execFileSync('/usr/bin/chmod', ['755', directory]);
    const program = compiled(directory, 'packet-client');
    hall = await createHall(compiled(directory, 'packet-server'));
    return await measure({ hall, program, ends });
  } finally {
    // the hall last: the others live in it
    await Promise.all(ends.map((end) => end()));
    await hall?.close();
    rmSync(directory, { recursive: true, force: true });
  }
};

/** A wall that does not hold, or holds everything, would win. */
export const verify = async (program: string, all: readonly Contestant[]): Promise<void> => {
  for (const contestant of all) {
    await loadOf(program, contestant, 'connect', 0.01);
    if ((await isRefused(program, contestant)) !== contestant.walled) throw new Error(`${contestant.name}: ${contestant.walled ? 'the forbidden port answers' : 'a port does not answer'}`);
  }
};
