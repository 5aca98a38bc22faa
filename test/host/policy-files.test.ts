import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { HostError } from '../../src/host/host-error.ts';
import { openPolicyFiles, type PolicyFiles, type Scan, SETTLE_MILLISECONDS } from '../../src/host/policy-files.ts';
import { MAX_FILE_SIZE } from '../../src/policy/parse.ts';
import { buildPolicySet } from '../../src/policy/policy-set.ts';

const NOBODY = 65534;
const MISTRUST = 'the file must belong to root and be writable by nobody else';

const settled = () => delay(SETTLE_MILLISECONDS + 50);

const policy = (service: string) => `service: ${service}\nmatch: { user: ${service} }\n`;

type Place = {
  readonly root: string;
  readonly files: PolicyFiles;
  /** A path below the root. */
  readonly at: (path: string) => string;
  /** With a time of long ago, as `cp -p` does it: it is complete. */
  readonly write: (path: string, text?: string) => void;
  /** By event, as the daemon does it. */
  readonly scan: (options?: { full?: boolean; settle?: boolean; touched?: readonly string[] | undefined }) => Scan;
};

/** Directories `etc`, `run` and `usr`, highest precedence first; the last is not there yet. */
function place(t: ExecutionContext): Place {
  const root = mkdtempSync(join(tmpdir(), 'netwall-policy-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const at = (path: string) => join(root, path);
  for (const directory of ['etc', 'run']) mkdirSync(at(directory), { mode: 0o755 });
  const files = openPolicyFiles(['etc', 'run', 'usr'].map(at));
  return {
    root,
    files,
    at,
    write: (path, text = policy(path.replaceAll(/.*\/|\..*/g, ''))) => {
      writeFileSync(at(path), text);
      chmodSync(at(path), 0o644);
      utimesSync(at(path), 1, 1);
    },
    scan: ({ full = false, settle = true, touched } = {}) => files.scan({ full, settle, touched: touched === undefined ? undefined : new Set(touched.map(at)) }),
  };
}

/** `etc/a.yaml: a` for each file in force, with what it is refused for. */
const show = ({ root }: Place, { files }: Scan) =>
  files.map(({ path, parsed, refusals }) => [`${path.slice(root.length + 1)}: ${parsed.policies.map(({ service }) => service).join(',')}`, ...refusals.map(({ message }) => message.replaceAll(`${root}/`, ''))].join(' ! '));

test('no directory and no files', (t) => {
  const here = place(t);
  t.deepEqual(openPolicyFiles([]).scan({ full: false, settle: true }), { files: [], unsettled: false, masked: [], failures: [], unread: false });
  t.deepEqual(here.scan(), { files: [], unsettled: false, masked: [], failures: [], unread: false });
});

test('a file as it is read', (t) => {
  const here = place(t);
  here.write('etc/a.yaml', policy('web'));
  const [file] = here.scan().files;
  t.like(file, { name: 'a.yaml', path: here.at('etc/a.yaml'), text: policy('web'), refusals: [] });
  t.regex(file?.hash ?? '', /^[0-9a-f]{64}$/);
});

test('only what was touched is looked at, until all is', (t) => {
  const here = place(t);
  for (const path of ['etc/a.yaml', 'etc/b.yaml', 'run/c.yaml']) here.write(path);
  const before = here.scan();
  t.is(here.scan({ touched: [] }).files, before.files, 'the same array');
  t.is(here.scan().files, before.files, 'also where all were looked at');
  here.write('etc/a.yaml', policy('new-a'));
  here.write('etc/b.yaml', policy('new-b'));
  here.write('etc/d.yaml');
  t.deepEqual(show(here, here.scan({ touched: ['etc/b.yaml'] })), ['etc/a.yaml: a', 'etc/b.yaml: new-b', 'run/c.yaml: c']);
  t.deepEqual(show(here, here.scan({ touched: ['etc/d.yaml', 'etc/notes.txt', 'usr/e.yaml'] })), ['etc/a.yaml: a', 'etc/b.yaml: new-b', 'run/c.yaml: c', 'etc/d.yaml: d']);
  rmSync(here.at('run/c.yaml'));
  const gone = here.scan({ touched: ['run/c.yaml'] });
  t.true(gone.unsettled);
  t.deepEqual(show(here, here.scan({ settle: false, touched: [] })), ['etc/a.yaml: a', 'etc/b.yaml: new-b', 'etc/d.yaml: d']);
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: new-a', 'etc/b.yaml: new-b', 'etc/d.yaml: d']);
});

test('a touched file masks, and what it masked is in force again when it is gone', (t) => {
  const here = place(t);
  here.write('run/a.yaml', policy('low'));
  here.scan();
  here.write('etc/a.yaml', policy('high'));
  const masking = here.scan({ touched: ['etc/a.yaml'] });
  t.deepEqual([show(here, masking), masking.masked], [['etc/a.yaml: high'], [here.at('run/a.yaml')]]);
  rmSync(here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan({ touched: ['etc/a.yaml'] })), ['etc/a.yaml: high'], 'it may be back in a moment');
  t.deepEqual(show(here, here.scan({ settle: false, touched: [] })), ['run/a.yaml: low']);
});

test('files of all directories, in name order, the highest of each name', (t) => {
  const here = place(t);
  mkdirSync(here.at('usr'));
  for (const path of ['usr/a.yaml', 'usr/b.yaml', 'run/b.yaml', 'run/c.yml', 'etc/c.yml', 'etc/z.yaml', 'etc/.hidden.yaml', 'etc/c.yml~', 'etc/notes.txt']) here.write(path);
  const scan = here.scan();
  t.deepEqual(show(here, scan), ['usr/a.yaml: a', 'run/b.yaml: b', 'etc/c.yml: c', 'etc/z.yaml: z']);
  t.deepEqual(scan.masked, [here.at('usr/b.yaml'), here.at('run/c.yml')]);
});

const MASKS: readonly [what: string, mask: (path: string) => void][] = [
  ['an empty file', (path) => writeFileSync(path, '')],
  ['a file of white space', (path) => writeFileSync(path, ' \n\n')],
  ['a link to /dev/null', (path) => symlinkSync('/dev/null', path)],
  ['a link to an empty file', (path) => {
    writeFileSync(`${path}.empty`, '');
    symlinkSync(`${path}.empty`, path);
  }],
];
for (const [what, mask] of MASKS) {
  test(`${what} masks, and has no effect itself`, (t) => {
    const here = place(t);
    here.write('run/a.yaml');
    mask(here.at('etc/a.yaml'));
    for (const full of [false, false, true]) {
      const scan = here.scan({ full });
      t.deepEqual(show(here, scan), []);
      t.deepEqual(scan.masked, [here.at('run/a.yaml')]);
      t.false(scan.unsettled);
    }
    rmSync(here.at('etc/a.yaml'));
    t.deepEqual(show(here, here.scan()), ['run/a.yaml: a'], 'until it is gone');
  });
}

const HOME_MISTRUST = 'its directory etc must belong to root and be writable by nobody else';
/** What says nothing because others may write to it: over a file of a lower directory, and in the place of one. */
const MISTRUSTED: readonly [what: string, empty: (here: Place, path: string) => void, message: string][] = [
  ['an empty file of another user', ({ write, at }, path) => {
    write(path, '');
    chownSync(at(path), NOBODY, 0);
  }, MISTRUST],
  ['an empty file that its group may write', ({ write, at }, path) => {
    write(path, '');
    chmodSync(at(path), 0o664);
  }, MISTRUST],
  ['an empty file that others may write', ({ write, at }, path) => {
    write(path, ' \n');
    chmodSync(at(path), 0o646);
  }, MISTRUST],
  ['an empty file in a directory that others may write', ({ write, at }, path) => {
    write(path, '');
    chmodSync(at('etc'), 0o777);
  }, HOME_MISTRUST],
  ['a link to /dev/null in a directory that others may write', ({ at }, path) => {
    symlinkSync('/dev/null', at(path));
    chmodSync(at('etc'), 0o777);
  }, HOME_MISTRUST],
  ['a link to /dev/null in a directory of another user', ({ at }, path) => {
    symlinkSync('/dev/null', at(path));
    chownSync(at('etc'), NOBODY, 0);
  }, HOME_MISTRUST],
];
for (const [what, empty, message] of MISTRUSTED) {
  test(`${what} is refused: it masks and lifts nothing`, async (t) => {
    const here = place(t);
    here.write('run/a.yaml');
    here.write('etc/b.yaml');
    const { good } = buildPolicySet(here.scan().files, new Map(), () => null);
    rmSync(here.at('etc/b.yaml'));
    for (const path of ['etc/a.yaml', 'etc/b.yaml']) empty(here, path);
    const refused = [`etc/a.yaml:  ! ${message}`, `etc/b.yaml:  ! ${message}`];
    const first = here.scan({ full: true, settle: false });
    t.deepEqual([show(here, first), first.unsettled], [refused, false]);
    t.deepEqual(buildPolicySet(first.files, good, () => null).services.map(({ service, standing }) => `${service} ${standing}`), ['a stale', 'b stale']);
    await settled();
    t.is(here.scan().files, first.files, 'which is no change');
    t.is(here.scan({ full: true }).files, first.files);
  });
}

test('a link to /dev/null masks once nobody else may write to its directory', (t) => {
  const here = place(t);
  here.write('run/a.yaml');
  symlinkSync('/dev/null', here.at('etc/a.yaml'));
  chmodSync(here.at('etc'), 0o777);
  t.deepEqual(show(here, here.scan()), [`etc/a.yaml:  ! ${HOME_MISTRUST}`]);
  chmodSync(here.at('etc'), 0o755);
  t.deepEqual(show(here, here.scan({ settle: false })), []);
  chmodSync(here.at('etc'), 0o777);
  t.deepEqual(show(here, here.scan({ settle: false })), [`etc/a.yaml:  ! ${HOME_MISTRUST}`]);
});

test('a file of comments alone is a file without policies, and no mask', (t) => {
  const here = place(t);
  here.write('run/a.yaml');
  here.write('etc/a.yaml', '# nothing\n');
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: ']);
});

const REFUSED: readonly [what: string, make: (here: Place) => void, shown: readonly string[]][] = [
  ['of another user', ({ write, at }) => {
    write('etc/a.yaml');
    chownSync(at('etc/a.yaml'), NOBODY, 0);
  }, [`etc/a.yaml: a ! ${MISTRUST}`]],
  ['of another group that may only read', ({ write, at }) => {
    write('etc/a.yaml');
    chownSync(at('etc/a.yaml'), 0, NOBODY);
    chmodSync(at('etc/a.yaml'), 0o640);
  }, ['etc/a.yaml: a']],
  ['that its group may write', ({ write, at }) => {
    write('etc/a.yaml');
    chmodSync(at('etc/a.yaml'), 0o664);
  }, [`etc/a.yaml: a ! ${MISTRUST}`]],
  ['that others may write', ({ write, at }) => {
    write('etc/a.yaml');
    chmodSync(at('etc/a.yaml'), 0o602);
  }, [`etc/a.yaml: a ! ${MISTRUST}`]],
  ['in a directory of another user', ({ write, at }) => {
    write('etc/a.yaml');
    chownSync(at('etc'), NOBODY, 0);
  }, ['etc/a.yaml: a ! its directory etc must belong to root and be writable by nobody else']],
  ['in a directory that others may write, sticky or not', ({ write, at }) => {
    write('etc/a.yaml');
    chmodSync(at('etc'), 0o1777);
  }, ['etc/a.yaml: a ! its directory etc must belong to root and be writable by nobody else']],
  ['behind a link', ({ write, at }) => {
    mkdirSync(at('store'));
    write('store/a.yaml');
    symlinkSync('../store/a.yaml', at('etc/a.yaml'));
  }, ['etc/a.yaml: a']],
  ['behind a link, of another user', ({ write, at }) => {
    mkdirSync(at('store'));
    write('store/a.yaml');
    chownSync(at('store/a.yaml'), NOBODY, 0);
    symlinkSync('../store/a.yaml', at('etc/a.yaml'));
  }, [`etc/a.yaml: a ! ${MISTRUST}`]],
  ['behind a link, in a directory that others may write', ({ write, at }) => {
    mkdirSync(at('store'));
    write('store/a.yaml');
    chmodSync(at('store'), 0o777);
    symlinkSync('../store/a.yaml', at('etc/a.yaml'));
  }, ['etc/a.yaml: a ! its directory store must belong to root and be writable by nobody else']],
  ['that is a link to nowhere', ({ at }) => symlinkSync('nowhere', at('etc/a.yaml')), ['etc/a.yaml:  ! a link to nowhere: nowhere']],
  ['that is a link to nowhere, over one in a lower directory', ({ write, at }) => {
    symlinkSync('nowhere', at('etc/a.yaml'));
    write('run/a.yaml');
  }, ['run/a.yaml: a']],
  ['that is a link to itself', ({ at }) => symlinkSync('a.yaml', at('etc/a.yaml')), ['etc/a.yaml:  ! cannot be read: ELOOP']],
  ['that is a directory', ({ at }) => mkdirSync(at('etc/a.yaml')), ['etc/a.yaml:  ! cannot be read: not a regular file']],
  ['that is a FIFO', ({ at }) => void execFileSync('mkfifo', [at('etc/a.yaml')]), ['etc/a.yaml:  ! cannot be read: not a regular file']],
  ['that is too large', ({ write }) => write('etc/a.yaml', `${policy('a')}${'#'.repeat(MAX_FILE_SIZE)}`), [`etc/a.yaml:  ! cannot be read: larger than ${MAX_FILE_SIZE} bytes`]],
];
for (const [what, make, shown] of REFUSED) {
  test(`a file ${what}`, (t) => {
    const here = place(t);
    make(here);
    for (const full of [false, false, true]) t.deepEqual(show(here, here.scan({ full })).map((line) => line.replace(/(ELOOP).*/, '$1')), shown);
  });
}

test('a file behind a link behind a link in a directory that others may write', (t) => {
  const here = place(t);
  mkdirSync(here.at('store'));
  mkdirSync(here.at('open'));
  here.write('store/a.yaml');
  symlinkSync('../store/a.yaml', here.at('open/a.yaml'));
  chmodSync(here.at('open'), 0o777);
  symlinkSync('../open/a.yaml', here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a ! its directory open must belong to root and be writable by nobody else']);
});

test('a refusal comes and goes with its reason', (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  const [first] = here.scan().files;
  chmodSync(here.at('etc/a.yaml'), 0o666);
  t.deepEqual(show(here, here.scan()), [`etc/a.yaml: a ! ${MISTRUST}`]);
  chmodSync(here.at('etc/a.yaml'), 0o644);
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a']);
  chmodSync(here.at('etc'), 0o777);
  t.is(here.scan().files[0]?.refusals.length, 1);
  chmodSync(here.at('etc'), 0o755);
  t.deepEqual(here.scan().files, first === undefined ? [] : [first]);
});

test('a refusal says how to lift it', (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  chmodSync(here.at('etc/a.yaml'), 0o666);
  const [problem] = here.scan().files[0]?.refusals ?? [];
  t.deepEqual(problem, {
    severity: 'error',
    at: { file: here.at('etc/a.yaml'), line: 1, column: 1 },
    message: MISTRUST,
    hint: `chown root: ${here.at('etc/a.yaml')} && chmod go-w ${here.at('etc/a.yaml')}`,
  });
});

test('what is as it was is the same object; what is touched, in a full scan too', (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  here.write('etc/b.yaml');
  const [a, b] = here.scan().files;
  t.is(here.scan().files[0], a);
  utimesSync(here.at('etc/a.yaml'), 1, 1);
  t.is(here.scan().files[0], a, 'the content is what counts');
  t.is(here.scan({ full: true }).files[0], a);
  here.write('etc/a.yaml', `${policy('a')}mode: audit\n`);
  const [newA, sameB] = here.scan().files;
  t.is(newA?.parsed.policies[0]?.mode, 'audit');
  t.not(newA?.hash, a?.hash);
  t.is(sameB, b);
});

test('an edit that replaces the file, and one behind a link, are seen', (t) => {
  const here = place(t);
  mkdirSync(here.at('store'));
  here.write('etc/a.yaml');
  here.write('store/b.yaml');
  symlinkSync(here.at('store/b.yaml'), here.at('etc/b.yaml'));
  here.scan();
  here.write('etc/a.yaml.new', policy('x'));
  renameSync(here.at('etc/a.yaml.new'), here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: x', 'etc/b.yaml: b']);
  here.write('store/b.yaml', policy('longer'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: x', 'etc/b.yaml: longer']);
});

const GONE: readonly [what: string, vanish: (path: string) => void][] = [
  ['is removed', (path) => rmSync(path)],
  ['is moved away', (path) => renameSync(path, `${path}~`)],
  ['is emptied', (path) => writeFileSync(path, '')],
];
for (const [what, vanish] of GONE) {
  test(`a file that ${what} is believed to be gone once it stays so`, async (t) => {
    const here = place(t);
    here.write('etc/a.yaml');
    here.write('etc/b.yaml');
    const before = here.scan().files;
    vanish(here.at('etc/a.yaml'));
    const first = here.scan();
    t.deepEqual(first.files, before);
    t.true(first.unsettled);
    await settled();
    const then = here.scan();
    t.deepEqual(show(here, then), ['etc/b.yaml: b']);
    t.false(then.unsettled);
    t.deepEqual(show(here, here.scan()), ['etc/b.yaml: b']);
  });

  test(`a file that ${what} is gone at once when somebody says so`, (t) => {
    const here = place(t);
    here.write('etc/a.yaml');
    here.scan();
    vanish(here.at('etc/a.yaml'));
    const scan = here.scan({ full: true, settle: false });
    t.deepEqual([scan.files, scan.unsettled], [[], false]);
  });

  test(`a file that ${what} and is written again was never gone`, async (t) => {
    const here = place(t);
    here.write('etc/a.yaml');
    here.scan();
    vanish(here.at('etc/a.yaml'));
    here.scan();
    rmSync(here.at('etc/a.yaml'), { force: true });
    here.write('etc/a.yaml', policy('again'));
    const back = here.scan();
    t.deepEqual(show(here, back), ['etc/a.yaml: again']);
    t.false(back.unsettled);
    await settled();
    vanish(here.at('etc/a.yaml'));
    t.true(here.scan().unsettled, 'and waits anew when it goes again');
    t.deepEqual(show(here, here.scan()), ['etc/a.yaml: again']);
  });
}

test('while an editor replaces a file, the one that it masks is not in force', (t) => {
  const here = place(t);
  here.write('run/a.yaml', policy('below'));
  here.write('etc/a.yaml', policy('above'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: above']);
  renameSync(here.at('etc/a.yaml'), here.at('etc/a.yaml~'));
  const gone = here.scan();
  t.deepEqual(show(here, gone), ['etc/a.yaml: above']);
  t.true(gone.unsettled);
  here.write('etc/a.yaml', policy('again'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: again']);
  rmSync(here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan({ settle: false })), ['run/a.yaml: below'], 'somebody says that it is gone');
});

test('a directory that appears, is replaced and disappears', async (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a']);
  mkdirSync(here.at('usr'));
  here.write('usr/b.yaml');
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a', 'usr/b.yaml: b']);
  mkdirSync(here.at('next'));
  here.write('next/b.yaml', policy('other'));
  renameSync(here.at('usr'), here.at('old'));
  renameSync(here.at('next'), here.at('usr'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a', 'usr/b.yaml: other']);
  rmSync(here.at('usr'), { recursive: true });
  const first = here.scan();
  t.deepEqual(show(here, first), ['etc/a.yaml: a', 'usr/b.yaml: other']);
  t.true(first.unsettled);
  t.deepEqual(first.failures, [], 'a directory that is not there is no failure');
  await settled();
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a']);
});

test('a directory that cannot be read is reported, and its files do not go', async (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  here.write('run/b.yaml');
  here.scan();
  renameSync(here.at('etc'), here.at('old'));
  writeFileSync(here.at('etc'), '');
  for (const wait of [false, true]) {
    if (wait) await settled();
    const scan = here.scan();
    t.deepEqual(scan.files.map(({ name }) => name), ['a.yaml', 'b.yaml']);
    t.is(scan.failures.length, 1);
    t.true(scan.failures[0]?.startsWith(`${here.at('etc')}: ENOTDIR`));
  }
  rmSync(here.at('etc'));
  renameSync(here.at('old'), here.at('etc'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a', 'run/b.yaml: b']);
});

test('a directory that cannot be read at the first look is not taken for an empty one', (t) => {
  const here = place(t);
  here.write('run/b.yaml');
  rmSync(here.at('etc'), { recursive: true });
  writeFileSync(here.at('etc'), '');
  for (const settle of [false, true]) {
    const error = t.throws(() => here.scan({ full: !settle, settle }), { instanceOf: HostError });
    t.regex(error?.message ?? '', new RegExp(`^policy directory: ENOTDIR.*'${here.at('etc')}'.*make it a directory`));
  }
  rmSync(here.at('etc'));
  mkdirSync(here.at('etc'), { mode: 0o755 });
  writeFileSync(here.at('etc/a.yaml'), policy('a'), { mode: 0o644 });
  const scan = here.scan();
  t.deepEqual([show(here, scan), scan.unsettled, scan.failures], [['etc/a.yaml: a', 'run/b.yaml: b'], false, []]);
});

test('a link that leads nowhere any more is refused once it stays so, and read again when it leads somewhere', async (t) => {
  const here = place(t);
  mkdirSync(here.at('store'));
  here.write('store/a.yaml');
  symlinkSync('../store/a.yaml', here.at('etc/a.yaml'));
  const before = here.scan().files;
  renameSync(here.at('store'), here.at('away'));
  const first = here.scan({ touched: ['etc/a.yaml'] });
  t.is(first.files, before);
  t.true(first.unsettled);
  await settled();
  const then = here.scan();
  t.deepEqual([show(here, then), then.unsettled], [['etc/a.yaml:  ! a link to nowhere: ../store/a.yaml'], false]);
  t.is(here.scan({ full: true }).files, then.files, 'which is no change');
  renameSync(here.at('away'), here.at('store'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a']);
  renameSync(here.at('store'), here.at('away'));
  t.deepEqual(show(here, here.scan({ full: true, settle: false })), ['etc/a.yaml:  ! a link to nowhere: ../store/a.yaml'], 'at once when somebody asks');
  rmSync(here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan({ settle: false })), []);
});

test('links whose target is swapped never flicker', (t) => {
  const here = place(t);
  for (const version of ['1', '2']) {
    mkdirSync(here.at(`etc/..${version}`));
    here.write(`etc/..${version}/a.yaml`, policy(`a${version}`));
  }
  symlinkSync('..1', here.at('etc/..data'));
  symlinkSync('..data/a.yaml', here.at('etc/a.yaml'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a1']);
  symlinkSync('..2', here.at('etc/..data_tmp'));
  renameSync(here.at('etc/..data_tmp'), here.at('etc/..data'));
  rmSync(here.at('etc/..1'), { recursive: true });
  const swapped = here.scan();
  t.deepEqual([show(here, swapped), swapped.unsettled], [['etc/a.yaml: a2'], false]);
});

const replace = (path: string, text: string) => {
  writeFileSync(`${path}.new`, text);
  chmodSync(`${path}.new`, 0o644);
  renameSync(`${path}.new`, path);
};

test('a file that is written in place is believed once it is left alone', async (t) => {
  const here = place(t);
  const [one, two] = [policy('one'), `---\n${policy('two')}`];
  here.write('etc/a.yaml', `${one}${two}`);
  const before = here.scan().files;
  writeFileSync(here.at('etc/a.yaml'), '');
  t.is(here.scan({ touched: ['etc/a.yaml'] }).files, before);
  writeFileSync(here.at('etc/a.yaml'), one);
  for (const touched of [['etc/a.yaml'], [], undefined]) {
    const scan = here.scan({ touched });
    t.is(scan.files, before);
    t.true(scan.unsettled);
  }
  await delay(SETTLE_MILLISECONDS - 100);
  appendFileSync(here.at('etc/a.yaml'), two.replaceAll('two', 'three'));
  t.is(here.scan().files, before);
  await delay(SETTLE_MILLISECONDS / 2);
  t.is(here.scan().files, before, 'not yet');
  await settled();
  const then = here.scan({ touched: [] });
  t.deepEqual([show(here, then), then.unsettled], [['etc/a.yaml: one,three'], false]);
});

test('… at once when somebody says so, and when another file is put in its place', (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  here.scan();
  writeFileSync(here.at('etc/a.yaml'), policy('b'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: a']);
  t.deepEqual(show(here, here.scan({ full: true, settle: false })), ['etc/a.yaml: b']);
  writeFileSync(here.at('etc/a.yaml'), policy('c'));
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: b']);
  replace(here.at('etc/a.yaml'), policy('d'));
  const scan = here.scan();
  t.deepEqual([show(here, scan), scan.unsettled], [['etc/a.yaml: d'], false]);
});

test('… whatever its time says, and also where its writer never rests', async (t) => {
  const here = place(t);
  here.write('etc/a.yaml');
  here.write('etc/b.yaml');
  here.scan();
  const future = Date.now() / 1000 + 3600;
  writeFileSync(here.at('etc/a.yaml'), policy('later'));
  utimesSync(here.at('etc/a.yaml'), future, future);
  const began = performance.now();
  for (let round = 0; ; round += 1) {
    writeFileSync(here.at('etc/b.yaml'), policy(`b${round}`));
    if (!show(here, here.scan()).includes('etc/b.yaml: b')) break;
    await delay(50);
    if (performance.now() - began > SETTLE_MILLISECONDS + 100) t.true(show(here, here.scan()).includes('etc/a.yaml: later'));
  }
  t.true(performance.now() - began < 5000);
});

test('a new file is believed once it is left alone, and what it takes the place of stays as long', async (t) => {
  const here = place(t);
  here.write('run/a.yaml', policy('below'));
  here.write('etc/old.yaml');
  const before = here.scan().files;
  writeFileSync(here.at('etc/a.yaml'), policy('above'));
  writeFileSync(here.at('etc/new.yaml'), policy('new'));
  rmSync(here.at('etc/old.yaml'));
  const first = here.scan();
  t.is(first.files, before);
  t.true(first.unsettled);
  await settled();
  appendFileSync(here.at('etc/new.yaml'), 'mode: audit\n');
  t.deepEqual(show(here, here.scan()), ['etc/a.yaml: above', 'etc/old.yaml: old'], 'what is being written may be what was removed, under another name');
  await settled();
  const then = here.scan();
  t.deepEqual([show(here, then), then.unsettled], [['etc/a.yaml: above', 'etc/new.yaml: new'], false]);
});

test('a new file that is gone before it was believed never was', (t) => {
  const here = place(t);
  here.scan();
  for (const touched of [['etc/a.yaml'], undefined]) {
    writeFileSync(here.at('etc/a.yaml'), policy('a'));
    t.true(here.scan({ touched }).unsettled);
    rmSync(here.at('etc/a.yaml'));
    const scan = here.scan({ touched });
    t.deepEqual([scan.files, scan.unsettled], [[], false]);
  }
});
