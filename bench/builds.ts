/**
 * Another build beside this one, each in a world of its own, in turns: `NETWALL_OTHER_BUILD=/somewhere/dist npm run bench -- builds`.
 * For what a change was worth.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorld, type World } from '../test/e2e/world.ts';
import { extentOf } from './control/effort.ts';
import { createSubject, type Subject } from './control/netwalld.ts';
import { compilePassage } from './control/passage.ts';
import { interleaved } from './interleave.ts';
import type { Comparison, Effort, Outcome, Series } from './outcome.ts';

type Build = { readonly name: 'other' | 'this'; readonly subject: Subject };

const compared = async (builds: readonly Build[], policies: number, effort: Effort): Promise<Comparison[]> => {
  const { rounds, rest, pause } = extentOf(effort);
  const { starts, changes, questions, flushes } = rounds(policies);
  const comparisons: Comparison[] = [];
  const take = (what: string, series: readonly Series[]): void => void comparisons.push({ what: `${what}, ${policies} policies`, unit: 'ms', better: 'less', reference: 'other', series });
  const starting = (what: 'table' | 'everything' | 'nothing') => async ({ subject }: Build) => {
    if (what !== 'nothing') await subject.wipe(what);
    const { enforced } = await subject.start();
    await subject.quiet(rest);
    await subject.stop();
    return enforced;
  };
  for (const { subject } of builds) await subject.install(policies);
  take('first start: everything enforced', await interleaved(builds, starts, starting('everything')));
  take('restart, table stands', await interleaved(builds, starts, starting('nothing')));
  for (const { subject } of builds) {
    await subject.start();
    await subject.quiet(rest);
  }
  take('edit of one policy', await interleaved(builds, changes, async ({ subject }, round) => {
    await sleep(pause);
    return subject.change(round % 2 === 0);
  }));
  take('a name gets another address', await interleaved(builds, questions, ({ subject }) => subject.move()));
  take('diff: the whole table compared', await interleaved(builds, questions, ({ subject }) => subject.ask('GET', '/v1/diff')));
  take('permissions back after a flush', await interleaved(builds, flushes, async ({ subject }) => {
    await subject.quiet(rest);
    const { back, leaked } = await subject.flush();
    if (leaked > 0) throw new Error(`${leaked} datagrams got out during a flush`);
    return back;
  }));
  for (const { subject } of builds) await subject.stop();
  return comparisons;
};

export const builds = async (world: World, effort: Effort): Promise<Outcome> => {
  const other = process.env['NETWALL_OTHER_BUILD'];
  if (other === undefined) return { notes: ['No other build to compare with: NETWALL_OTHER_BUILD=/somewhere/dist'] };
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  const second = await createWorld();
  try {
    execFileSync('/usr/bin/chmod', ['755', directory]);
    const program = compilePassage(directory);
    const both: readonly Build[] = [
      { name: 'other', subject: createSubject(second, other, program) },
      { name: 'this', subject: createSubject(world, `${world.repository}/dist`, program) },
    ];
    const comparisons: Comparison[] = [];
    for (const policies of effort === 'short' ? [10] : [1000, 10_000]) comparisons.push(...(await compared(both, policies, effort)));
    return { comparisons };
  } finally {
    await second.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
};
