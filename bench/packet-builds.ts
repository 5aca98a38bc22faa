/** What packets cost behind another build and behind this one, in turns: `NETWALL_OTHER_BUILD=/somewhere/dist npm run bench -- packet-builds`. */
import { accounts } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';
import { interleaved } from './interleave.ts';
import type { Effort, Outcome } from './outcome.ts';
import { type Contestant, names, policyOf } from './packet-contestants.ts';
import { govern } from './packet-governed.ts';
import type { Hall } from './packet-hall.ts';
import { arrivedPerSecond, loadOf, type Mode } from './packet-load.ts';
import { effortOf, inHall, perSecond, verify } from './packet-setting.ts';
import { accountOf } from './policies.ts';

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
  return inHall(async ({ hall, program, ends }) => {
    const free = async (name: string): Promise<Contestant> => ({ name, client: await hall.client(), uid, walled: false });
    const all = [await free(names.none), await free(names.again)];
    for (const [build, dist] of Object.entries({ other, this: `${world.repository}/dist` })) all.push(...(await behind(world, hall, ends, build, dist)));
    await verify(program, all);
    const by = (mode: Mode) => interleaved(all, rounds, async (contestant) => perSecond(await loadOf(program, contestant, mode, seconds)));
    const reference = names.none;
    return {
      comparisons: [
        { what: 'datagrams of 32 bytes that arrive, one flow', unit: "/s of the sender's CPU", better: 'more', reference, series: await interleaved(all, rounds, (contestant) => arrivedPerSecond(hall, program, contestant, seconds)) },
        { what: 'datagram and echo, a new flow each time', unit: '/s', better: 'more', reference, series: await by('flow') },
        { what: 'TCP: connect, request, answer, close', unit: '/s', better: 'more', reference, series: await by('connect') },
      ],
    };
  });
};
