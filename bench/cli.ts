/** How long netwallctl takes from start to end, beside a Node that has nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../test/e2e/world.ts';
import { median, quantile, single } from './figures.ts';
import type { Effort, Outcome } from './outcome.ts';
import { writePolicies } from './policies.ts';

const POLICIES = 20;
const RUNS = { short: 1, full: 25 } as const;

export const cli = async (world: World, effort: Effort): Promise<Outcome> => {
  await writePolicies(world, POLICIES, () => ({ addresses: 10 }));
  await world.daemon.start({ config: {} });
  await sleep(3000);
  const dist = `${world.repository}/dist`;
  // each with the same way into the namespaces, which `true` alone shows
  const commands = {
    nothing: ['/bin/true'],
    node: [`${dist}/lib/node`, '-e', ''],
    status: [`${dist}/netwallctl`, 'status'],
    one: [`${dist}/netwallctl`, 'status', 'service-1'],
    help: [`${dist}/netwallctl`, '--help'],
  } as const;
  const times = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]));
  // in turn: what else the machine does falls on all alike
  for (let run = 0; run < RUNS[effort]; run += 1) {
    for (const [name, [file, ...args]] of Object.entries(commands)) {
      const start = performance.now();
      await world.exec(file, args);
      times.get(name)?.push(performance.now() - start);
    }
  }
  const way = quantile(times.get('nothing') ?? [], 0.5);
  const of = (name: keyof typeof commands): number[] => (times.get(name) ?? []).map((time) => time - way);
  return {
    figures: [
      median('node -e ""', 'ms', of('node')),
      median(`netwallctl status, ${POLICIES} services`, 'ms', of('status'), 120),
      median('netwallctl status SERVICE', 'ms', of('one')),
      median('netwallctl --help', 'ms', of('help')),
      single('status beside node', quantile(of('status'), 0.5) / quantile(of('node'), 0.5), 'times'),
    ],
  };
};
