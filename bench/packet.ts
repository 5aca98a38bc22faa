/**
 * What a wall costs each packet: one user who sends where it may, behind walls of different make and size, in turns. The namespaces are
 * alike and stay, each with its wall; how alike they are shows in "no ruleset, once more".
 */
import { existsSync } from 'node:fs';
import type { World } from '../test/e2e/world.ts';
import type { Figure } from './figures.ts';
import { interleaved } from './interleave.ts';
import type { Comparison, Effort, Goal, Outcome, Series } from './outcome.ts';
import { type Contestant, contestants, counts, missing, nameOf, names, stepContestants, ungoverned } from './packet-contestants.ts';
import type { Hall } from './packet-hall.ts';
import { arrivedPerSecond, loadOf, type Mode } from './packet-load.ts';
import type { Load } from './packet-output.ts';
import { partsOf } from './packet-parts.ts';
import { effortOf, inHall, perSecond, verify } from './packet-setting.ts';

const NOTES = [
  'The user who is measured is the last of all those who are asked for one after the other. By hand, each may reach one server at two ports, and that is all; netwalld also judges every packet of a server, records what it refuses, counts what each permission lets through, turns DNS to itself, and has a guard behind.',
  'Where "established" comes first, a flow that has begun goes on after its permission is gone; netwalld ends it at the next packet.',
  'firewalld and ufw cannot name a user in their own language, only in rules of iptables that they pass on ("direct", before.rules): those are the iptables rows.',
  'OpenSnitch decides per program (path, arguments, parents) and can ask a person, which netwalld does not. It sees only what begins: what has begun goes on whatever becomes of the rule, and while it is down its queue lets everything pass (--queue-bypass). It looks for the program in /proc here; with kprobes in the kernel it has a faster way. Fresh it lets several hundred connections a second begin, after the many flows of a full run some tens.',
];

const reference = names.none;
const governed: Goal = { of: names.one, to: reference, atLeast: 0.8 };
const constant = (effort: Effort): Goal => ({ of: nameOf(counts(effort).at(-1) ?? 1), to: names.one, atLeast: 0.97 });

/** Each in turn, `field` by field of what the generator says. */
const measured = async (all: readonly Contestant[], rounds: number, measure: (contestant: Contestant) => Promise<Load>) => {
  const loads = new Map<string, Load[]>();
  await interleaved(all, rounds, async (contestant) => {
    const load = await measure(contestant);
    loads.set(contestant.name, [...(loads.get(contestant.name) ?? []), load]);
    return load.total;
  });
  return (valueOf: (load: Load) => number): Series[] => [...loads].map(([name, each]) => ({ name, samples: each.map(valueOf) }));
};

/** Where the time of one datagram goes. */
const dissect = async (hall: Hall, program: string, all: readonly Contestant[], effort: Effort): Promise<Figure[]> => {
  const { rounds, seconds } = effortOf[effort];
  const some = all.filter(({ name }) => name === reference || name === names.filtered);
  const series = await interleaved([...some, ...(await stepContestants(hall))], rounds, (contestant) => arrivedPerSecond(hall, program, contestant, seconds));
  const [nothing, whole, ...parts] = series;
  return nothing === undefined || whole === undefined ? [] : partsOf(nothing, parts, whole);
};

const compare = async (hall: Hall, program: string, all: readonly Contestant[], effort: Effort): Promise<Comparison[]> => {
  const { rounds, seconds } = effortOf[effort];
  const by = (mode: Mode, some = all) => measured(some, rounds, (contestant) => loadOf(program, contestant, mode, seconds));
  const datagrams = await interleaved(all, rounds, (contestant) => arrivedPerSecond(hall, program, contestant, seconds));
  const pings = await by('ping');
  const flows = await by('flow');
  const connections = await by('connect');
  const streams = await by('bulk');
  const goals = [governed, constant(effort)];
  return [
    { what: 'datagrams of 32 bytes that arrive, one flow', unit: "/s of the sender's CPU", better: 'more', reference, series: datagrams, goals: [...goals, { of: ungoverned(effort), to: reference, atLeast: 0.8 }], note: 'The harshest case: nothing but the way of one small packet, and sender and network on one CPU.' },
    { what: 'datagram and echo, median', unit: 'µs', better: 'less', reference, series: pings(({ median }) => median) },
    { what: 'datagram and echo, 99th percentile', unit: 'µs', better: 'less', reference, series: pings(({ p99 }) => p99) },
    { what: 'datagram and echo, a new flow each time', unit: '/s', better: 'more', reference, series: flows(perSecond), goals },
    { what: 'TCP: connect, request, answer, close', unit: '/s', better: 'more', reference, series: connections(perSecond), goals },
    { what: 'TCP: one stream', unit: 'Gbit/s', better: 'more', reference, series: streams(({ total, seconds }) => (total * 8) / seconds / 1e9), goals, note: 'Both ends on one CPU: what either of them does for the other is part of it.' },
  ];
};

export const packet = async (world: World, effort: Effort): Promise<Outcome> => {
  if (!existsSync('/usr/bin/gcc')) return { notes: ['Nothing was measured: the load generators have to be compiled.', ...missing()] };
  return inHall(async ({ hall, program, ends }) => {
    const all = await contestants(world, hall, effort, ends);
    await verify(program, all);
    const comparisons = await compare(hall, program, all, effort);
    return { figures: await dissect(hall, program, all, effort), comparisons, notes: [...NOTES, ...missing()] };
  });
};
