/**
 * Everything at once and for long: `SOAK_MINUTES=30 npm run bench -- soak`. Policies are edited, names change their addresses, a governed service asks DNS
 * and another floods what it must not reach, somebody else changes and flushes the table.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startFlood } from '../test/e2e/flood.ts';
import { until } from '../test/e2e/until.ts';
import type { World } from '../test/e2e/world.ts';
import { type Figure, quantile, single } from './figures.ts';
import { nameOf, zoneOf } from './memory/names.ts';
import type { Effort, Outcome } from './outcome.ts';
import { accountOf, elsewhere, pathOf, policyText, writePolicies } from './policies.ts';
import { coreShare, type Sample, sampleOf } from './processes.ts';
import { type Pace, repeated } from './soak/pace.ts';
import { slopeOf, thinned } from './soak/trend.ts';

const PACE: Readonly<Record<Effort, Pace>> = {
  full: { samples: 5000, edits: 5000, questions: 500, moves: 60_000, foreign: 30_000, flushes: 120_000 },
  short: { samples: 250, edits: 400, questions: 100, moves: 800, foreign: 700, flushes: 1500 },
};
const EXTENT = { full: { policies: 100, asked: 1000 }, short: { policies: 10, asked: 20 } } as const;
/** By then an answer has been asked for again, and addresses of before have been held for as long as they are: TTL and `hold`. */
const WARM_UP_MINUTES = 15;
/** Less cannot be told from how the collector goes. */
const FLAT = 30;
const MOST_POINTS = 120;
const NAMES_EACH = 2;

const minutesOf = (effort: Effort): number => (effort === 'short' ? 5 / 60 : Number(process.env['SOAK_MINUTES'] ?? 30));

const shapeOf = (index: number) => ({ addresses: 10, domains: Array.from({ length: NAMES_EACH }, (_, offset) => nameOf(index * NAMES_EACH + offset)) });

/** Asks names that only the wildcard covers. */
const asker = `service: asker
match: { user: webapp }
dns: filtered
egress:
  allow:
    - to: "*.example.com"
      ports: [443]
`;

const foreignElement = (turn: number): string => `30500 . 91.201.${(turn >> 8) & 255}.${turn & 255} . tcp . 443`;

type Count = { readonly edits: number; readonly questions: number; readonly again: number; readonly unanswered: number; readonly foreign: number; readonly flushes: number };

/** All that goes on, until the end. */
const live = async (world: World, effort: Effort, end: number, note: () => void): Promise<Count> => {
  const pace = PACE[effort];
  const { policies, asked } = EXTENT[effort];
  const names = policies * NAMES_EACH + asked;
  let again = 0;
  let unanswered = 0;
  const [, edits, questions, , foreign, flushes] = await Promise.all([
    repeated(pace.samples, end, async () => note()),
    repeated(pace.edits, end, (turn) => {
      // the flooding service, the first, stays as it is
      const index = 1 + (Math.floor(turn / 2) % (policies - 1));
      return world.policy(pathOf(index), policyText(index, turn % 2 === 0 ? { ...shapeOf(index), probed: elsewhere } : shapeOf(index)));
    }),
    repeated(pace.questions, end, async (turn) => {
      const name = nameOf(policies * NAMES_EACH + (turn % asked));
      const answered = async () => typeof (await world.as('webapp').resolve(name)) !== 'string';
      if (await answered()) return;
      // between a flush and its repair the guard refuses every question
      again += 1;
      await sleep(pace.questions);
      if (!(await answered())) unanswered += 1;
    }),
    // and what was asked meanwhile is forgotten, lest this program grows
    repeated(pace.moves, end, async (turn) => {
      await world.internet.zone(zoneOf(names, turn % 4 === 3 ? 'fresh' : 'moving'));
      await world.internet.queries();
    }),
    repeated(pace.foreign, end, (turn) => world.nft(`add element inet netwall user_egress4 { ${foreignElement(turn)} }`).catch(ifTableIsThere)),
    repeated(pace.flushes, end, () => world.nft('flush ruleset')),
  ]);
  return { edits, questions, again, unanswered, foreign, flushes };
};

