import { createHash } from 'node:crypto';
import test from 'ava';
import * as fc from 'fast-check';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { buildPolicySet, type GoodVersion, type IdOf, type PolicyFile, type PolicySet } from '../../src/policy/policy-set.ts';
import type { Problem } from '../../src/policy/problem.ts';

type Texts = Readonly<Record<string, string>>;

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

function policyFile(name: string, text: string, refused: string | null = null): PolicyFile {
  const path = `/etc/netwall.d/${name}`;
  const refusals: Problem[] = refused === null ? [] : [{ severity: 'error', at: { file: path, line: 1, column: 1 }, message: refused }];
  return { name, path, hash: hashOf(text), text, parsed: parsePolicyFile(path, text), refusals };
}

const filesOf = (texts: Texts) => Object.entries(texts).map(([name, text]) => policyFile(name, text));

const IDS: Readonly<Record<string, number>> = { 'user web': 1001, 'user db': 1002, 'user alias': 1001, 'group web': 1001 };
const idOf: IdOf = (kind, name) => IDS[`${kind} ${name}`] ?? null;

const NOTHING: ReadonlyMap<string, GoodVersion> = new Map();

/** What is in force after these contents of the directory, one after the other. */
function after(...states: readonly Texts[]): PolicySet {
  let set = buildPolicySet([], NOTHING, idOf);
  for (const state of states) set = buildPolicySet(filesOf(state), set.good, idOf);
  return set;
}

/** `web good user web -> 192.0.2.1`: what each service may reach is the last part, when it has rules at all. */
function services(set: PolicySet): string[] {
  return set.services.map(({ service, standing, kind, subjects, linked }) => {
    const rules = linked?.allow.map(({ text }) => text) ?? [];
    return [service, standing, kind, subjects.map(({ id }) => id).join(','), ...(rules.length > 0 ? ['->', rules.join(', ')] : [])].join(' ');
  });
}
const problems = (set: PolicySet) =>
  set.badFiles.flatMap(({ problems }) => problems.map(({ at, message }) => `${at.file.replace(/.*\//, '')}:${at.line}:${at.column} ${message.replaceAll('/etc/netwall.d/', '')}`));

const web = (to = '192.0.2.1', service = 'web', user: string | number = 'web') =>
  `service: ${service}\nmatch: { user: ${user} }\negress: { allow: [{ to: ${JSON.stringify(to)}, ports: 443/tcp }] }\ndns: filtered\n`;
const bad = (user: string | number = 'web', service = 'web') => `service: ${service}\nmatch: { user: ${user} }\nmode: blok\n`;

type Case = readonly [what: string, states: readonly Texts[], services: readonly string[], problems: readonly string[]];

