/** The same number of rules in netwalld and in what people use instead, changed and reloaded in turns. */
import { setTimeout as sleep } from 'node:timers/promises';
import { medianOf } from '../comparison-table.ts';
import { interleaved } from '../interleave.ts';
import type { Comparison } from '../outcome.ts';
import type { Contestant, Reload } from './contestant.ts';
import type { Extent } from './effort.ts';
import { type Growth, note } from './growth.ts';

/** Who would take longer than this for one reload is left out, as told from how long it took for fewer rules. */
const PATIENCE = 60_000;
/** Even: what one change opens the next one shuts. */
const MOST_CHANGES = 10;

/** More rules than this many times, and it takes so many times as long: what is expected of the next size. */
const expected = (growth: Growth, name: string, rules: number): number => {
  const [before, samples = []] = [...(growth.get(`${name}: reload`) ?? [])].at(-1) ?? [0];
  return before === 0 ? 0 : Math.max(...samples) * (rules / before);
};

export type Beside = { readonly comparisons: readonly Comparison[]; readonly notes: readonly string[] };

const UNEQUAL =
  'netwalld has 11 permissions for each policy, and `nft -f` loads the same table; the others have one rule for each. Rules of firewalld and ufw are about destinations only, as neither can say in its own words whose a packet is; those of iptables name the user. ' +
  'Times of commands include their start. `netwallctl reload` reads all files anew and compares the kernel with them; as nothing differs it loads nothing, where the others load everything.';

export const besideAt = async (contestants: readonly Contestant[], rules: number, extent: Extent, growth: Growth): Promise<Beside> => {
  const { changes, reloads } = extent.rounds(rules);
  const late = contestants.filter(({ name }) => expected(growth, name, rules) > PATIENCE);
  const here = contestants.filter((each) => !late.includes(each));
  await Promise.all(here.map(({ load }) => load(rules)));
  const changing = await interleaved(here, Math.min(changes, MOST_CHANGES), async ({ name, change }, round) => {
    // netwalld looks at its files once more after an edit; the others have done what they do when the command has ended
    if (name === 'netwalld') await sleep(extent.pause);
    return change(round % 2 === 0);
  });
  const losses = new Map<string, Reload[]>();
  const reloading = await interleaved(here, reloads, async ({ name, reload }) => {
    const result = await reload();
    losses.set(name, [...(losses.get(name) ?? []), result]);
    return result.milliseconds;
  });
  for (const { name, samples } of changing) note(growth, `${name}: change`, rules, ...samples);
  for (const { name, samples } of reloading) note(growth, `${name}: reload`, rules, ...samples);
  const sum = (name: string, of: 'leaked' | 'refused'): number => (losses.get(name) ?? []).reduce((total, each) => total + each[of], 0);
  const lost = here.map(({ name }) => `${name} ${sum(name, 'leaked')} and ${sum(name, 'refused')}`).join(', ');
  const has = (name: string): boolean => here.some((each) => each.name === name);
  const goals = has('firewalld') ? [{ of: 'netwalld', to: 'firewalld', atMost: 1 }] : [];
  const common = { unit: 'ms', better: 'less', reference: 'netwalld', note: UNEQUAL } as const;
  return {
    comparisons: [
      { ...common, what: `one rule of ${rules} changed: until packets are judged by it`, series: changing, goals },
      { ...common, what: `all ${rules} rules reloaded: until the command is done`, series: reloading, goals },
    ],
    notes: [
      `${rules} rules, datagrams that got out although they are not allowed, and that were refused although they are, during ${reloads} reloads: ${lost}.`,
      ...late.map(({ name }) => `${name} with ${rules} rules is left out: a reload would take more than a minute, by what it took with fewer (${Math.round(medianOf({ name, samples: [...(growth.get(`${name}: reload`)?.values() ?? [])].at(-1) ?? [] }))} ms).`),
    ],
  };
};

/** What becomes of each when somebody flushes all tables. */
export const flushed = async (contestants: readonly Contestant[], milliseconds: number): Promise<string[]> => {
  const results = await Promise.all(contestants.map(async ({ name, flush }) => ({ name, ...(await flush(milliseconds)) })));
  return results.map(({ name, leaked, open }) => `${name}, after \`nft flush ruleset\`: ${open ? `open, and still so after ${milliseconds / 1000} s` : 'shut again'}; ${leaked} datagrams got out that are not allowed.`);
};
