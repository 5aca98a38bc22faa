/** netwalld and its rivals, asked to do the same and watched in the same way. */
import { accountOf, elsewhere } from '../policies.ts';
import type { World } from '../../test/e2e/world.ts';
import { type Enclosure, enclose } from './enclosure.ts';
import { allowed, type Subject } from './netwalld.ts';
import { clock, type Passage, startPassage } from './passage.ts';
import type { Rival, RivalKind } from './rival.ts';

/** `leaked`: datagrams that were not allowed and got out meanwhile. `refused`: those that were allowed and did not. */
export type Reload = { readonly milliseconds: number; readonly leaked: number; readonly refused: number };

export type Contestant = {
  readonly name: string;
  readonly load: (rules: number) => Promise<void>;
  /** Milliseconds from the command, or the edit, to the first datagram that is judged by it. */
  readonly change: (open: boolean) => Promise<number>;
  readonly reload: () => Promise<Reload>;
  /** Somebody flushes all tables: how many datagrams get out in so many milliseconds, and whether they still do in the end. */
  readonly flush: (milliseconds: number) => Promise<{ readonly leaked: number; readonly open: boolean }>;
  readonly remove: () => Promise<void>;
};

const reloaded = async (forbidden: Passage, permitted: Passage, permittedAddress: string, reload: () => Promise<unknown>): Promise<Reload> => {
  if (await forbidden.watch(elsewhere)) throw new Error('what is not allowed gets out');
  if (!(await permitted.watch(permittedAddress))) throw new Error('what is allowed does not get out');
  const start = clock();
  await reload();
  const milliseconds = clock() - start;
  const [{ passed: leaked }, { refused }] = await Promise.all([forbidden.rest(), permitted.rest()]);
  return { milliseconds, leaked, refused };
};

const flushed = async (forbidden: Passage, milliseconds: number, flush: () => Promise<unknown>): Promise<{ readonly leaked: number; readonly open: boolean }> => {
  await forbidden.watch(elsewhere);
  await flush();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const { passed } = await forbidden.rest();
  const open = await forbidden.watch(elsewhere);
  await forbidden.rest();
  return { leaked: passed, open };
};

const rivalContestant = (name: string, enclosure: Enclosure, rival: Rival, program: string): Contestant => {
  const passage = (): Passage => startPassage((file, args) => enclosure.spawn(file, args), program, accountOf(0).uid);
  const [forbidden, permitted] = [passage(), passage()];
  return {
    name,
    load: rival.load,
    change: async (open) => {
      if ((await forbidden.watch(elsewhere)) === open) throw new Error(`${name}: nothing to change`);
      const start = clock();
      const changing = rival.change(open);
      const [at] = await Promise.all([forbidden.turned(open, start), changing]);
      await forbidden.rest();
      return at - start;
    },
    reload: () => reloaded(forbidden, permitted, rival.permitted, rival.reload),
    flush: (milliseconds) => flushed(forbidden, milliseconds, () => enclosure.run(['/usr/sbin/nft', 'flush', 'ruleset'])),
    remove: enclosure.remove,
  };
};

export const startRival = async (world: World, kind: RivalKind, program: string): Promise<Contestant> => {
  const enclosure = await enclose(world);
  try {
    return rivalContestant(kind.name, enclosure, await kind.start(enclosure, world, elsewhere), program);
  } catch (error) {
    await enclosure.remove();
    throw error;
  }
};

/** netwalld itself, which has its policies already. */
export const subjectContestant = (world: World, subject: Subject): Contestant => ({
  name: 'netwalld',
  load: async () => {},
  change: subject.change,
  reload: () => reloaded(subject.forbidden, subject.permitted, allowed, subject.reload),
  flush: (milliseconds) => flushed(subject.forbidden, milliseconds, () => world.nft('flush ruleset')),
  remove: async () => {},
});
