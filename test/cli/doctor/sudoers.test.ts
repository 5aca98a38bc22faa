import test from 'ava';
import { sudoRules } from '../../../src/cli/doctor/sudoers.ts';

const ROWS: readonly (readonly [what: string, text: string, rules: readonly (readonly [who: string, password: boolean, everything: boolean])[]])[] = [
  ['nothing', '', []],
  ['settings and comments', '# shop ALL=ALL\nDefaults env_reset\nDefaults:shop !lecture\nCmnd_Alias X = /bin/x\nHost_Alias H = a\nRunas_Alias R = b\n', []],
  ['everything, with a password', 'root ALL=(ALL:ALL) ALL\n', [['root', true, true]]],
  ['everything, without', 'shop ALL=(ALL) NOPASSWD: ALL\n', [['shop', false, true]]],
  ['… without spaces', 'shop ALL=(ALL)NOPASSWD:ALL\n', [['shop', false, true]]],
  ['one command', 'shop ALL=(ALL) NOPASSWD: /usr/bin/x\n', [['shop', false, false]]],
  ['a command among others', 'shop ALL=/usr/bin/x, /usr/bin/y\n', [['shop', true, false]]],
  ['everything among others', 'shop ALL=/usr/bin/x, ALL\n', [['shop', true, true]]],
  ['a group', '%sudo\tALL=(ALL:ALL) ALL # all of them\n', [['%sudo', true, true]]],
  ['ids', '#1001 ALL=ALL\n%#27 ALL=ALL\n', [['#1001', true, true], ['%#27', true, true]]],
  ['several users', 'shop, bob ,%ci ALL = ALL\n', [['shop', true, true], ['bob', true, true], ['%ci', true, true]]],
  ['an alias', 'User_Alias A = shop, B : B = bob\nA ALL=ALL\n', [['shop', true, true], ['bob', true, true]]],
  ['an alias that is in itself', 'User_Alias A = A\nA ALL=ALL\n', [['A', true, true]]],
  ['a line that goes on', 'shop ALL= \\\n  NOPASSWD: ALL\n', [['shop', false, true]]],
  ['exclusions and netgroups', 'ALL, !shop, +net ALL=ALL\n', [['ALL', true, true]]],
  ['includes', '@include /etc/a\n#includedir /etc/b\n', []],
  ['nonsense', 'shop\n= ALL\n', []],
];
for (const [what, text, rules] of ROWS) {
  test(`sudoers: ${what}`, (t) => t.deepEqual(sudoRules(text).map(({ who, password, everything }) => [who, password, everything] as const), [...rules]));
}
