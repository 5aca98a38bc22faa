/** What packets cost behind another build and behind this one, in turns: `NETWALL_OTHER_BUILD=/somewhere/dist npm run bench -- packet-builds`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accounts } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';
import { compiled } from './gcc.ts';
import { interleaved } from './interleave.ts';
import type { Effort, Outcome } from './outcome.ts';
import { type Contestant, names, policyOf } from './packet-contestants.ts';
import { govern } from './packet-governed.ts';
import { createHall, type Hall } from './packet-hall.ts';
import { arrivedPerSecond, loadOf, type Mode } from './packet-load.ts';
import { accountOf } from './policies.ts';

const effortOf = { short: { rounds: 1, seconds: 0.03 }, full: { rounds: 9, seconds: 0.3 } } as const;
const { uid } = accountOf(0);

const behind = async (world: World, hall: Hall, ends: (() => Promise<void>)[], build: string, dist: string): Promise<Contestant[]> => {
  const made: Contestant[] = [];
  for (const dns of ['none', 'filtered'] as const) {
    const client = await hall.client();
    ends.push(await govern(world, client, [policyOf(dns)], dist));
    made.push({ name: `${build}, dns: ${dns}, governed`, client, uid, walled: true }, { name: `${build}, dns: ${dns}, not governed`, client, uid: accounts.stranger.uid, walled: false });
  }
  return made;
};

export const packetBuilds = async (world: World, effort: Effort): Promise<Outcome> => {
  const other = process.env['NETWALL_OTHER_BUILD'];
  if (other === undefined) return { notes: ['No other build to compare with: NETWALL_OTHER_BUILD=/somewhere/dist'] };
  const { rounds, seconds } = effortOf[effort];
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  execFileSync('/usr/bin/chmod', ['755', directory]);
  const program = compiled(directory, 'packet-client');
  const hall = await createHall(compiled(directory, 'packet-server'));
  const ends: (() => Promise<void>)[] = [];
  try {
    const free = async (name: string): Promise<Contestant> => ({ name, client: await hall.client(), uid, walled: false });
    const builds = { other, this: `${world.repository}/dist` };
    const all = [await free(names.none), await free(names.again)];
    for (const [build, dist] of Object.entries(builds)) all.push(...(await behind(world, hall, ends, build, dist)));
    const perSecond = (mode: Mode) => interleaved(all, rounds, async (contestant) => {
      const load = await loadOf(program, contestant, mode, seconds);
      return load.total / load.seconds;
    });
    await perSecond('connect');
    const reference = names.none;
    return {
      comparisons: [
        { what: 'datagrams of 32 bytes that arrive, one flow', unit: "/s of the sender's CPU", better: 'more', reference, series: await interleaved(all, rounds, (contestant) => arrivedPerSecond(hall, program, contestant, seconds)) },
        { what: 'datagram and echo, a new flow each time', unit: '/s', better: 'more', reference, series: await perSecond('flow') },
        { what: 'TCP: connect, request, answer, close', unit: '/s', better: 'more', reference, series: await perSecond('connect') },
      ],
    };
  } finally {
    await Promise.all(ends.map((end) => end()));
    await hall.close();
    rmSync(directory, { recursive: true, force: true });
  }
};
