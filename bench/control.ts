/** The control path with 10 to 10,000 policies: start, edits, flushes, addresses that change, questions; and beside it what people use instead. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../test/e2e/world.ts';
import { besideAt, flushed } from './control/beside.ts';
import { type Contestant, startRival, subjectContestant } from './control/contestant.ts';
import { type Extent, extentOf } from './control/effort.ts';
import { firewalld } from './control/firewalld.ts';
import { curveOf, type Growth, note, timesOf } from './control/growth.ts';
import { createSubject, type Subject } from './control/netwalld.ts';
import { compilePassage } from './control/passage.ts';
import { iptables, nft } from './control/plain.ts';
import { present } from './control/rival.ts';
import { ufw } from './control/ufw.ts';
import { median, single } from './figures.ts';
import type { Comparison, Effort, Outcome } from './outcome.ts';

/** Debian packages for a full run. */
export const packages = ['gcc', 'libc6-dev', 'nftables', 'iptables', 'ufw', 'firewalld', 'dbus-daemon'] as const;

const LINES = {
  start: ['first start: everybody shut in', 'first start: everything enforced', 'start with saved state, no table', 'restart, table stands'],
  change: ['edit of one policy', 'a name gets another address', 'permissions back after a flush'],
  question: ['diff: the whole table compared', 'status of all', 'explain'],
} as const;

/** Starts, of each kind; the last one goes on running. */
const starts = async (subject: Subject, policies: number, { rounds, rest }: Extent, growth: Growth): Promise<void> => {
  for (let round = 0; round < rounds(policies).starts; round += 1) {
    if (round > 0) await subject.stop();
    await subject.wipe('everything');
    const first = await subject.start();
    if (first.shut !== null) note(growth, LINES.start[0], policies, first.shut);
    note(growth, LINES.start[1], policies, first.enforced);
    await subject.quiet(rest);
    await subject.stop();
    await subject.wipe('table');
    note(growth, LINES.start[2], policies, (await subject.start()).enforced);
    await subject.quiet(rest);
    await subject.stop();
    note(growth, LINES.start[3], policies, (await subject.start()).enforced);
    await subject.quiet(rest);
  }
};

const daily = async (subject: Subject, policies: number, { rounds, rest, pause }: Extent, growth: Growth): Promise<number> => {
  const { changes, questions, flushes } = rounds(policies);
  for (let round = 0; round < changes; round += 1) {
    note(growth, LINES.change[0], policies, await subject.change(round % 2 === 0));
    // not in step with the daemon's timers
    await sleep(pause + ((round * 37) % 200));
  }
  const paths = ['/v1/diff', '/v1/status', '/v1/explain?who=service-0&to=91.200.0.1:443'];
  for (let round = 0; round < questions; round += 1) {
    note(growth, LINES.change[1], policies, await subject.move());
    for (const [index, line] of LINES.question.entries()) note(growth, line, policies, await subject.ask('GET', paths[index] ?? ''));
  }
  let leaked = 0;
  for (let round = 0; round < flushes; round += 1) {
    await subject.quiet(rest);
    const result = await subject.flush();
    note(growth, LINES.change[2], policies, result.back);
    leaked += result.leaked;
  }
  await subject.quiet(rest);
  return leaked;
};

/** What was agreed on. */
const EDIT = { policies: 1000, atMost: 50 };

const editFigures = (growth: Growth) => {
  const samples = growth.get(LINES.change[0])?.get(EDIT.policies);
  return samples === undefined ? [] : [median(`edit in force, of ${EDIT.policies} policies`, 'ms', samples, EDIT.atMost)];
};

const growthFigures = (growth: Growth) =>
  Object.values(LINES)
    .flat()
    .flatMap((line) => {
      const found = timesOf(growth, line);
      return found === null ? [] : [single(`${line}: with ${found.most} policies, of what it takes with ${found.fewest}`, found.times, '×')];
    });

export const control = async (world: World, effort: Effort): Promise<Outcome> => {
  const extent = extentOf(effort);
  const { here, missing } = present([nft, iptables, firewalld, ufw]);
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  const rivals: Contestant[] = [];
  try {
    execFileSync('/usr/bin/chmod', ['755', directory]);
    const program = compilePassage(directory);
    const subject = createSubject(world, `${world.repository}/dist`, program);
    const growth: Growth = new Map();
    const [comparisons, notes]: [Comparison[], string[]] = [[], missing.length === 0 ? [] : [...missing, `For everything: apt-get install ${packages.join(' ')}`]];
    let leaked = 0;
    await Promise.all(here.map(async (kind) => void rivals.push(await startRival(world, kind, program))));
    const order = (name: string): number => here.findIndex((kind) => kind.name === name);
    const contestants = [subjectContestant(world, subject), ...rivals.toSorted((a, b) => order(a.name) - order(b.name))];
    for (const policies of extent.sizes) {
      await subject.install(policies);
      await starts(subject, policies, extent, growth);
      leaked += await daily(subject, policies, extent, growth);
      if (extent.beside.includes(policies)) {
        const result = await besideAt(contestants, policies, extent, growth);
        comparisons.push(...result.comparisons);
        notes.push(...result.notes);
      }
      if (policies === extent.sizes.at(-1)) notes.push(...(await flushed(contestants, extent.notice)));
      await subject.stop();
    }
    const beside = (what: string): string[] => contestants.map(({ name }) => `${name}: ${what}`);
    return {
      figures: [single('datagrams past the wall during all flushes', leaked, 'packets', 0), ...editFigures(growth), ...growthFigures(growth)],
      comparisons,
      curves: [
        curveOf(growth, 'starts', LINES.start),
        curveOf(growth, 'changes', LINES.change),
        curveOf(growth, 'questions to the daemon', LINES.question),
        curveOf(growth, 'one rule changed, beside others', beside('change'), 'rules'),
        curveOf(growth, 'all rules reloaded, beside others', beside('reload'), 'rules'),
      ],
      notes,
    };
  } finally {
    for (const rival of rivals) await rival.remove();
    rmSync(directory, { recursive: true, force: true });
  }
};
