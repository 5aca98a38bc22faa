import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { z } from 'zod';
import { HostError } from '../../src/host/host-error.ts';
import { openStateFiles, writeFileAtomically } from '../../src/host/state-files.ts';

const NOBODY = 65534;

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'netwall-state-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

const memory = z.object({ hosts: z.array(z.string()) });
const DATA = { hosts: ['a.example.com', 'b.example.com'] };

/** A directory that remembers `DATA`, and where. */
async function remembering(t: ExecutionContext) {
  const path = await directory(t);
  const files = await openStateFiles(path);
  await files.write('book', DATA);
  return { path, files, file: join(path, 'book.json'), read: () => files.read('book', memory) };
}

test.serial('what was written is read, by another run too', async (t) => {
  const { path, read } = await remembering(t);
  t.deepEqual(await read(), { data: DATA, fault: null });
  const later = await openStateFiles(path);
  t.deepEqual(await later.read('book', memory), { data: DATA, fault: null });
  t.deepEqual(await later.read('other', memory), { data: null, fault: null }, 'what was never written is no fault');
});

test.serial('the last one written counts, and nothing else is left', async (t) => {
  const { path, files, file, read } = await remembering(t);
  await files.write('book', { hosts: [] });
  t.deepEqual(await read(), { data: { hosts: [] }, fault: null });
  t.deepEqual(await readdir(path), ['book.json']);
  t.is((await stat(file)).mode & 0o777, 0o600);
});

test.serial('whatever JSON has can be remembered', async (t) => {
  const files = await openStateFiles(await directory(t));
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (data) => {
      await files.write('any', data);
      t.deepEqual(await files.read('any', z.unknown()), { data: JSON.parse(JSON.stringify(data)), fault: null });
    }),
    { numRuns: 60 },
  );
});

const text = (version: unknown, checksum: unknown, data: unknown) => JSON.stringify({ version, checksum, data });

const SPOILT: readonly [what: string, spoil: (text: string) => string | Uint8Array, fault: RegExp][] = [
  ['empty', () => '', /JSON/],
  ['text', () => 'hosts', /JSON/],
  ['NUL bytes, as a crash may leave', (text) => '\0'.repeat(text.length), /JSON/],
  ['no object', () => '[]', /not of a form/],
  ['null', () => 'null', /not of a form/],
  ['an older version', () => text(0, 'x', DATA), /not of a form/],
  ['a newer version', (before) => before.replace('"version":1', '"version":2'), /not of a form/],
  ['a version that is a text', (before) => before.replace('"version":1', '"version":"1"'), /not of a form/],
  ['no checksum', () => JSON.stringify({ version: 1, data: DATA }), /not of a form/],
  ['no data', (before) => before.replace('"data":', '"other":'), /./],
  ['other data', (before) => before.replace('a.example.com', 'evil.example'), /checksum does not match/],
  ['another checksum', () => text(1, '0'.repeat(64), DATA), /checksum does not match/],
  ['something after it', (before) => `${before}{}`, /JSON/],
];

for (const [what, spoil, fault] of SPOILT) {
  test.serial(`not believed: ${what}`, async (t) => {
    const { files, file, read } = await remembering(t);
    await writeFile(file, spoil(await readFile(file, 'utf8')));
    const found = await read();
    t.is(found.data, null);
    t.true(found.fault?.startsWith(`${file}: `));
    t.regex(found.fault?.slice(file.length + 2) ?? '', fault);
    await files.write('book', DATA);
    t.deepEqual(await read(), { data: DATA, fault: null }, 'and written anew');
  });
}

test.serial('not believed: what another version of the program remembered in another form', async (t) => {
  const { path, files } = await remembering(t);
  await files.write('book', { hosts: 'a.example.com' });
  t.deepEqual(await files.read('book', memory), { data: null, fault: `${join(path, 'book.json')}: not of a form this version knows` });
});

test.serial('not believed: torn anywhere, or with any byte changed', async (t) => {
  const { file, read } = await remembering(t);
  const whole = await readFile(file);
  const seen = { torn: 0, changed: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.option(fc.integer({ min: 1, max: 255 })), async (place, change) => {
      const spoilt = Buffer.from(change === null ? whole.subarray(0, place) : whole);
      if (change !== null) spoilt[place] = (whole[place] ?? 0) ^ change;
      seen[change === null ? 'torn' : 'changed'] += 1;
      await writeFile(file, spoilt);
      const { data, fault } = await read();
      t.is(data, null);
      t.not(fault, null);
    }),
    { numRuns: 400 },
  );
  t.true(seen.torn > 20 && seen.changed > 200);
});

