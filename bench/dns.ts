/** `dns: filtered` beside other name servers, in worlds alike, with the same upstream and questions, in turns. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorld, type World } from '../test/e2e/world.ts';
import { askByClient, askByDnsperf, compile, type Contestant, freshNumbers, type Load, type Names } from './dns-ask.ts';
import type { Latencies } from './dns-output.ts';
import { NFTSET, PROGRAMS, startRivals, upstream } from './dns-rivals.ts';
import { single } from './figures.ts';
import { interleaved } from './interleave.ts';
import type { Comparison, Effort, Goal, Outcome, Series } from './outcome.ts';
import { accountOf } from './policies.ts';
import { onOneCpu, residentOf } from './processes.ts';

const SIZES = {
  full: { services: 1000, rounds: 5, manyRounds: 3, sequential: 1000, cached: 5000, names: 20_000, addresses: 5000, flood: 60_000, many: 500_000 },
  short: { services: 10, rounds: 1, manyRounds: 1, sequential: 30, cached: 30, names: 200, addresses: 100, flood: 500, many: 500 },
} as const;
type Size = Readonly<Record<keyof (typeof SIZES)[Effort], number>>;

const OURS = 'netwalld';
const policy = (service: string, user: string | number): string => `service: ${service}
match: { user: ${user} }
dns: filtered
egress:
  allow:
    - to: "*.wild.net"
      ports: [443]
`;

const startNetwalld = async (world: World, policies: readonly string[]): Promise<void> => {
  for (const [index, text] of policies.entries()) await world.policy(`service-${index}.yaml`, text);
  await world.daemon.start({ config: { dns: { servers: [`udp://${upstream.address}:${upstream.port}`] } }, within: 60_000 });
};

const KINDS: readonly { readonly names: Names; readonly cached: boolean; readonly what: string }[] = [
  { names: 'f', cached: false, what: 'new names of one address' },
  { names: 'r', cached: false, what: 'a new address each' },
  { names: 'f', cached: true, what: 'one name again and again' },
];

const referenceOf = (contestants: readonly Contestant[]): string => (contestants.some(({ name }) => name === NFTSET) ? NFTSET : OURS);

/** Only where the rival does the same: open addresses before it answers. */
const goalsOf = (series: readonly Series[], goal: Omit<Goal, 'of' | 'to'>): { readonly goals?: readonly Goal[] } =>
  series.some(({ name }) => name === NFTSET) ? { goals: [{ of: OURS, to: NFTSET, ...goal }] } : {};

/** `servers`: the processes of all who answer, upstream too. */
type Suite = { readonly directory: string; readonly client: string; readonly size: Size; readonly servers: readonly number[] };

/**
 * Median and 99th percentile of the same runs. All share a CPU: whether the one that is asked sleeps on another, and how long it takes to wake, changes
 * from run to run and is most of what would be measured.
 */
const sequential = async ({ client, size, servers }: Suite, contestants: readonly Contestant[], { names, cached, what }: (typeof KINDS)[number]): Promise<Comparison[]> => {
  const p99 = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  const load: Load = { names, cached, count: cached ? size.cached : size.sequential, window: 1, beside: true };
  const measured = async (contestant: Contestant) => {
    const found: Latencies = await askByClient(client, contestant, load);
    p99.get(contestant.name)?.push(found.p99);
    return found.median;
  };
  const series = await onOneCpu(servers, () => interleaved(contestants, size.rounds, measured));
  const common = { unit: 'µs', better: 'less', reference: referenceOf(contestants) } as const;
  return [
    { ...common, what: `DNS, one after the other, ${what}: p50`, series, ...goalsOf(series, { atMost: 1.2 }) },
    { ...common, what: `DNS, one after the other, ${what}: p99`, series: [...p99].map(([name, samples]) => ({ name, samples })) },
  ];
};

const countOf = ({ names, addresses, flood }: Size, kind: (typeof KINDS)[number]): number => (kind.cached ? flood : kind.names === 'r' ? addresses : names);

const rate = async (size: Size, contestants: readonly Contestant[], kind: (typeof KINDS)[number], measure: (contestant: Contestant, load: Load) => Promise<number>): Promise<Comparison> => ({
  what: `DNS, 50 at a time, ${kind.what}`,
  unit: '/s',
  better: 'more',
  reference: referenceOf(contestants),
  series: await interleaved(contestants, size.rounds, (contestant) => measure(contestant, { ...kind, count: countOf(size, kind), window: 50 })),
});

const beside = async (suite: Suite, contestants: readonly Contestant[]): Promise<Comparison[]> => {
  const found: Comparison[] = [];
  for (const kind of KINDS) found.push(...(await sequential(suite, contestants, kind)));
  if (!existsSync('/usr/bin/dnsperf')) return found;
  for (const kind of KINDS) found.push(await rate(suite.size, contestants, kind, (contestant, load) => askByDnsperf(suite.directory, contestant, load)));
  return found;
};

