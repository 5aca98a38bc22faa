/**
 * Names of users and groups to numbers, through NSS (`getent`), so that LDAP, systemd's dynamic users and the like count as
 * well as /etc/passwd. Answers are kept: a policy set asks for its names at every run.
 */
import { execa } from 'execa';
import { z } from 'zod';
import type { PrincipalKind } from '../policy/policy.ts';
import { messageOf } from './host-error.ts';

/** A directory service that does not answer must not keep the wall waiting. */
const TIMEOUT = 5000;
/** Names asked for in one getent call, well under ARG_MAX. */
const BATCH = 500;

const DATABASES = { user: 'passwd', group: 'group' } as const;
/** getent(1): one or more keys could not be found. */
const NOT_FOUND = 2;

/** Names and their ids as they are kept: what counts until NSS answers, so that its outage at start frees nobody. */
export const savedAccounts = z.object({ user: z.record(z.string(), z.number()), group: z.record(z.string(), z.number()) });
export type SavedAccounts = z.infer<typeof savedAccounts>;

/** Whose sockets: null where that is not known, or not meant. */
export type Owner = { readonly uid: number | null; readonly gid: number | null };

export type Accounts = {
  /** The id of a name as last seen; null: no such account, or not asked for yet. */
  readonly id: (kind: PrincipalKind, name: string) => number | null;
  /**
   * Looks names up: those never asked for, or, with `again`, all of them. Resolves to whether any answer changed.
   * Where NSS fails, what was known stays; the message is in `error`.
   */
  refresh(wanted: { readonly user: ReadonlySet<string>; readonly group: ReadonlySet<string> }, again: boolean): Promise<boolean>;
  /** One look-up past what is kept; null: no such account, or nobody answers. */
  find(kind: PrincipalKind, name: string): Promise<number | null>;
  /** Of a user, by name or number, with the primary group; or a group, by name. Null: neither is there, or nobody answers. */
  owner(who: string): Promise<Owner | null>;
  /** What to hand to `openAccounts` the next time. */
  save(): SavedAccounts;
  /** True: some name has no account. */
  missing(): boolean;
  /** Why the last look-up failed; null: it did not. */
  readonly error: string | null;
};

/** Lines of the account database. Throws where nobody answers. */
async function entries(kind: PrincipalKind, names: readonly string[]): Promise<readonly string[]> {
  const result = await execa('/usr/bin/getent', ['--', DATABASES[kind], ...names], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: TIMEOUT,
    cwd: '/',
  });
  if (result.failed && result.exitCode !== NOT_FOUND) {
    throw new Error(result.timedOut ? `getent ${DATABASES[kind]} did not answer within ${TIMEOUT} ms` : (result.shortMessage ?? 'getent failed'));
  }
  return result.stdout.split('\n');
}

async function getent(kind: PrincipalKind, names: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const line of await entries(kind, names)) {
    const [name, , id] = line.split(':');
    if (name !== undefined && id !== undefined && /^\d+$/.test(id)) found.set(name, Number(id));
  }
  return found;
}

export function openAccounts(saved: SavedAccounts | null): Accounts {
  const before = { user: new Map(Object.entries(saved?.user ?? {})), group: new Map(Object.entries(saved?.group ?? {})) };
  const known = { user: new Map<string, number | null>(), group: new Map<string, number | null>() };
  let error: string | null = null;

  async function refreshKind(kind: PrincipalKind, wanted: ReadonlySet<string>, again: boolean): Promise<boolean> {
    let changed = false;
    for (const names of [known[kind], before[kind]]) for (const name of names.keys()) if (!wanted.has(name)) names.delete(name);
    const asked = [...wanted].filter((name) => again || !known[kind].has(name));
    for (let start = 0; start < asked.length; start += BATCH) {
      const batch = asked.slice(start, start + BATCH);
      const found = await getent(kind, batch);
      for (const name of batch) {
        const id = found.get(name) ?? null;
        changed ||= (known[kind].get(name) ?? null) !== id;
        known[kind].set(name, id);
        before[kind].delete(name);
      }
    }
    return changed;
  }

  return {
    id: (kind, name) => (known[kind].has(name) ? (known[kind].get(name) ?? null) : (before[kind].get(name) ?? null)),
    save() {
      const found = (kind: PrincipalKind) => Object.fromEntries([...before[kind], ...known[kind]].flatMap(([name, id]) => (id === null ? [] : [[name, id]])));
      return { user: found('user'), group: found('group') };
    },
    async refresh(wanted, again) {
      try {
        const users = await refreshKind('user', wanted.user, again);
        const groups = await refreshKind('group', wanted.group, again);
        error = null;
        return users || groups;
      } catch (failure) {
        error = messageOf(failure);
        return false;
      }
    },
    find: async (kind, name) => {
      try {
        return (await getent(kind, [name])).get(name) ?? null;
      } catch {
        return null;
      }
    },
    owner: async (who) => {
      try {
        for (const line of await entries('user', [who])) {
          const [name, , uid = '', gid = ''] = line.split(':');
          if ((name === who || uid === who) && /^\d+$/.test(uid) && /^\d+$/.test(gid)) return { uid: Number(uid), gid: Number(gid) };
        }
        const gid = /^\d+$/.test(who) ? null : ((await getent('group', [who])).get(who) ?? null);
        return gid === null ? null : { uid: null, gid };
      } catch {
        return null;
      }
    },
    missing: () => [...known.user.values(), ...known.group.values()].includes(null),
    get error() {
      return error;
    },
  };
}
