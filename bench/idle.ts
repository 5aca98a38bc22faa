/** What the daemon costs while nothing happens but names that are asked for again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../test/e2e/world.ts';
import { single } from './figures.ts';
import type { Outcome } from './outcome.ts';
import { writePolicies } from './policies.ts';
import { childrenOf, cpuOfFamily, residentOf } from './processes.ts';

const POLICIES = 100;
const MEASURED_SECONDS = 60;

const domainsOf = (index: number): string[] => [`a${index}.example.com`, `b${index}.example.com`];

export const idle = async (world: World): Promise<Outcome> => {
  const domains = Array.from({ length: POLICIES }, (_, index) => domainsOf(index)).flat();
  await world.internet.zone(Object.fromEntries(domains.map((domain, at) => [domain, { addresses: [`45.65.0.${at + 1}`, `2a0e:5000::${(at + 1).toString(16)}`], ttl: 60 }])));
  await writePolicies(world, POLICIES, (index) => ({ addresses: 10, domains: domainsOf(index) }));
  await world.daemon.start({ config: {}, within: 60_000 });
  await sleep(12_000);
  const daemon = world.daemon.pid();
  const generation = (await world.status()).generation;
  await world.internet.queries();
  const before = cpuOfFamily(daemon);
  await sleep(MEASURED_SECONDS * 1000);
  const used = cpuOfFamily(daemon) - before;
  const children = childrenOf(daemon).map(residentOf);
  return {
    figures: [
      single(`CPU over ${MEASURED_SECONDS} s, ${POLICIES} policies`, (used / MEASURED_SECONDS) * 100, '%', 0.5),
      single('memory of the daemon', residentOf(daemon), 'MB', 100),
      single('memory of its nft', children.reduce((sum, each) => sum + each, 0), 'MB'),
      single('DNS queries meanwhile', (await world.internet.queries()).length, ''),
      single('transactions meanwhile', (await world.status()).generation - generation, ''),
    ],
  };
};
