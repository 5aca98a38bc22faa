/** What a netwalld with so many policies takes for each thing that it does; one sample of each at a time. */
import { renameSync, writeFileSync } from 'node:fs';
import { accountOf, elsewhere, pathOf, policyText, type Shape } from '../policies.ts';
import type { World } from '../../test/e2e/world.ts';
import { clock, type Passage, startPassage } from './passage.ts';
import { asked, type Running, startNetwalld } from './running.ts';

/** Allowed to every user by its policy, for looking whether permissions are there. */
export const allowed = '91.200.3.3';
const shape: Shape = { addresses: 10, probed: allowed };
const NAME = 'moving.example.com';
const nameFile = '/etc/netwall.d/name.yaml';
const namePolicy = `service: moving
match: { user: 29999 }
dns: none
egress:
  allow:
    - to: ${NAME}
      ports: [443/udp]
`;

export type Subject = {
  /** Makes as many policies, and leaves nothing of what was before. */
  readonly install: (policies: number) => Promise<void>;
  /** Takes away the table, or that and all that was kept. */
  readonly wipe: (what: 'table' | 'everything') => Promise<void>;
  /** Milliseconds from the start of the program; it goes on running. `shut`: nobody governed gets out; null when nobody ever did. */
  readonly start: () => Promise<{ readonly shut: number | null; readonly enforced: number }>;
  /** One policy file is replaced by one that allows an address more, or no longer: milliseconds until it is so. */
  readonly change: (open: boolean) => Promise<number>;
  /** A name gets another address, and the daemon is told to look: milliseconds until that is open. */
  readonly move: () => Promise<number>;
  /** Somebody flushes everything: milliseconds until permissions are back, and datagrams that got out meanwhile. */
  readonly flush: () => Promise<{ readonly back: number; readonly leaked: number }>;
  readonly ask: (method: 'GET' | 'POST', path: string) => Promise<number>;
  /** The command, start of the program included. */
  readonly reload: () => Promise<void>;
  readonly quiet: (pause?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Both of one user whose policy is not changed. */
  readonly forbidden: Passage;
  readonly permitted: Passage;
};

export const createSubject = (world: World, dist: string, program: string): Subject => {
  let policies = 0;
  let address = 0;
  let running: Running | null = null;
  const watching = new Map<number, Passage>();
  const passageOf = (uid: number): Passage => {
    const known = watching.get(uid) ?? startPassage((file, args) => world.spawn(file, args), program, uid);
    watching.set(uid, known);
    return known;
  };
  /** Where its file is in the order does not matter. */
  const edited = (): number => Math.floor(policies / 2);
  const current = (): Running => {
    if (running === null) throw new Error('netwalld was not started');
    return running;
  };
  const write = (index: number, text: string): void => {
    const file = world.host.path(pathOf(index));
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const nextAddress = async (): Promise<string> => {
    address += 1;
    const next = `91.200.${100 + (address >> 8)}.${address & 255}`;
    await world.internet.zone({ [NAME]: { addresses: [next], ttl: 300 } });
    return next;
  };
  const forbidden = passageOf(accountOf(0).uid);
  const permitted = startPassage((file, args) => world.spawn(file, args), program, accountOf(0).uid);
  return {
    forbidden,
    permitted,
    install: async (count) => {
      policies = count;
      await world.exec('/bin/sh', ['-c', 'rm -rf /etc/netwall.d/*']);
      for (let index = 0; index < count; index += 1) write(index, policyText(index, shape));
      await nextAddress();
      await world.policy(nameFile, namePolicy);
      await world.host.write('/etc/netwall/netwalld.yaml', 'reconcile_interval: 1h\ndns: { hold: 1s }\n');
    },
    wipe: async (what) => {
      await world.nft('add table inet netwall\ndelete table inet netwall');
      if (what === 'everything') await world.exec('/bin/sh', ['-c', 'rm -rf /var/lib/netwall/* /etc/netwall/boot.nft /etc/netwall/closed.nft']);
    },
    start: async () => {
      const open = await forbidden.watch(elsewhere);
      running = startNetwalld(world, dist);
      const [enforced, shut] = await Promise.all([running.enforced, open ? forbidden.turned(false, running.started) : null]);
      await forbidden.rest();
      return { shut: shut === null ? null : shut - running.started, enforced: enforced - running.started };
    },
    change: async (open) => {
      const passage = passageOf(accountOf(edited()).uid);
      await passage.watch(elsewhere);
      const text = policyText(edited(), open ? { ...shape, probed: elsewhere } : shape);
      const file = world.host.path(pathOf(edited()));
      writeFileSync(`${file}.new`, text);
      const start = clock();
      renameSync(`${file}.new`, file);
      const at = await passage.turned(open, start).catch((error: unknown) => {
        throw new Error(`The edit is not in force\n${current().log()}`, { cause: error });
      });
      await passage.rest();
      return at - start;
    },
    move: async () => {
      const passage = passageOf(29_999);
      const next = await nextAddress();
      await passage.watch(next);
      const start = clock();
      await asked(world, 'POST', `/v1/resolve?name=${NAME}`);
      const at = await passage.turned(true, start);
      await passage.rest();
      return at - start;
    },
    flush: async () => {
      const passage = policies > 1 ? passageOf(accountOf(policies - 1).uid) : permitted;
      if (!(await passage.watch(allowed))) throw new Error('what is allowed is refused');
      if (await forbidden.watch(elsewhere)) throw new Error('what is not allowed gets out');
      const start = clock();
      await world.nft('flush ruleset');
      const at = await passage.turned(true, await passage.turned(false, start));
      await passage.rest();
      const { passed } = await forbidden.rest();
      return { back: at - start, leaked: passed };
    },
    ask: (method, path) => asked(world, method, path),
    reload: async () => {
      const { exitCode, stderr } = await world.exec(`${dist}/netwallctl`, ['reload'], { timeout: 120_000 });
      if (exitCode !== 0) throw new Error(`netwallctl reload: ${stderr}`);
    },
    quiet: (pause) => current().quiet(pause),
    stop: async () => {
      await current().stop();
      running = null;
    },
  };
};
