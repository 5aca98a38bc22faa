/** How long after the rename of an edited policy file its user's packets are judged by it. */
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../test/e2e/world.ts';
import { median, quantile, single } from './figures.ts';
import type { Outcome } from './outcome.ts';
import { accountOf, elsewhere, pathOf, policyText, writePolicies } from './policies.ts';

const POLICIES = 1000;
const EDITS = 50;
const shape = { addresses: 10 };
/** Each is a process that probes: some are enough to see that it does not matter where the file is in the order. */
const edited = [0, 250, 500, 750, 999];

const passes = async (world: World, index: number): Promise<boolean> => (await world.as(accountOf(index)).udp(elsewhere, 443, { timeout: 200 })).result === 'echoed';

/** Milliseconds until the probe's outcome is `wanted`. */
const waitFor = async (world: World, index: number, wanted: boolean, start: number): Promise<number> => {
  while (performance.now() < start + 5000) {
    if ((await passes(world, index)) === wanted) return performance.now() - start;
  }
  throw new Error(`The edit of policy ${index} is not in force after 5 s`);
};

export const edit = async (world: World): Promise<Outcome> => {
  await writePolicies(world, POLICIES, () => shape);
  await world.daemon.start({ config: {}, within: 60_000 });
  for (const index of edited) await passes(world, index);
  await sleep(3000);
  const samples: number[] = [];
  for (let turn = 0; turn < EDITS; turn += 1) {
    const index = edited[turn % edited.length] ?? 0;
    // each policy is opened and closed in turn
    const open = Math.floor(turn / edited.length) % 2 === 0;
    const file = world.host.path(pathOf(index));
    writeFileSync(`${file}.new`, policyText(index, open ? { ...shape, probed: elsewhere } : shape));
    const start = performance.now();
    renameSync(`${file}.new`, file);
    samples.push(await waitFor(world, index, open, start));
    // not in step with the daemon's timers
    await sleep(350 + ((turn * 37) % 200));
  }
  return {
    figures: [
      median(`edit in force, of ${POLICIES} policies, p50`, 'ms', samples, 50),
      single('edit in force, p95', quantile(samples, 0.95), 'ms'),
      single('edit in force, max', Math.max(...samples), 'ms'),
    ],
  };
};