const withMany = async ({ client, size: whole, servers }: Suite, contestants: readonly Contestant[]): Promise<Comparison[]> => {
  const size: Size = { ...whole, rounds: whole.manyRounds };
  const note = `dnsmasq is one instance here, as there: it cannot tell services apart, and what one of them looked up is open to all`;
  const found: Comparison[] = [];
  for (const kind of KINDS) {
    const load = (contestant: Contestant, window: number, count: number, beside = false) => askByClient(client, contestant, { ...kind, count, window, beside });
    const series = await onOneCpu(servers, () => interleaved(contestants, size.rounds, async (contestant) => (await load(contestant, 1, kind.cached ? size.cached : size.sequential, true)).median));
    found.push({ what: `DNS with ${size.services} services, one after the other, ${kind.what}: p50`, unit: 'µs', better: 'less', reference: OURS, series, note });
    const rates = await rate(size, contestants, kind, async (contestant, { count }) => (await load(contestant, 50, count)).rate);
    found.push({ ...rates, what: `DNS with ${size.services} services, 50 at a time, ${kind.what}`, reference: OURS, note });
  }
  return found;
};

const resident = (size: Size, one: World, many: World, rivals: readonly { readonly name: string; readonly pid: number }[]): Comparison => ({
  what: 'memory of a name server after all this',
  unit: 'MB',
  better: 'less',
  reference: OURS,
  series: [
    { name: OURS, samples: [residentOf(one.daemon.pid())] },
    { name: `netwalld, ${size.services} services`, samples: [residentOf(many.daemon.pid())] },
    ...rivals.map(({ name, pid }) => ({ name, samples: [residentOf(pid)] })),
  ],
  note: 'netwalld: the whole daemon, which does more than DNS',
});

const measure = async (one: World, many: World, others: World, size: Size, directory: string, notes: readonly string[]): Promise<Outcome> => {
  execFileSync('/usr/bin/chmod', ['755', directory]);
  const answering = compile(directory, 'dns-upstream');
  const upstreams = [one, many, others].map((world) => world.spawn(answering, [upstream.address, `${upstream.port}`]).pid ?? 0);
  const [rivals] = await Promise.all([
    startRivals(others),
    startNetwalld(one, [policy('webapp', 'webapp')]),
    startNetwalld(many, Array.from({ length: size.services }, (_, index) => policy(`service-${index}`, accountOf(index).uid))),
  ]);
  const servers = [...upstreams, ...rivals.map(({ pid }) => pid), one.daemon.pid(), many.daemon.pid()];
  const suite: Suite = { directory, client: compile(directory, 'dns-client'), size, servers };
  await sleep(size.rounds > 1 ? 3000 : 300);
  const idle = residentOf(many.daemon.pid());
  const anywhere = { address: '9.9.9.9', port: 53 };
  const ours: Contestant = { ...anywhere, name: OURS, world: one, who: 'webapp', users: 1, fresh: freshNumbers() };
  const theirs = rivals.map(({ name, address, port }): Contestant => ({ name, address, port, world: others, who: 'root', users: 1, fresh: freshNumbers() }));
  const comparisons = await beside(suite, [ours, ...theirs]);
  const shared = { ...anywhere, world: many, who: accountOf(0), fresh: freshNumbers() };
  comparisons.push(
    ...(await withMany(suite, [
      ours,
      { ...shared, name: `netwalld, ${size.services} services, one asks`, users: 1 },
      { ...shared, name: `netwalld, ${size.services} services, all ask in turn`, users: size.services },
      ...theirs.filter(({ name }) => name === NFTSET),
    ])),
    resident(size, one, many, rivals),
  );
  const flood = (count: number) => askByClient(suite.client, ours, { names: 'f', cached: false, count, window: 50 });
  await flood(size.many / 5);
  const before = residentOf(one.daemon.pid());
  await flood(size.many);
  const figures = [
    single(`memory with ${size.services} services with dns: filtered, idle`, idle, 'MB'),
    single('memory before many names', before, 'MB'),
    single(`memory after ${size.many} more names`, residentOf(one.daemon.pid()), 'MB', before * 1.2),
  ];
  return { figures, comparisons, notes };
};

export const dns = async (world: World, effort: Effort): Promise<Outcome> => {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !existsSync(program));
  const notes = [
    ...missing.map(([program, packages]) => `dns: ${program} is missing and what needs it is left out: apt-get install ${packages}`),
    'dnsmasq --nftset opens an address for everybody who may use the set, for a day, and never takes it back earlier; dnsmasq and unbound alone open nothing',
  ];
  if (missing.some(([program]) => program === '/usr/bin/gcc')) return { notes };
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  const worlds = await Promise.all([createWorld(), createWorld()]);
  try {
    return await measure(world, worlds[0], worlds[1], SIZES[effort], directory, notes);
  } finally {
    await Promise.all(worlds.map((each) => each.destroy()));
    rmSync(directory, { recursive: true, force: true });
  }
};
