/**
 * The guard: a small table of its own, behind the first on the same hook, that drops what is sent by a governed principal and was not
 * judged. A process that lives as long as the daemon owns it (table flag `owner`), so `nft flush ruleset` passes it by and nobody
 * else can change it: while the first table is gone, or a foreign rule lets packets past it, nothing gets out. It goes with
 * its owner, and what then stands is the first table. Pure.
 */
import { GUARD_PRIORITY, OWN_SOCKETS, type Table } from './skeleton.ts';

/** Numeric ids. */
export type Governed = { readonly users: ReadonlySet<number>; readonly groups: ReadonlySet<number> };

const SETS = ['users', 'groups'] as const;

export const guardName = (table: Table) => `${table.name}_guard`;

const elements = (verb: 'add' | 'delete', name: string, set: string, ids: readonly number[]) => (ids.length === 0 ? [] : [`${verb} element inet ${name} ${set} { ${ids.join(', ')} }`]);

/** From nothing. `mark`: the bit that says that the first table has judged a packet. */
export function guardText(table: Table, mark: number, governed: Governed): string {
  const name = guardName(table);
  const lines = [
    `table inet ${name} {`,
    '\tflags owner',
    '\tset users {\n\t\ttypeof meta skuid\n\t}',
    '\tset groups {\n\t\ttypeof meta skgid\n\t}',
    '\tchain output {',
    `\t\ttype filter hook output priority filter + ${GUARD_PRIORITY}; policy accept;`,
    `\t\tmeta mark & 0x${mark.toString(16)} != 0x0 accept`,
    `\t\t${OWN_SOCKETS}`,
    // silent: it lasts for milliseconds, and a drop only delays what is allowed
    '\t\tmeta skuid @users counter drop',
    '\t\tmeta skgid @groups counter drop',
    '\t}',
    '}',
    ...SETS.flatMap((set) => elements('add', name, set, [...governed[set]])),
  ];
  return `${lines.join('\n')}\n`;
}

/** From one state to the next; empty: nothing to do. */
export function guardChanges(table: Table, before: Governed, after: Governed): string {
  const name = guardName(table);
  const lines = SETS.flatMap((set) => [
    ...elements('delete', name, set, [...before[set]].filter((id) => !after[set].has(id))),
    ...elements('add', name, set, [...after[set]].filter((id) => !before[set].has(id))),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}
