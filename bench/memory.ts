/** Memory and CPU of the daemon and its nft, for more and more policies and names: while nothing happens but names that are asked for again, and while there are changes. */
import type { World } from '../test/e2e/world.ts';
import { single, type Figure } from './figures.ts';
import { type Case, type Needed, needOf, type Times } from './memory/case.ts';
import { curvesOf, type Need } from './memory/growth.ts';
import type { Effort, Outcome } from './outcome.ts';

type Extent = { readonly policies: readonly number[]; readonly names: readonly number[]; readonly carriers: number; readonly ordinary: Case; readonly patient: Times; readonly brief: Times };

const EXTENT: Readonly<Record<Effort, Extent>> = {
  full: {
    policies: [10, 100, 1000, 10_000],
    names: [100, 1000, 10_000],
    carriers: 100,
    ordinary: { policies: 100, names: 200 },
    patient: { settled: 12, idle: 60, busy: 15, pause: 1000 },
    brief: { settled: 12, idle: 35, busy: 30, pause: 1000 },
  },
  short: {
    policies: [1, 10],
    names: [10],
    carriers: 10,
    ordinary: { policies: 10, names: 20 },
    patient: { settled: 0.1, idle: 0.2, busy: 0.2, pause: 50 },
    brief: { settled: 0.1, idle: 0.2, busy: 0.2, pause: 50 },
  },
};

const figuresOf = ({ policies, names }: Case, { idle, busy, most, children, idleShare, busyShare, queries }: Needed, seconds: number): Figure[] => [
  single(`${policies} policies, ${names} names: CPU of daemon and nft, idle, over ${seconds} s`, idleShare, '%', 0.5),
  single('… while a policy is edited each second and every answer has other addresses', busyShare, '%'),
  single('… memory of the daemon, idle', idle, 'MB', 100),
  single('… memory of the daemon, after changes', busy, 'MB'),
  single('… memory of the daemon, the most it ever had', most, 'MB'),
  single('… memory of its nft', children, 'MB'),
  single('… DNS queries while idle', queries, ''),
];

const NOTES = [
  'Each policy has ten addresses of its own. TTLs are 30 to 300 s. Names answer at first with what is left of their TTL, so that as many run out at any time as in a long run.',
  'While there are changes one policy is edited each second, whatever their number.',
];

export const memory = async (world: World, effort: Effort): Promise<Outcome> => {
  const { policies, names, carriers, ordinary, patient, brief } = EXTENT[effort];
  const figures = figuresOf(ordinary, await needOf(world, ordinary, patient), patient.idle);
  const grown = async (sizes: readonly number[], caseOf: (size: number) => Case): Promise<Need[]> => {
    const needs: Need[] = [];
    for (const size of sizes) needs.push({ ...(await needOf(world, caseOf(size), brief)), size });
    return needs;
  };
  const byPolicies = await grown(policies, (size) => ({ policies: size, names: 0 }));
  const byNames = await grown(names, (size) => ({ policies: carriers, names: size }));
  const growth = [
    ...byPolicies.map((need) => single(`${need.size} policies, no names: memory of the daemon, idle`, need.idle, 'MB')),
    ...byNames.map((need) => single(`${carriers} policies, ${need.size} names: memory of the daemon, idle`, need.idle, 'MB')),
  ];
  return { figures: [...figures, ...growth], curves: [...curvesOf('policies', byPolicies), ...curvesOf('names', byNames)], notes: NOTES };
};
