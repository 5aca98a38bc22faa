/** Everybody whose packets are measured: a client each, with its wall in place. */
import { existsSync } from 'node:fs';
import { run } from '../test/e2e/run.ts';
import { accounts } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';
import type { Effort } from './outcome.ts';
import { govern } from './packet-governed.ts';
import type { Client, Hall } from './packet-hall.ts';
import type { Sender } from './packet-load.ts';
import { OPENSNITCH, startOpenSnitch } from './packet-opensnitch.ts';
import { permission, wideFiles } from './packet-plan.ts';
import { stepNames, stepText } from './packet-parts.ts';
import { establishedText, iptablesText, linearText, setText } from './packet-walls.ts';
import { accountOf, policyText } from './policies.ts';

export type Contestant = Sender & { readonly name: string; readonly walled: boolean };

export const names = { none: 'no ruleset', again: 'no ruleset, once more', one: 'netwalld, 1 policy', filtered: 'netwalld, 1 policy, dns: filtered', opensnitch: 'OpenSnitch, 1 rule' } as const;
const number = new Intl.NumberFormat('en');
const policies = (count: number) => (count === 1 ? names.one : `netwalld, ${number.format(count)} policies`);
const users = (count: number) => (count === 1 ? '1 uid' : `${number.format(count)} uids`);
/** Of each policy, besides the server's. */
const ADDRESSES = 10;

type Wall = { readonly name: string; readonly count?: number; /** Under this name somebody is measured as well whom nobody governs. */ readonly beside?: string; readonly put: (client: Client, uids: readonly number[]) => Promise<(() => Promise<void>) | void> };

const nft = (text: (uids: readonly number[]) => string): Wall['put'] => async ({ enter }, uids) => void (await run([...enter, '/usr/sbin/nft', '-f', '-'], { input: text(uids) }));
const iptables = (program: string): Wall['put'] => async ({ enter }, uids) => void (await run([...enter, program], { input: iptablesText(uids) }));

const policyTexts = (count: number): string[] => Array.from({ length: count }, (_, index) => policyText(index, { addresses: ADDRESSES }) + (index === count - 1 ? permission : ''));
/** The only one, of the first uid. */
export const policyOf = (dns: 'none' | 'filtered'): string => (policyText(0, { addresses: ADDRESSES }) + permission).replace('dns: none', `dns: ${dns}`);

const uidOf = (index: number): number => accountOf(index).uid;
/** What a full run takes, and the Debian package it is in. */
export const PROGRAMS = {
  '/usr/bin/gcc': 'gcc libc6-dev',
  '/usr/sbin/iptables-nft-restore': 'iptables',
  '/usr/sbin/iptables-legacy-restore': 'iptables',
  [OPENSNITCH]: 'opensnitch',
} as const;
const absent = () => Object.entries(PROGRAMS).filter(([program]) => !existsSync(program));
const tables = ['iptables-nft', 'iptables-legacy'].map((name) => ({ name, program: `/usr/sbin/${name}-restore` }));

const sizes = { short: { linear: [10], policies: [1, 10] }, full: { linear: [1, 100, 1000], policies: [1, 100, 1000, 10_000] } } as const;
/** What is left out of a short run, as it is another one's like. */
const alike: ReadonlySet<string> = new Set(['nft set of uids and addresses', 'nft rules, 10 uids, established first', 'iptables-legacy, 10 uids']);
const most = { short: 10, full: 1000 } as const;
export const counts = (effort: Effort) => sizes[effort].policies;
export const nameOf = policies;
export const ungoverned = (effort: Effort) => `ungoverned user, ${policies(most[effort])}`;

const everyWall = (world: World, effort: Effort): Wall[] => [
  { name: names.none, put: async () => {} },
  { name: names.again, put: async () => {} },
  { name: 'nft: established, or 1 uid', put: nft(([uid = 0]) => establishedText(uid)) },
  { name: 'nft set of uids and addresses', count: most[effort], put: nft(setText) },
  { name: `nft rules, ${users(most[effort])}, established first`, count: most[effort], put: nft((uids) => linearText(uids, { established: true })) },
  ...sizes[effort].linear.map((count): Wall => ({ name: `nft rules, ${users(count)}`, count, put: nft((uids) => linearText(uids)) })),
  ...tables.flatMap(({ name, program }) => (existsSync(program) ? sizes[effort].linear.map((count): Wall => ({ name: `${name}, ${users(count)}`, count, put: iptables(program) })) : [])),
  ...sizes[effort].policies.map((count): Wall => ({ name: policies(count), count, put: (client) => govern(world, client, policyTexts(count)), ...(count === most[effort] ? { beside: ungoverned(effort) } : {}) })),
  { name: names.filtered, beside: `ungoverned user, ${names.filtered}`, put: (client) => govern(world, client, [policyOf('filtered')]) },
  ...(effort === 'full' ? [{ name: 'netwalld, 1 policy, 100,000 addresses', put: (client: Client) => govern(world, client, wideFiles(uidOf(0))) }] : []),
  ...(existsSync(OPENSNITCH) ? [{ name: names.opensnitch, put: (client: Client) => startOpenSnitch(world, client, uidOf(0)) }] : []),
];

const walls = (world: World, effort: Effort): Wall[] => everyWall(world, effort).filter(({ name }) => effort === 'full' || !alike.has(name));

/** What is not on this machine, in words. */
export const missing = (): string[] => absent().map(([program, packages]) => `${program} is not here (Debian: ${packages}), so it was not compared.`);

/** The parts of netwalld's path, one more each time. */
export const stepContestants = async (hall: Hall): Promise<Contestant[]> => {
  const made: Contestant[] = [];
  for (const name of stepNames) {
    const client = await hall.client();
    await nft(([uid = 0]) => stepText(name, uid))(client, [uidOf(0)]);
    made.push({ name, client, uid: uidOf(0), walled: false });
  }
  return made;
};

/** All at once, as most of it is waiting; each end is told to `ends` as soon as there is something to end. */
export const contestants = async (world: World, hall: Hall, effort: Effort, ends: (() => Promise<void>)[]): Promise<Contestant[]> => {
  const made: Contestant[] = [];
  const started: Promise<void>[] = [];
  for (const { name, count = 1, beside, put } of walls(world, effort)) {
    const client = await hall.client();
    const uids = Array.from({ length: count }, (_, index) => uidOf(index));
    made.push({ name, client, uid: uidOf(count - 1), walled: name !== names.none && name !== names.again });
    if (beside !== undefined) made.push({ name: beside, client, uid: accounts.stranger.uid, walled: false });
    started.push(
      put(client, uids).then((end) => {
        if (end !== undefined) ends.push(end);
      }),
    );
  }
  const failed = (await Promise.allSettled(started)).find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return made;
};
