/** Accounts behind governed ids, and the groups they are in: through NSS, as the daemon asks. */
import { execa } from 'execa';
import { type Known, known, unknown } from './known.ts';

/** `groups`: supplementary ones, and the primary. */
export type Person = { readonly name: string; readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
export type People = { readonly persons: readonly Person[]; readonly groupNames: ReadonlyMap<number, string> };

const AT_ONCE = 500;

/** getent(1) ends with 2 where some key has no entry. */
async function getent(database: string, keys: readonly string[]): Promise<readonly string[]> {
  const { stdout, failed, exitCode } = await execa('/usr/bin/getent', ['--', database, ...keys], { env: { LC_ALL: 'C' }, extendEnv: false, stdin: 'ignore', reject: false, timeout: 10_000, cwd: '/' });
  if (failed && exitCode !== 2) throw new Error(`getent ${database} does not answer`);
  return (stdout ?? '').split('\n').filter(Boolean);
}

async function getentOf(database: string, keys: readonly string[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let start = 0; start < keys.length; start += AT_ONCE) lines.push(...(await getent(database, keys.slice(start, start + AT_ONCE))));
  return lines;
}

/** Those with one of these uids or primary gids. Members of a group are found among accounts that NSS enumerates. */
export async function readPeople(uids: ReadonlySet<number>, gids: ReadonlySet<number>): Promise<Known<People>> {
  try {
    const groups = await getent('group', []);
    const rows = [...(await getentOf('passwd', [...uids].map(String))), ...(gids.size === 0 ? [] : await getent('passwd', []))].map((line) => line.split(':'));
    const accounts = new Map(rows.map(([name = '', , uid, gid]) => [name, { name, uid: Number(uid), gid: Number(gid) }]));
    const wanted = [...accounts.values()].filter(({ uid, gid }) => uids.has(uid) || gids.has(gid));
    const memberships = new Map((await getentOf('initgroups', wanted.map(({ name }) => name))).map((line) => {
      const [name = '', ...ids] = line.trim().split(/\s+/);
      return [name, ids.map(Number)];
    }));
    const persons = wanted.map((account) => ({ ...account, groups: [...new Set([account.gid, ...(memberships.get(account.name) ?? [])])] }));
    return known({ persons, groupNames: new Map(groups.map((line) => line.split(':')).map(([name = '', , gid]) => [Number(gid), name])) });
  } catch (error) {
    return unknown(error instanceof Error ? error.message : 'getent fails');
  }
}