const CASES: readonly Case[] = [
  ['no files', [{}], [], []],
  ['a good file', [{ 'a.yaml': web() }], ['web good user web -> 192.0.2.1'], []],
  ['a file that is edited', [{ 'a.yaml': web() }, { 'a.yaml': web('192.0.2.2') }], ['web good user web -> 192.0.2.2'], []],
  ['a file that is removed', [{ 'a.yaml': web() }, {}], [], []],
  ['a bad file that never was good', [{ 'a.yaml': bad() }], ['web rejected user web'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['a good file that turns bad', [{ 'a.yaml': web() }, { 'a.yaml': bad() }], ['web stale user web -> 192.0.2.1'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['bad, twice', [{ 'a.yaml': web() }, { 'a.yaml': bad() }, { 'a.yaml': bad('db') }], ['web stale user web -> 192.0.2.1'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['good, bad, good', [{ 'a.yaml': web() }, { 'a.yaml': bad() }, { 'a.yaml': web('192.0.2.2') }], ['web good user web -> 192.0.2.2'], []],
  ['removed and written again, badly', [{ 'a.yaml': web() }, {}, { 'a.yaml': bad() }], ['web rejected user web'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['a bad file under another name', [{ 'a.yaml': web() }, { 'b.yaml': bad() }], ['web rejected user web'], ['b.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['a bad file beside a good one', [{ 'a.yaml': bad('db', 'db'), 'b.yaml': web() }], ['db rejected user db', 'web good user web -> 192.0.2.1'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  ['one bad document refuses its whole file', [{ 'a.yaml': `${web()}---\n${bad('db', 'db')}` }], ['web rejected user web', 'db rejected user db'], ['a.yaml:8:7 expected enforce, audit or block, found "blok"']],
  ['a file that names nobody', [{ 'a.yaml': 'nonsense\n' }], ['a rejected user '], ['a.yaml:1:1 expected a mapping, found "nonsense"']],
  ['a file without documents', [{ 'a.yaml': '# nothing yet\n' }], [], []],
  [
    'a user and a group of one number are two',
    [{ 'a.yaml': web(), 'b.yaml': 'service: group\nmatch: { group: web }\n' }],
    ['web good user web -> 192.0.2.1', 'group good group web'],
    [],
  ],
  [
    'an edit that claims a principal of another file keeps its old version',
    [{ 'a.yaml': web('192.0.2.2', 'db', 'db'), 'b.yaml': web() }, { 'a.yaml': web('192.0.2.2', 'db', 'web'), 'b.yaml': web() }],
    ['db stale user db -> 192.0.2.2', 'web good user web -> 192.0.2.1'],
    ['a.yaml:2:16 user "web" is already governed by service "web" at b.yaml:2:16'],
  ],
  [
    'an old version that lost its principal is not in force',
    [{ 'a.yaml': web() }, { 'b.yaml': web('192.0.2.2', 'other') }, { 'a.yaml': bad(), 'b.yaml': web('192.0.2.2', 'other') }],
    ['web rejected user web', 'other good user web -> 192.0.2.2'],
    ['a.yaml:3:7 expected enforce, audit or block, found "blok"'],
  ],
  [
    'a principal that moves from one file to the other',
    [{ 'a.yaml': web() }, { 'a.yaml': web('192.0.2.1', 'web', 'db'), 'b.yaml': web('192.0.2.2', 'other') }],
    ['web good user db -> 192.0.2.1', 'other good user web -> 192.0.2.2'],
    [],
  ],
  ['two names of one uid in one policy', [{ 'a.yaml': web('192.0.2.1', 'web', '[web, alias]') }], ['web good user web,alias -> 192.0.2.1'], []],
  ['a name and its number in one policy', [{ 'a.yaml': web('192.0.2.1', 'web', '[1001, db, web]') }], ['web good user 1001,db,web -> 192.0.2.1'], []],
  ['… that is edited', [{ 'a.yaml': web('192.0.2.1', 'web', '[web, 1001]') }, { 'a.yaml': web('192.0.2.2', 'web', '[alias, web]') }], ['web good user alias,web -> 192.0.2.2'], []],
  ['… that is bad now', [{ 'a.yaml': web('192.0.2.1', 'web', '[web, 1001]') }, { 'a.yaml': bad() }], ['web stale user web,1001 -> 192.0.2.1'], ['a.yaml:3:7 expected enforce, audit or block, found "blok"']],
  [
    'a group from another file',
    [{ 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: [192.0.2.7, api.example.com] }\n' }],
    ['web good user web -> @apis 192.0.2.7, @apis api.example.com'],
    [],
  ],
  [
    'a group that changes in another file',
    [
      { 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: 192.0.2.7 }\n' },
      { 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: 192.0.2.8 }\n' },
    ],
    ['web good user web -> @apis 192.0.2.8'],
    [],
  ],
  [
    'a group that is gone: the last good version has its members',
    [{ 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: [192.0.2.7, api.example.com] }\n' }, { 'a.yaml': web('@apis') }],
    ['web stale user web -> @apis 192.0.2.7, @apis api.example.com'],
    ['a.yaml:3:25 group "@apis" is not defined in any policy file'],
  ],
  [
    'a bad file of groups: those of its last good version go on for everybody',
    [
      { 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: 192.0.2.7 }\n' },
      { 'a.yaml': web('@apis'), 'b.yaml': web('@apis', 'new', 'db'), 'groups.yaml': 'groups: { apis: 192.0.2.999 }\n' },
    ],
    ['web good user web -> @apis 192.0.2.7', 'new good user db -> @apis 192.0.2.7'],
    ['groups.yaml:1:17 "192.0.2.999" is not an IP address: octet "999" is greater than 255'],
  ],
];

/** Files that are good by themselves and never were in force: what is wrong is between them and others. */
const AT_ODDS: readonly Case[] = [
  [
    'two services of one name: the first file has it',
    [{ 'a.yaml': web(), 'b.yaml': web('192.0.2.2', 'web', 'db') }],
    ['web good user web -> 192.0.2.1', 'web rejected user db'],
    ['b.yaml:1:1 service "web" is already defined at a.yaml:1:1'],
  ],
  [
    'two policies for one user: both places are named',
    [{ 'a.yaml': web(), 'b.yaml': `# second\n${web('192.0.2.2', 'other')}` }],
    ['web good user web -> 192.0.2.1', 'other rejected user web'],
    ['b.yaml:3:16 user "web" is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'two names of one uid',
    [{ 'a.yaml': web(), 'b.yaml': web('192.0.2.2', 'other', 'alias') }],
    ['web good user web -> 192.0.2.1', 'other rejected user alias'],
    ['b.yaml:2:16 uid 1001 is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'a name and its number',
    [{ 'a.yaml': web(), 'b.yaml': web('192.0.2.2', 'other', 1001) }],
    ['web good user web -> 192.0.2.1', 'other rejected user 1001'],
    ['b.yaml:2:16 uid 1001 is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'a name without an account is claimed all the same',
    [{ 'a.yaml': web('192.0.2.1', 'web', 'nobody-yet'), 'b.yaml': web('192.0.2.2', 'other', 'nobody-yet') }],
    ['web good user nobody-yet -> 192.0.2.1', 'other rejected user nobody-yet'],
    ['b.yaml:2:16 user "nobody-yet" is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'a name and its number, and one of another policy beside them',
    [{ 'a.yaml': web(), 'b.yaml': web('192.0.2.2', 'other', '[7, alias, 7001]') }],
    ['web good user web -> 192.0.2.1', 'other rejected user 7,alias,7001'],
    ['b.yaml:2:20 uid 1001 is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'a policy that is refused claims nothing, also where two of its names are one',
    [{ 'a.yaml': web('192.0.2.1', 'web', '[web, alias]').replace('web\n', 'web\nmode: block\n') + `---\n${web('192.0.2.2', 'web', 'db')}`, 'b.yaml': web('192.0.2.3', 'other', 1001) }],
    ['web rejected user web,alias', 'web rejected user db', 'other good user 1001 -> 192.0.2.3'],
    ['a.yaml:7:1 service "web" is already defined at a.yaml:1:1'],
  ],
  [
    'two services of one user within a file',
    [{ 'a.yaml': `${web()}---\n${web('192.0.2.2', 'other', 1001)}` }],
    ['web rejected user web', 'other rejected user 1001'],
    ['a.yaml:7:16 uid 1001 is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'a newcomer takes no principal from who was there, whatever its name sorts to',
    [{ 'b.yaml': web() }, { 'a.yaml': web('192.0.2.2', 'other'), 'b.yaml': web() }],
    ['other rejected user web', 'web good user web -> 192.0.2.1'],
    ['a.yaml:2:16 user "web" is already governed by service "web" at b.yaml:2:16'],
  ],
  ['a group that never was', [{ 'a.yaml': web('@apis') }], ['web rejected user web'], ['a.yaml:3:25 group "@apis" is not defined in any policy file']],
  [
    'one group in two files: the first has it, the other file is refused',
    [{ 'a.yaml': 'groups: { apis: 192.0.2.7 }\n', 'b.yaml': `${web('@apis')}---\ngroups: { apis: 192.0.2.8 }\n` }],
    ['web rejected user web'],
    ['b.yaml:6:11 group "apis" is already defined at a.yaml:1:11'],
  ],
];

/** Groups of a file that is refused for what lies between it and others. */
const GROUPS_AT_ODDS: readonly Case[] = [
  [
    'a file that claims what is taken widens no group either',
    [
      { 'a.yaml': web('@apis'), 'g.yaml': `groups: { apis: 192.0.2.7 }\n---\n${web('192.0.2.1', 'db', 'db')}` },
      { 'a.yaml': web('@apis'), 'g.yaml': `groups: { apis: [192.0.2.7, 192.0.2.66] }\n---\n${web('192.0.2.1', 'db', 'web')}` },
    ],
    ['web good user web -> @apis 192.0.2.7', 'db stale user db -> 192.0.2.1'],
    ['g.yaml:4:16 user "web" is already governed by service "web" at a.yaml:2:16'],
  ],
  [
    'one that never was good defines none',
    [{ 'a.yaml': web(), 'b.yaml': web('@apis', 'other', 'db'), 'g.yaml': `groups: { apis: 192.0.2.7 }\n---\n${web('192.0.2.1', 'third', 'web')}` }],
    ['web good user web -> 192.0.2.1', 'other rejected user db', 'third rejected user web'],
    ['b.yaml:3:25 group "@apis" is not defined in any policy file', 'g.yaml:4:16 user "web" is already governed by service "web" at a.yaml:2:16'],
  ],
];

/** Policies in force whose file is edited or bad when a newcomer whose name sorts first wants the same. */
const NEWCOMERS: readonly Case[] = [
  [
    'a newcomer takes no principal from a stale policy',
    [{ 'b.yaml': web() }, { 'b.yaml': bad() }, { 'a.yaml': web('192.0.2.2', 'other'), 'b.yaml': bad() }],
    ['web stale user web -> 192.0.2.1'],
    ['a.yaml:2:16 user "web" is already governed by service "web" at b.yaml:2:16', 'b.yaml:3:7 expected enforce, audit or block, found "blok"'],
  ],
  [
    'a newcomer takes no principal from a policy that is edited at the same time',
    [{ 'b.yaml': web() }, { 'a.yaml': web('192.0.2.2', 'other'), 'b.yaml': web('192.0.2.3') }],
    ['web good user web -> 192.0.2.3'],
    ['a.yaml:2:16 user "web" is already governed by service "web" at b.yaml:2:16'],
  ],
];

for (const [what, states, expected, messages] of [...CASES, ...GROUPS_AT_ODDS]) {
  test(`policy set: ${what}`, (t) => {
    t.deepEqual(services(after(...states)), expected);
    t.deepEqual(problems(after(...states)), messages);
  });
}
for (const [what, states, expected, messages] of AT_ODDS) {
  test(`policy set: ${what}`, (t) => t.deepEqual(services(after(...states)), expected));
  test(`policy set: ${what}: what is reported`, (t) => t.deepEqual(problems(after(...states)), messages));
}
for (const [what, states, expected, messages] of NEWCOMERS) {
  test(`policy set: ${what}`, (t) => {
    t.deepEqual(services(after(...states)).filter((line) => !line.includes(' rejected ')), expected);
    t.deepEqual(problems(after(...states)), messages);
  });
}

const UNTRUSTED = 'the file must belong to root and be writable by nobody else';

test('policy set: a refused file keeps its last good version in force, whatever it says now', (t) => {
  const { good } = after({ 'a.yaml': web() });
  const set = buildPolicySet([policyFile('a.yaml', web('192.0.2.66'), UNTRUSTED)], good, idOf);
  t.deepEqual(services(set), ['web stale user web -> 192.0.2.1']);
  t.deepEqual(problems(set), [`a.yaml:1:1 ${UNTRUSTED}`]);
  t.is(set.good.get('a.yaml'), good.get('a.yaml'));
});

test('policy set: a refused file that never was good shuts in whom it names', (t) => {
  t.deepEqual(services(buildPolicySet([policyFile('a.yaml', web(), UNTRUSTED)], NOTHING, idOf)), ['web rejected user web']);
});

test('policy set: a refused file defines no groups for others', (t) => {
  const set = buildPolicySet([policyFile('a.yaml', web('@apis')), policyFile('groups.yaml', 'groups: { apis: 192.0.2.7 }\n', UNTRUSTED)], NOTHING, idOf);
  t.false(set.services.some(({ standing }) => standing !== 'rejected'));
  t.deepEqual(problems(set), ['a.yaml:3:25 group "@apis" is not defined in any policy file', `groups.yaml:1:1 ${UNTRUSTED}`]);
});

test('policy set: a last good version goes by name, wherever its file lies now', (t) => {
  const { good } = after({ 'a.yaml': web() });
  const moved: PolicyFile = { ...policyFile('a.yaml', bad()), path: '/run/netwall.d/a.yaml', parsed: parsePolicyFile('/run/netwall.d/a.yaml', bad()) };
  const set = buildPolicySet([moved], good, idOf);
  t.deepEqual(services(set), ['web stale user web -> 192.0.2.1']);
  t.is(set.services[0]?.at.file, '/etc/netwall.d/a.yaml');
  t.is(set.badFiles[0]?.path, '/run/netwall.d/a.yaml');
});

test('policy set: a last good version that this program no longer takes, or whose groups it lost, is not in force', (t) => {
  const version: GoodVersion = { name: 'a.yaml', path: '/etc/netwall.d/a.yaml', hash: 'x', text: web('@apis'), groups: 'groups: { apis: 192.0.2.7 }\n' };
  const standing = (good: GoodVersion) => services(buildPolicySet([policyFile('a.yaml', bad())], new Map([[good.name, good]]), idOf));
  t.deepEqual(standing(version), ['web stale user web -> @apis 192.0.2.7']);
  t.deepEqual(standing({ ...version, groups: '' }), ['web rejected user web']);
  t.deepEqual(standing({ ...version, text: bad() }), ['web rejected user web']);
});

test('policy set: what is kept is of files that are in force, with the groups that they used from others', (t) => {
  const groups = 'groups:\n  apis: [192.0.2.0/24, 2001:db8::/32, api.example.com]\n  unused: 192.0.2.9\n';
  const { good } = after({ 'a.yaml': web('@apis'), 'bad.yaml': bad('db'), 'gone.yaml': 'service: gone\nmatch: { user: 3 }\n', 'groups.yaml': groups }, {
    'a.yaml': web('@apis'),
    'bad.yaml': bad('db'),
    'groups.yaml': groups,
  });
  t.deepEqual([...good.keys()], ['a.yaml', 'groups.yaml']);
  t.deepEqual({ ...good.get('a.yaml') }, {
    name: 'a.yaml',
    path: '/etc/netwall.d/a.yaml',
    hash: hashOf(web('@apis')),
    text: web('@apis'),
    groups: 'groups:\n  "apis": ["192.0.2.0/24", "2001:db8::/32", "api.example.com"]\n',
  });
});

test('policy set: policies that are as they were are the same objects', (t) => {
  const files = filesOf({ 'a.yaml': web('@apis'), 'groups.yaml': 'groups: { apis: 192.0.2.7 }\n' });
  const first = buildPolicySet(files, NOTHING, idOf);
  const second = buildPolicySet(files, first.good, idOf);
  t.is(second.services[0]?.linked, first.services[0]?.linked);
  const [policy] = files;
  const other = buildPolicySet([...(policy === undefined ? [] : [policy]), policyFile('groups.yaml', 'groups: { apis: 192.0.2.8 }\n')], second.good, idOf);
  t.not(other.services[0]?.linked, first.services[0]?.linked);
});

test('policy set: a warning is reported and refuses nothing', (t) => {
  const set = after({ 'a.yaml': 'service: root\nmatch: { user: 0 }\n' });
  t.deepEqual(services(set), ['root good user 0']);
  t.deepEqual(set.badFiles.flatMap(({ problems }) => problems.map(({ severity }) => severity)), ['warning']);
});

const content = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('192.0.2.1', '@apis'), fc.constantFrom('web', 'db', 'other'), fc.constantFrom('web', 'db', 'alias', 1001, 7)).map((parts) => web(...parts)) },
  { weight: 2, arbitrary: fc.constantFrom('web', 'db', 7).map((user) => bad(user)) },
  { weight: 2, arbitrary: fc.constantFrom('192.0.2.7', '192.0.2.8', 'nonsense!').map((member) => `groups: { apis: ${member} }\n`) },
);
const state = fc.dictionary(fc.constantFrom('a.yaml', 'b.yaml', 'c.yml', 'd.yaml'), content, { noNullPrototype: true });

test('policy set: after any edits, one policy governs each principal and every version kept was good', (t) => {
  const seen = { good: 0, stale: 0, rejected: 0 };
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 4 }), (states) => {
      let previous = NOTHING;
      for (const texts of states) {
        const files = filesOf(texts);
        const set = buildPolicySet(files, previous, idOf);
        const governed = set.services
          .filter(({ standing }) => standing !== 'rejected')
          .flatMap(({ kind, subjects }) => subjects.map(({ id }) => `${kind} ${typeof id === 'number' ? id : idOf(kind, id)}`));
        t.is(new Set(governed).size, governed.length);
        const named = set.services.filter(({ standing }) => standing !== 'rejected').map(({ service }) => service);
        t.is(new Set(named).size, named.length);
        for (const { standing, linked, problems } of set.services) {
          seen[standing] += 1;
          t.is(linked === null, standing === 'rejected');
          t.is(problems.length === 0, standing === 'good');
        }
        for (const [name, version] of set.good) {
          const current = version.hash === files.find((file) => file.name === name)?.hash;
          t.true(current || version === previous.get(name));
          t.false(parsePolicyFile(version.path, version.text).problems.some(({ severity }) => severity === 'error'));
        }
        const broken = files.filter(({ parsed }) => parsed.problems.some(({ severity }) => severity === 'error')).map(({ path }) => path);
        for (const path of broken) t.true(set.badFiles.some((file) => file.path === path));
        previous = set.good;
      }
    }),
    { numRuns: 400 },
  );
  for (const count of Object.values(seen)) t.true(count > 20);
});
