/** Somebody else changes the table of 1,000 policies: how long until it is put right, and what gets out meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startFlood } from '../test/e2e/flood.ts';
import type { World } from '../test/e2e/world.ts';
import { until } from '../test/e2e/until.ts';
import { median, quantile, single } from './figures.ts';
import type { Effort, Outcome } from './outcome.ts';
import { accountOf, elsewhere, writePolicies } from './policies.ts';

const EXTENT = {
  full: { policies: 1000, addresses: 40, flushes: 20, changes: 100, rapid: 10_000, settled: 2500 },
  short: { policies: 10, addresses: 4, flushes: 1, changes: 2, rapid: 100, settled: 400 },
} as const;

const element = (index: number) => `30500 . 91.201.${(index >> 8) & 255}.${index & 255} . tcp . 443`;

/** The same wall without the guard: how long it is open after each flush, told from how many of a steady stream of datagrams arrive. */
const withoutGuard = async (world: World, { policies, flushes, settled }: (typeof EXTENT)[Effort]) => {
  await world.daemon.stop();
  await world.daemon.start({ config: { reconcile_interval: '1h', guard: { mark: null } }, within: 60_000 });
  const flood = await startFlood(world, accountOf(policies / 2), elsewhere);
  const started = performance.now();
  const counts: number[] = [];
  for (let round = 0; round < flushes; round += 1) {
    const before = await flood.arrived();
    await world.nft('flush ruleset');
    await sleep(settled);
    counts.push((await flood.arrived()) - before);
  }
  const elapsed = performance.now() - started;
  const { tried, arrived: total } = await flood.stop();
  await world.daemon.stop();
  await world.daemon.start({ config: { reconcile_interval: '1h' }, within: 60_000 });
  return { tried, arrived: total, milliseconds: counts.map((count) => (count * elapsed) / tried) };
};

export const drift = async (world: World, effort: Effort): Promise<Outcome> => {
  const extent = EXTENT[effort];
  const { policies, addresses, flushes, changes, rapid } = extent;
  const middle = accountOf(policies / 2);
  await writePolicies(world, policies, () => ({ addresses }));
  await world.daemon.start({ config: { reconcile_interval: '1h' }, within: 60_000 });
  await until('the guard is there', async () => (await world.status()).guard.state === 'held', 20_000);
  const intact = async () => (await world.ctl(['diff'], { timeout: 60_000 })).exitCode === 0;
  const repaired = async () => (await world.status()).drift;

  const flood = await startFlood(world, middle, elsewhere);
  const restored: number[] = [];
  const waited: number[] = [];
  for (let round = 0; round < flushes; round += 1) {
    const before = (await repaired()).repaired;
    await world.nft('flush ruleset');
    const start = performance.now();
    await until('a permission is back', async () => (await world.as(accountOf(3)).tcp(`45.64.0.${addresses * 3 + 1}`, 443, { timeout: 200 })).result === 'connected', 10_000);
    waited.push(performance.now() - start);
    const { last } = await until('repaired', async () => {
      const now = await repaired();
      return now.repaired > before && now;
    }, 20_000);
    restored.push(last?.openMilliseconds ?? Number.NaN);
    await sleep(200);
  }
  const { tried, arrived } = await flood.stop();

  const open = await withoutGuard(world, extent);

  const single1: number[] = [];
  for (let round = 0; round < changes; round += 1) {
    const before = (await repaired()).repaired;
    await world.nft(`add element inet netwall user_egress4 { ${element(round)} }`);
    const { last } = await until('repaired', async () => {
      const now = await repaired();
      return now.repaired > before && now;
    });
    single1.push(last?.openMilliseconds ?? Number.NaN);
  }

  const script = Array.from({ length: rapid }, (_, index) => `add element inet netwall user_egress4 { ${element(index)} }`).join('\n');
  const start = performance.now();
  await world.exec('/bin/sh', ['-c', 'exec /usr/sbin/nft -i'], { input: `${script}\n`, timeout: 120_000 });
  const made = performance.now() - start;
  await until('all is as it was', intact, 120_000);
  return {
    figures: [
      median(`everything back after a flush, ${policies} policies x ${addresses} addresses, p50`, 'ms', restored, 1500),
      single('… max', Math.max(...restored), 'ms'),
      median('an allowed connection goes through again, p50', 'ms', waited),
      single(`datagrams past the wall during ${flushes} flushes, of ${tried}`, arrived, 'packets', 0),
      // no goals: netwalld as it comes has the guard; this tells what that is worth
      median('without the guard: packets get out after a flush for, p50', 'ms', open.milliseconds),
      single('… p99', quantile(open.milliseconds, 0.99), 'ms'),
      single(`… packets in ${flushes} flushes, of ${open.tried}`, open.arrived, 'packets'),
      median('a foreign element is gone (from the event on), p50', 'ms', single1, 20),
      single('… p99', quantile(single1, 0.99), 'ms'),
      single(`${rapid} foreign changes in ${Math.round(made)} ms, all undone after`, performance.now() - start, 'ms'),
    ],
  };
};
