/** What one daemon needs that has so many policies and names: while nothing is changed, and while something is all the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/e2e/until.ts';
import type { World } from '../../test/e2e/world.ts';
import { startNetwalld } from '../control/running.ts';
import { elsewhere, policyText, pathOf, writePolicies } from '../policies.ts';
import { coreShare, mostResidentOf, sampleOf } from '../processes.ts';
import type { Need } from './growth.ts';
import { nameOf, zoneOf } from './names.ts';

/** Seconds, but for `pause`: milliseconds between two edits. */
export type Times = { readonly settled: number; readonly idle: number; readonly busy: number; readonly pause: number };

export type Case = { readonly policies: number; /** Spread evenly over the policies. */ readonly names: number };

/** `queries`: what DNS was asked while idle. */
export type Needed = Omit<Need, 'size'> & { readonly queries: number };

const ADDRESSES = 10;

const shapeOf = ({ policies, names }: Case, index: number) => {
  const each = names / policies;
  return { addresses: ADDRESSES, domains: Array.from({ length: each }, (_, offset) => nameOf(index * each + offset)) };
};

const install = async (world: World, one: Case): Promise<void> => {
  await world.exec('/bin/sh', ['-c', 'rm -rf /etc/netwall.d/* /var/lib/netwall/* /etc/netwall/*.nft']);
  await world.nft('add table inet netwall\ndelete table inet netwall');
  await world.host.write('/etc/netwall/netwalld.yaml', '{}\n');
  await world.internet.zone(zoneOf(one.names, 'cached'));
  await world.internet.queries();
  await writePolicies(world, one.policies, (index) => shapeOf(one, index));
};

/** Each edit allows a policy more, or takes that back. */
const edit = (world: World, one: Case, turn: number): Promise<void> => {
  const index = Math.floor(turn / 2) % one.policies;
  const shape = shapeOf(one, index);
  return world.policy(pathOf(index), policyText(index, turn % 2 === 0 ? { ...shape, probed: elsewhere } : shape));
};

const looked = async (world: World, names: number): Promise<void> => {
  let asked = 0;
  await until('every name is looked up', async () => (asked += (await world.internet.queries()).length) >= 2 * names, 60_000);
};

export const needOf = async (world: World, one: Case, times: Times): Promise<Needed> => {
  await install(world, one);
  const daemon = startNetwalld(world, `${world.repository}/dist`);
  await daemon.enforced;
  await looked(world, one.names);
  await world.internet.zone(zoneOf(one.names, 'fresh'));
  await sleep(times.settled * 1000);
  await world.internet.queries();
  const start = sampleOf(daemon.pid);
  await sleep(times.idle * 1000);
  const idle = sampleOf(daemon.pid);
  const queries = (await world.internet.queries()).length;
  await world.internet.zone(zoneOf(one.names, 'moving'));
  const changing = sampleOf(daemon.pid);
  const end = performance.now() + times.busy * 1000;
  for (let turn = 0; performance.now() < end; turn += 1) {
    await edit(world, one, turn);
    await sleep(Math.min(times.pause, Math.max(0, end - performance.now())));
  }
  const busy = sampleOf(daemon.pid);
  const most = mostResidentOf(daemon.pid);
  await daemon.stop();
  return { idle: idle.daemon, busy: busy.daemon, most, children: busy.children, idleShare: coreShare(start, idle), busyShare: coreShare(changing, busy), queries };
};
