/** How long from the start of the program until nobody governed gets through, and until everything is enforced: many addresses, where the suite `control` has many policies. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../test/e2e/world.ts';
import { median } from './figures.ts';
import type { Effort, Outcome } from './outcome.ts';
import { accountOf, elsewhere, writePolicies } from './policies.ts';

const EXTENT = { full: { policies: 1000, addresses: 40, runs: 5, saved: 1500 }, short: { policies: 10, addresses: 4, runs: 1, saved: 100 } } as const;
const PATIENCE = 60_000;

type Extent = (typeof EXTENT)[Effort];

type Times = { readonly shut: number; readonly enforced: number };

/** One transaction shuts everybody, so one of them tells for all. */
const waitShut = async (world: World, last: number, start: number): Promise<number> => {
  while (performance.now() < start + PATIENCE) {
    if ((await world.as(accountOf(last)).udp(elsewhere, 443, { timeout: 200 })).result === 'eperm') return performance.now() - start;
    await sleep(2);
  }
  throw new Error('Nobody is shut in after a minute');
};

const startOnce = async (world: World, { policies, saved }: Extent): Promise<Times> => {
  const start = performance.now();
  const daemon = world.spawn(`${world.repository}/dist/netwalld`, ['--config', '/etc/netwall/netwalld.yaml']);
  const said: string[] = [];
  const enforced = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Not enforced after a minute\n${said.join('\n').slice(-2000)}`)), PATIENCE);
    daemon.on('exit', () => reject(new Error(`netwalld ended\n${said.join('\n').slice(-2000)}`)));
    const heard = (line: string): void => {
      said.push(line);
      if (!line.includes('"msg":"enforced"')) return;
      clearTimeout(timer);
      resolve(performance.now() - start);
    };
    for (const input of [daemon.stdout, daemon.stderr]) if (input !== null) createInterface({ input }).on('line', heard);
  });
  const times = await Promise.all([waitShut(world, policies - 1, start), enforced]);
  // the state files and the boot file are written soon after
  await sleep(saved);
  const ended = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await ended;
  return { shut: times[0], enforced: times[1] };
};

const unload = (world: World): Promise<string> => world.nft('add table inet netwall\ndelete table inet netwall');

const repeat = async (world: World, extent: Extent, before: () => Promise<unknown>): Promise<Times[]> => {
  const times: Times[] = [];
  for (let turn = 0; turn < extent.runs; turn += 1) {
    await before();
    times.push(await startOnce(world, extent));
  }
  return times;
};

export const start = async (world: World, effort: Effort): Promise<Outcome> => {
  const extent = EXTENT[effort];
  const { policies, addresses } = extent;
  await writePolicies(world, policies, () => ({ addresses }));
  await world.host.write('/etc/netwall/netwalld.yaml', '{}\n');
  await world.as(accountOf(policies - 1)).udp(elsewhere, 443);
  const first = await repeat(world, extent, async () => {
    await unload(world);
    await world.exec('/usr/bin/rm', ['-rf', '/var/lib/netwall']);
  });
  const again = await repeat(world, extent, () => unload(world));
  const warm = await repeat(world, extent, async () => {});
  const goal = 1500;
  return {
    figures: [
      median('first start: everybody shut in', 'ms', first.map(({ shut }) => shut)),
      median(`first start: ${policies * addresses} addresses enforced`, 'ms', first.map(({ enforced }) => enforced), goal),
      median('start with saved state, no table: everybody shut in', 'ms', again.map(({ shut }) => shut)),
      median('start with saved state, no table: enforced', 'ms', again.map(({ enforced }) => enforced), goal),
      median('restart, table stands: enforced', 'ms', warm.map(({ enforced }) => enforced), goal),
    ],
  };
};