test.serial('not believed: a directory of that name', async (t) => {
  const { file, read } = await remembering(t);
  await rm(file);
  await mkdir(file);
  const { data, fault } = await read();
  t.is(data, null);
  t.regex(fault ?? '', /EISDIR/);
});

const UNTRUSTED: readonly [what: string, change: (file: string) => Promise<void>][] = [
  ['of another user', (file) => chown(file, NOBODY, NOBODY)],
  ['that others may write', (file) => chmod(file, 0o666)],
];
for (const [what, change] of UNTRUSTED) {
  test.serial(`not believed: a file ${what}`, async (t) => {
    const { file, read } = await remembering(t);
    await change(file);
    const { data, fault } = await read();
    t.is(data, null);
    t.not(fault, null);
  });
}

const DIRECTORIES: readonly [what: string, spoil: (path: string) => Promise<void>, opens: boolean][] = [
  ['that is not there yet', (path) => rm(path, { recursive: true }), true],
  ['that others may read', (path) => chmod(path, 0o755), true],
  ['of another user', (path) => chown(path, NOBODY, NOBODY), false],
  ['that its group may write', (path) => chmod(path, 0o770), false],
  ['that others may write', (path) => chmod(path, 0o702), false],
  ['that is a file', async (path) => {
    await rm(path, { recursive: true });
    await writeFile(path, '');
  }, false],
  ['that is a link to nowhere', async (path) => {
    await rm(path, { recursive: true });
    await symlink('nowhere', path);
  }, false],
];
for (const [what, spoil, opens] of DIRECTORIES) {
  test.serial(`a directory ${what} is ${opens ? 'used' : 'refused'}`, async (t) => {
    const path = join(await directory(t), 'netwalld');
    await mkdir(path, { mode: 0o700 });
    await spoil(path);
    if (opens) {
      const files = await openStateFiles(path);
      await files.write('book', DATA);
      t.deepEqual((await files.read('book', memory)).data, DATA);
      return;
    }
    const error = await t.throwsAsync(openStateFiles(path), { instanceOf: HostError });
    t.true(error?.message.startsWith(`state directory: ${path}: `));
  });
}

test.serial('a directory is made with its parents, for root alone', async (t) => {
  const path = join(await directory(t), 'var', 'lib', 'netwalld');
  await openStateFiles(path);
  t.is((await stat(path)).mode & 0o777, 0o700);
});

test.serial('what cannot be written leaves what was there', async (t) => {
  const { path, files, read } = await remembering(t);
  await chown(path, NOBODY, NOBODY);
  await chmod(path, 0o500);
  await chmod(join(path, 'book.json'), 0o644);
  process.seteuid?.(NOBODY);
  try {
    const error = await t.throwsAsync(files.write('book', { hosts: [] }), { instanceOf: HostError });
    t.regex(error?.message ?? '', /^write state: book: EACCES/);
    t.deepEqual(await read(), { data: DATA, fault: null });
  } finally {
    process.seteuid?.(0);
  }
  t.deepEqual(await readdir(path), ['book.json']);
});

test.serial('what cannot be put in its place leaves nothing half done', async (t) => {
  const path = await directory(t);
  const files = await openStateFiles(path);
  await mkdir(join(path, 'book.json'));
  await t.throwsAsync(files.write('book', DATA), { instanceOf: HostError, message: /^write state: book: / });
  t.deepEqual(await readdir(path), ['book.json']);
});

test.serial('what a crash left half written is no state and is in nobody’s way', async (t) => {
  const { path, files, file, read } = await remembering(t);
  await writeFile(`${file}.new`, '{"version":1,"chec');
  t.deepEqual(await read(), { data: DATA, fault: null });
  await files.write('book', { hosts: [] });
  t.deepEqual(await read(), { data: { hosts: [] }, fault: null });
  t.deepEqual(await readdir(path), ['book.json']);
});

test.serial('who reads while it is written sees one content or the other', async (t) => {
  const path = join(await directory(t), 'file');
  const contents = ['a'.repeat(1_000_000), 'b'.repeat(10)];
  await writeFileAtomically(path, contents[0] ?? '');
  const writing = new AbortController();
  const reader = (async () => {
    while (!writing.signal.aborted) t.true(contents.includes(await readFile(path, 'utf8')));
  })();
  for (let turn = 1; turn < 30; turn += 1) await writeFileAtomically(path, contents[turn % 2] ?? '');
  writing.abort();
  await reader;
});

test.serial('two writes at once leave one of the two', async (t) => {
  const { files, read } = await remembering(t);
  for (let turn = 0; turn < 30; turn += 1) {
    await Promise.all([files.write('book', { hosts: ['x'.repeat(300_000)] }), files.write('book', { hosts: [] })]);
    t.is((await read()).fault, null);
  }
});
