/** sudoers(5), as far as it says who may do anything. Pure. */

/** `who`: a user, `%group`, `#uid`, `%#gid` or `ALL`. */
export type SudoRule = { readonly who: string; readonly password: boolean; readonly everything: boolean; readonly text: string };

const ALIAS = /^User_Alias\s+(.*)$/;
const OTHER = /^(?:Defaults|Host_Alias|Runas_Alias|Cmnd_Alias|Cmd_Alias)\b/;
const NAMED = /^([A-Z][A-Z0-9_]*)\s*=\s*(.*)$/;

/** Comments begin with `#`, unless a number follows: that is an id. */
const lines = (text: string) =>
  text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/(^|[^\\])#(?!\d).*$/, '$1').trim())
    .filter((line) => line !== '' && !line.startsWith('@include'));

/** Rules that give something to somebody; netgroups and exclusions are left out. */
export function sudoRules(text: string): readonly SudoRule[] {
  const aliases = new Map<string, readonly string[]>();
  const rules: SudoRule[] = [];
  const expand = (who: string, depth = 0): readonly string[] => (aliases.has(who) && depth < 8 ? (aliases.get(who) ?? []).flatMap((member) => expand(member, depth + 1)) : [who]);
  const all = lines(text);
  for (const line of all) {
    const definitions = ALIAS.exec(line)?.[1];
    for (const definition of definitions?.split(/\s*:\s*(?=[A-Z][A-Z0-9_]*\s*=)/) ?? []) {
      const [, name = '', members = ''] = NAMED.exec(definition) ?? [];
      aliases.set(name, members.split(/\s*,\s*/).filter(Boolean));
    }
  }
  for (const line of all) {
    if (ALIAS.test(line) || OTHER.test(line)) continue;
    const [, users, commands] = /^(\S+)\s[^=]*=(.*)$/.exec(line.replaceAll(/\s*,\s*/g, ',')) ?? [];
    if (users === undefined || commands === undefined) continue;
    const password = !/\bNOPASSWD\s*:/.test(commands);
    const everything = /(?:^|[\s,:)])ALL\s*(?:,|$)/.test(commands);
    for (const who of users.split(',').flatMap((user) => expand(user))) if (!/^[!+]/.test(who)) rules.push({ who, password, everything, text: line });
  }
  return rules;
}
