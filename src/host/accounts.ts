/**
 * Names of users and groups to numbers, through NSS (`getent`), so that LDAP, systemd's dynamic users and the like count as
 * well as /etc/passwd. Answers are kept: a policy set asks for its names at every run.
 */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { z } from 'zod';
import type { PrincipalKind } from '../policy/policy.ts';
import { AccountNames, accountOrigin, type AccountSources, idsOf, type SeenAccount } from './account-names.ts';

/** A directory service that does not answer must not keep the wall waiting. */
const TIMEOUT = 5000;

const DATABASES = { user: 'passwd', group: 'group' } as const;
/** getent(1): one or more keys could not be found. So it ends as well where a source that may have them does not answer. */
const NOT_FOUND = 2;
/** Names that a message lists. */
const LISTED = 10;

const ids = z.record(z.string(), z.number());
const savedOrigins = z.record(z.string(), accountOrigin);
/** Names and their ids as they are kept: what counts until NSS answers, so that its outage at start frees nobody. */
export const savedAccounts = z.object({
  user: ids,
  group: ids,
  /** Not written by earlier versions. */
  origins: z.object({ user: savedOrigins, group: savedOrigins }).optional(),
});
export type SavedAccounts = z.infer<typeof savedAccounts>;

/** Whose sockets: null where that is not known, or not meant. */
export type Owner = { readonly uid: number | null; readonly gid: number | null };

export type Accounts = {
  /** The id of a name as last seen; null: no such account, or not asked for yet. */
  readonly id: (kind: PrincipalKind, name: string) => number | null;
  /**
   * Looks names up: those never asked for, or, with `again`, all of them. Resolves to whether any answer changed.
   * Where NSS fails, what was known stays, and /etc tells of those that it has; the message is in `error`. Whom it failed to tell of
   * is asked for again only with `again`.
   */
  refresh(wanted: { readonly user: ReadonlySet<string>; readonly group: ReadonlySet<string> }, again: boolean): Promise<boolean>;
  /** One look-up past what is kept; null: no such account, or nobody answers. */
  find(kind: PrincipalKind, name: string): Promise<number | null>;
  /** Of a user, by name or number, with the primary group; or a group, by name. Null: neither is there, or nobody answers. */
  owner(who: string): Promise<Owner | null>;
  /** What to hand to `openAccounts` the next time. */
  save(): SavedAccounts;
  /** True: some name was not found, or could not be told. */
  missing(): boolean;
  /** Whether a look-up that failed would succeed by now, for all users or all groups that it was about. */
  answers(): Promise<boolean>;
  /** Why a look-up failed; null: all names were told of when they were last asked for. */
  readonly error: string | null;
  /** Who may have an id that is not known, as the look-up failed; null: nobody. */
  readonly untold: string | null;
  /** Whose ids count although they are not found any more; null: nobody's. */
  readonly doubt: string | null;
};

const system: AccountSources = {
  entries: async (kind, keys) => {
    const result = await execa('/usr/bin/getent', ['--', DATABASES[kind], ...keys], {
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
  },
  local: async (kind) => {
    try {
      return (await readFile(`/etc/${DATABASES[kind]}`, 'utf8')).split('\n');
    } catch {
      return null;
    }
  },
};

export function openAccounts(saved: SavedAccounts | null, sources: AccountSources = system): Accounts {
  const open = (kind: PrincipalKind) => {
    const origins = new Map(Object.entries(saved?.origins?.[kind] ?? {}));
    const before = Object.entries(saved?.[kind] ?? {}).map(([name, id]): [string, SeenAccount] => [name, { id, origin: origins.get(name) ?? 'elsewhere' }]);
    return new AccountNames(kind, sources, new Map(before));
  };
  const names = { user: open('user'), group: open('group') };
  const find = async (kind: PrincipalKind, name: string) => idsOf(await sources.entries(kind, [name])).get(name) ?? null;

  return {
    id: (kind, name) => names[kind].seen(name)?.id ?? null,
    save() {
      const [users, groups] = [[...names.user.all], [...names.group.all]];
      const idOf = ([name, { id }]: [string, SeenAccount]) => [name, id];
      const originOf = ([name, { origin }]: [string, SeenAccount]) => [name, origin];
      return {
        user: Object.fromEntries(users.map(idOf)),
        group: Object.fromEntries(groups.map(idOf)),
        origins: { user: Object.fromEntries(users.map(originOf)), group: Object.fromEntries(groups.map(originOf)) },
      };
    },
    async refresh(wanted, again) {
      const changed = await Promise.all([names.user.refresh(wanted.user, again), names.group.refresh(wanted.group, again)]);
      return changed.includes(true);
    },
    find: async (kind, name) => {
      try {
        return await find(kind, name);
      } catch {
        return null;
      }
    },
    owner: async (who) => {
      try {
        for (const line of await sources.entries('user', [who])) {
          const [name, , uid = '', gid = ''] = line.split(':');
          if ((name === who || uid === who) && /^\d+$/.test(uid) && /^\d+$/.test(gid)) return { uid: Number(uid), gid: Number(gid) };
        }
        const gid = /^\d+$/.test(who) ? null : await find('group', who);
        return gid === null ? null : { uid: null, gid };
      } catch {
        return null;
      }
    },
    missing: () => names.user.missing || names.group.missing,
    answers: async () => (await Promise.all([names.user.answers(), names.group.answers()])).includes(true),
    get error() {
      return names.user.error ?? names.group.error;
    },
    get untold() {
      const untold = [...names.user.untold, ...names.group.untold];
      return untold.length === 0 ? null : listed(untold);
    },
    get doubt() {
      const doubts = [...names.user.doubts, ...names.group.doubts];
      return doubts.length === 0 ? null : `not found, and perhaps only not told of: ${listed(doubts)}; the ids last known count`;
    },
  };
}

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).join(', ')}${more}`;
}
