/**
 * Other builds beside this one, started in turns and left alone side by side, each in a world of its own:
 * `NETWALL_OTHER_BUILD=/a/dist:/b/dist npm run bench -- memory-builds`. For what a change is worth.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorld, type World } from '../../test/e2e/world.ts';
import { type Running, startNetwalld } from '../control/running.ts';
import type { Comparison, Effort, Outcome, Series } from '../outcome.ts';
import { writePolicies } from '../policies.ts';
import { coreShare, mostResidentOf, residentOf, sampleOf } from '../processes.ts';
import { nameOf, zoneOf } from './names.ts';

const EXTENT = {
  full: { policies: [100, 1000], addresses: 40, rounds: 3, settled: 4, left: 60 },
  short: { policies: [10], addresses: 4, rounds: 1, settled: 0.2, left: 0.5 },
} as const;
const NAMES_EACH = 2;

type Build = { readonly name: string; readonly dist: string };
type Found = Readonly<Record<(typeof MEASURED)[number]['key'], number>>;

const MEASURED = [
  { key: 'enforced', what: 'first start: everything enforced', unit: 'ms' },
  { key: 'started', what: 'memory of the daemon after the start', unit: 'MB' },
  { key: 'later', what: 'memory of the daemon after it was left alone', unit: 'MB' },
  { key: 'most', what: 'the most memory the daemon ever had', unit: 'MB' },
  { key: 'share', what: 'CPU of daemon and nft while left alone', unit: '%' },
] as const;

type Subject = { readonly build: Build; readonly world: World; readonly policies: number; readonly found: Found[] };

const begin = async ({ build, world, policies }: Subject, settled: number) => {
  await world.exec('/bin/sh', ['-c', 'rm -rf /var/lib/netwall/* /etc/netwall/*.nft']);
  await world.nft('add table inet netwall\ndelete table inet netwall');
  await world.internet.zone(zoneOf(policies * NAMES_EACH, 'cached'));
  const daemon = startNetwalld(world, build.dist);
  const enforced = (await daemon.enforced) - daemon.started;
  await sleep(settled * 1000);
  await world.internet.zone(zoneOf(policies * NAMES_EACH, 'fresh'));
  return { daemon, enforced, started: residentOf(daemon.pid), sample: sampleOf(daemon.pid) };
};

const prepared = async (build: Build, policies: number, addresses: number): Promise<Subject> => {
  const world = await createWorld();
  await world.host.write('/etc/netwall/netwalld.yaml', '{}\n');
  await writePolicies(world, policies, (index) => ({ addresses, domains: Array.from({ length: NAMES_EACH }, (_, offset) => nameOf(index * NAMES_EACH + offset)) }));
  return { build, world, policies, found: [] };
};

const round = async (subjects: readonly Subject[], settled: number, left: number): Promise<void> => {
  const running: { readonly subject: Subject; readonly daemon: Running; readonly begun: Awaited<ReturnType<typeof begin>> }[] = [];
  for (const subject of subjects) {
    const begun = await begin(subject, settled);
    running.push({ subject, daemon: begun.daemon, begun });
  }
  await sleep(left * 1000);
  for (const { subject, daemon, begun: { enforced, started, sample } } of running) {
    const now = sampleOf(daemon.pid);
    subject.found.push({ enforced, started, later: now.daemon, most: mostResidentOf(daemon.pid), share: coreShare(sample, now) });
    await daemon.stop();
  }
};

const seriesOf = (subjects: readonly Subject[], key: keyof Found): Series[] => subjects.map(({ build, found }) => ({ name: build.name, samples: found.map((one) => one[key]) }));

export const memoryBuilds = async (world: World, effort: Effort): Promise<Outcome> => {
  const { policies, addresses, rounds, settled, left } = EXTENT[effort];
  const others = (process.env['NETWALL_OTHER_BUILD'] ?? '').split(':').filter(Boolean);
  if (others.length === 0) return { notes: ['No other build to compare with: NETWALL_OTHER_BUILD=/somewhere/dist'] };
  const name = (dist: string): string => (others.length === 1 ? 'other' : (dist.split('/').at(-1) ?? dist));
  const builds: readonly Build[] = [...others.map((dist) => ({ name: name(dist), dist })), { name: 'this', dist: `${world.repository}/dist` }];
  const subjects: Subject[] = [];
  try {
    for (const count of policies) for (const build of builds) subjects.push(await prepared(build, count, addresses));
    for (let turn = 0; turn < rounds; turn += 1) await round(turn % 2 === 0 ? subjects : subjects.toReversed(), settled, left);
    const comparisons = policies.flatMap((count) =>
      MEASURED.map(({ key, what, unit }): Comparison => ({
        what: `${what}, ${count} policies of ${addresses} addresses and ${NAMES_EACH} names`,
        unit,
        better: 'less',
        reference: builds[0]?.name ?? 'this',
        series: seriesOf(subjects.filter((subject) => subject.policies === count), key),
      })),
    );
    return { comparisons, notes: [`Left alone: ${left} s, all at the same time.`] };
  } finally {
    await Promise.all(subjects.map((subject) => subject.world.destroy()));
  }
};
