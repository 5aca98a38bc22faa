/** Whose processes run, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** uids and primary gids (real, effective, saved, file system) of every process that can be seen. */
export function idsInUse(): { readonly user: ReadonlySet<number>; readonly group: ReadonlySet<number> } {
  const user = new Set<number>();
  const group = new Set<number>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    let status = '';
    try {
      status = readFileSync(`/proc/${pid}/status`, 'utf8');
    } catch {
      continue; // ended meanwhile
    }
    for (const [, what, ids] of status.matchAll(/^([UG])id:\t(.*)$/gm)) {
      for (const id of (ids ?? '').split('\t')) (what === 'U' ? user : group).add(Number(id));
    }
  }
  return { user, group };
}
