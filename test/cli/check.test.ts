/** Commands that read policy files themselves, with a configuration of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { attempt } from '../e2e/run.ts';

const CTL = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
/** /etc is replaced by one that holds nothing but the configuration ($0). */
const WITH_CONFIGURATION = 'mount -t tmpfs -o mode=0755 netwall-etc /etc && mkdir /etc/netwall && printf %s "$0" > /etc/netwall/netwalld.yaml && exec env -i "$@"';

type Place = {
  readonly at: (path: string) => string;
  readonly write: (path: string, text: string) => void;
  /** `configuration`: omitted: policies are in `installed`. */
  readonly ctl: (args: readonly string[], configuration?: string) => ReturnType<typeof attempt>;
};

function place(t: ExecutionContext): Place {
  const root = mkdtempSync(join(tmpdir(), 'netwall-check-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const at = (path: string) => join(root, path);
  for (const directory of ['installed', 'new']) mkdirSync(at(directory), { mode: 0o755 });
  return {
    at,
    write: (path, text) => writeFileSync(at(path), text, { mode: 0o644 }),
    ctl: (args, configuration = `policy_dirs: [${at('installed')}]\n`) =>
      attempt(['unshare', '--mount', 'sh', '-c', WITH_CONFIGURATION, configuration, process.execPath, CTL, '--socket', at('none.sock'), ...args]),
  };
}

const policy = (service: string, uid: number, to = '45.64.0.0/16') => `service: ${service}\nmatch: { user: ${uid} }\ndns: none\negress:\n  allow:\n    - { to: "${to}", ports: [443] }\n`;

const INVALID: readonly [what: string, args: (here: Place) => readonly string[]][] = [
  ['check', () => ['check']],
  ['check of a file', ({ at }) => ['check', at('new/a.yaml')]],
  ['check in JSON', ({ at }) => ['check', '--json', at('new/a.yaml')]],
  ['plan', ({ at }) => ['plan', at('new/a.yaml')]],
  ['explain --offline', () => ['explain', '--offline', 'webapp', '45.64.7.1:443']],
  ['allow', () => ['allow', 'webapp', '45.64.7.1', '443']],
];
for (const [what, args] of INVALID) {
  test(`with a configuration that is not valid nothing is answered from defaults: ${what}`, async (t) => {
    const here = place(t);
    here.write('new/a.yaml', policy('webapp', 1001));
    const { exitCode, stdout, stderr } = await here.ctl(args(here), 'policy_dir: [/elsewhere]\n');
    t.is(exitCode, 4, stderr);
    t.is(stdout, '');
    t.regex(stderr, /^error: the configuration is not valid, so where policies are is not known\n.*netwalld\.yaml:1:1: error: unknown key "policy_dir"[^]*did you mean "policy_dirs"/m);
  });
}

test('a configuration that is valid is used', async (t) => {
  const here = place(t);
  here.write('installed/a.yaml', policy('webapp', 1001));
  t.like(await here.ctl(['check']), { exitCode: 0, stdout: '1 file: good', stderr: '' });
});

const GROUPS = 'groups: { lan: [10.0.0.0/8] }\n';
/** `in force`: who uses the group, and somebody who is not valid whatever happens. */
function withGroups(t: ExecutionContext): Place {
  const here = place(t);
  here.write('installed/a.yaml', policy('webapp', 1001, '@lan'));
  here.write('installed/bad.yaml', 'service: bad\nmatch: { usr: 1 }\n');
  here.write('installed/groups.yaml', GROUPS);
  return here;
}
const NOTE = 'installed/a.yaml:6:13 would no longer be valid (its last good version stays in force): group "@lan" is not defined in any policy file';

const BROKEN: readonly [what: string, files: Readonly<Record<string, string>>, note: string | null][] = [
  ['a group that is changed', { 'groups.yaml': 'groups: { lan: [192.168.0.0/16] }\n' }, null],
  ['a group that is removed and that another file uses', { 'groups.yaml': 'groups: { wan: [45.64.0.0/16] }\n' }, NOTE],
  ['… with the file that uses it', { 'groups.yaml': 'groups: { wan: [45.64.0.0/16] }\n', 'a.yaml': policy('webapp', 1001, '@wan') }, null],
  ['… by an empty file', { 'groups.yaml': '' }, NOTE],
  ['another file', { 'c.yaml': policy('third', 1003) }, null],
];
for (const [what, files, note] of BROKEN) {
  test(`what becomes of installed files is told: ${what}`, async (t) => {
    const here = withGroups(t);
    for (const [name, text] of Object.entries(files)) here.write(`new/${name}`, text);
    const count = Object.keys(files).length;
    const notes = note === null ? [] : [here.at(note)];
    t.like(await here.ctl(['check', here.at('new')]), { exitCode: 0, stdout: [`${count} ${count === 1 ? 'file' : 'files'}: good`, ...notes.map((text) => `note: ${text}`)].join('\n'), stderr: '' });
    const { exitCode, stdout } = await here.ctl(['check', '--json', here.at('new')]);
    t.is(exitCode, 0);
    t.like(JSON.parse(stdout), { valid: true, files: count, problems: [], notes });
  });
}

test('of files that are not valid themselves only that is told', async (t) => {
  const here = withGroups(t);
  here.write('new/groups.yaml', 'groups: { lan: [10.0.0.999] }\n');
  const { exitCode, stdout, stderr } = await here.ctl(['check', here.at('new')]);
  t.deepEqual([exitCode, stdout], [4, '']);
  t.notRegex(stderr, /no longer/);
});
