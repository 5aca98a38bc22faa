/** A netwalld of any build, started and watched from outside. */
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { controlSocket } from '../../test/e2e/control.ts';
import type { World } from '../../test/e2e/world.ts';
import { cpuOfFamily } from '../processes.ts';
import { clock } from './passage.ts';

const PATIENCE = 120_000;

export type Running = {
  readonly pid: number;
  /** By the clock: when the program was started, and when it said that everything is enforced. */
  readonly started: number;
  readonly enforced: Promise<number>;
  /** Resolves once it has nothing left to do. */
  readonly quiet: (pause?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** The last lines of its log. */
  readonly log: () => string;
};

/** Seconds of CPU; null: one of its children ended while it was looked at. */
const used = (pid: number): number | null => {
  try {
    return cpuOfFamily(pid);
  } catch {
    return null;
  }
};

/** `dist`: a folder with a build, as the world's host sees it. */
export const startNetwalld = (world: World, dist: string): Running => {
  const started = clock();
  const child = world.spawn(`${dist}/netwalld`, ['--config', '/etc/netwall/netwalld.yaml']);
  const pid = child.pid ?? 0;
  const said: string[] = [];
  const ended = once(child, 'exit');
  const enforced = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Not enforced within ${PATIENCE} ms\n${said.join('\n')}`)), PATIENCE);
    child.on('exit', () => reject(new Error(`netwalld ended\n${said.join('\n')}`)));
    const heard = (line: string): void => {
      said.push(line);
      if (said.length > 20) said.shift();
      if (!line.includes('"msg":"enforced"')) return;
      clearTimeout(timer);
      resolve(clock());
    };
    for (const input of [child.stdout, child.stderr]) if (input !== null) createInterface({ input }).on('line', heard);
  });
  return {
    pid,
    started,
    enforced,
    quiet: async (pause = 700) => {
      let before = -1;
      for (const end = clock() + PATIENCE; clock() < end; await sleep(pause)) {
        const now = used(pid);
        // state and boot file are written some time after a change
        if (now !== null && before >= 0 && now - before <= 0.02) return;
        before = now ?? -1;
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
    log: () => said.join('\n'),
  };
};

/** Asks the daemon something; resolves to how many milliseconds the whole answer took. */
export const asked = (world: World, method: 'GET' | 'POST', path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const start = clock();
    const asking = request({ socketPath: world.host.path(controlSocket), method, path, timeout: PATIENCE, agent: false }, (response) => {
      response.resume().on('error', reject);
      response.on('end', () => (response.statusCode === 200 ? resolve(clock() - start) : reject(new Error(`${method} ${path}: ${response.statusCode}`))));
    });
    asking.on('error', reject).on('timeout', () => asking.destroy(new Error(`${method} ${path}: no answer`)));
    asking.end();
  });