/** A flush may have come just before. */
const ifTableIsThere = (error: unknown): void => {
  if (!String(error).includes('No such file or directory')) throw error;
};

const trendOf = (points: readonly { readonly x: number; readonly y: number }[]): Figure[] => {
  const slope = slopeOf(points.filter(({ x }) => x >= WARM_UP_MINUTES));
  return slope === null ? [] : [single(`memory of the daemon rises after the first ${WARM_UP_MINUTES} minutes by`, slope * 60, 'MB/hour', FLAT)];
};

/** Of a sawtooth one sample says little. */
const middle = (samples: readonly Sample[], value: (sample: Sample) => number): number => quantile(samples.map(value), 0.5);

const reportOf = (samples: readonly Sample[], begun: Sample, minutes: number): Pick<Outcome, 'figures' | 'curves'> => {
  const over = (value: (sample: Sample) => number) => samples.map((sample) => ({ x: (sample.at - begun.at) / 60, y: value(sample) }));
  const daemon = over((sample) => sample.daemon);
  const few = Math.max(1, Math.ceil(samples.length / 30));
  const [first, last] = [samples.slice(0, few), samples.slice(-few)];
  const final = samples.at(-1) ?? begun;
  return {
    figures: [
      single(`memory of the daemon, first of ${minutes.toFixed(minutes < 1 ? 2 : 0)} minutes`, middle(first, (sample) => sample.daemon), 'MB'),
      single('… last', middle(last, (sample) => sample.daemon), 'MB'),
      single('… most', Math.max(...samples.map((sample) => sample.daemon)), 'MB'),
      ...trendOf(daemon),
      single('memory of its nft, first', middle(first, (sample) => sample.children), 'MB'),
      single('… last', middle(last, (sample) => sample.children), 'MB'),
      single('CPU of daemon and nft', coreShare(begun, final), '%'),
    ],
    curves: [
      {
        what: 'memory over time, everything at once',
        x: { label: 'minutes', scale: 'linear' },
        y: { label: 'MB', scale: 'linear' },
        lines: [
          { name: 'daemon', points: thinned(daemon, MOST_POINTS) },
          { name: 'its nft', points: thinned(over((sample) => sample.children), MOST_POINTS) },
        ],
      },
    ],
  };
};

export const soak = async (world: World, effort: Effort): Promise<Outcome> => {
  const { policies, asked } = EXTENT[effort];
  const minutes = minutesOf(effort);
  await world.internet.zone(zoneOf(policies * NAMES_EACH + asked, 'cached'));
  await writePolicies(world, policies, shapeOf);
  await world.policy('asker.yaml', asker);
  await world.daemon.start({ config: {}, within: 60_000 });
  await until('the guard is there', async () => (await world.status()).guard.state === 'held', 20_000);
  const flood = await startFlood(world, accountOf(0), elsewhere);
  const pid = world.daemon.pid();
  const begun = sampleOf(pid);
  const samples: Sample[] = [];
  const count = await live(world, effort, performance.now() + minutes * 60_000, () => void samples.push(sampleOf(pid)));
  const { tried, arrived } = await flood.stop();
  const found = reportOf(samples, begun, minutes);
  const { generation, drift } = await world.status();
  return {
    curves: found.curves ?? [],
    figures: [
      ...(found.figures ?? []),
      single(`datagrams past the wall, of ${tried}`, arrived, 'packets', 0),
      single(`questions of DNS that had to be asked twice, of ${count.questions}`, count.again, ''),
      single('… and had no answer then', count.unanswered, '', 0),
    ],
    notes: [
      `Meanwhile ${count.edits} edits, ${count.foreign} foreign changes and ${count.flushes} flushes (${drift.repaired} repairs), ${generation} transactions; every answer of DNS had other addresses most of the time.`,
      ...(minutes > WARM_UP_MINUTES ? [] : [`No rise is told of a run of less than ${WARM_UP_MINUTES} minutes.`]),
    ],
  };
};
