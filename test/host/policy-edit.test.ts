import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { HostError } from '../../src/host/host-error.ts';
import { editTarget, isAllText, problemsWith, readInstalled, writeEdit } from '../../src/host/policy-edit.ts';
import type { PolicyFile } from '../../src/policy/policy-set.ts';

const A = 'service: a\nmatch: { user: a }\n';
const B = 'service: b\nmatch: { user: b }\n';

function folders(t: ExecutionContext): { readonly root: string; readonly high: string; readonly low: string } {
  const root = mkdtempSync(join(tmpdir(), 'netwall-edit-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const [high, low] = [join(root, 'high'), join(root, 'low')];
  for (const directory of [high, low]) mkdirSync(directory);
  return { root, high, low };
}

const fileIn = (directories: readonly string[], name: string): PolicyFile => {
  const file = readInstalled(directories).find((candidate) => candidate.name === name);
  if (file === undefined) throw new Error(`no ${name}`);
  return file;
};

test('the file itself, what it is a link to, or an override', (t) => {
  const { root, high, low } = folders(t);
  writeFileSync(join(high, 'a.yaml'), A);
  writeFileSync(join(low, 'b.yaml'), B);
  writeFileSync(join(root, 'c.yaml'), A);
  symlinkSync(join(root, 'c.yaml'), join(high, 'c.yaml'));
  symlinkSync('/usr/bin/env', join(high, 'd.yaml'));
  const directories = [high, low];
  t.deepEqual(editTarget(join(high, 'a.yaml'), directories), { path: join(high, 'a.yaml'), kind: 'itself' });
  t.deepEqual(editTarget(join(high, 'c.yaml'), directories), { path: join(root, 'c.yaml'), kind: 'link' });
  t.deepEqual(editTarget(join(low, 'b.yaml'), directories), { path: join(high, 'b.yaml'), kind: 'override' });
  t.throws(() => editTarget(join(high, 'd.yaml'), directories), { instanceOf: HostError, message: /is a link to \/usr\/bin\/.*, which belongs to a package/ });
  t.throws(() => editTarget(join(high, 'e.yaml'), directories), { instanceOf: HostError });
});

test('a directory that is a link itself makes no link of its files', (t) => {
  const { root, high, low } = folders(t);
  writeFileSync(join(high, 'a.yaml'), A);
  symlinkSync(high, join(root, 'etc'));
  t.deepEqual(editTarget(join(root, 'etc', 'a.yaml'), [join(root, 'etc'), low]), { path: join(root, 'etc', 'a.yaml'), kind: 'itself' });
});

test('written as asked, mode as before, links still links, nothing left over', async (t) => {
  const { root, high } = folders(t);
  writeFileSync(join(root, 'c.yaml'), A);
  chmodSync(join(root, 'c.yaml'), 0o604);
  symlinkSync(join(root, 'c.yaml'), join(high, 'c.yaml'));
  const file = fileIn([high], 'c.yaml');
  await writeEdit(editTarget(file.path, [high]), file, `${A}# more\n`);
  t.is(readFileSync(join(root, 'c.yaml'), 'utf8'), `${A}# more\n`);
  t.is(statSync(join(root, 'c.yaml')).mode & 0o777, 0o604);
  t.true(lstatSync(join(high, 'c.yaml')).isSymbolicLink());
  t.deepEqual(readdirSync(root).toSorted(), ['c.yaml', 'high', 'low']);
});

test('what somebody else changed meanwhile stays', async (t) => {
  const { high, low } = folders(t);
  writeFileSync(join(high, 'a.yaml'), A);
  const file = fileIn([high], 'a.yaml');
  writeFileSync(join(high, 'a.yaml'), `${A}# theirs\n`);
  await t.throwsAsync(writeEdit(editTarget(file.path, [high]), file, `${A}# ours\n`), { instanceOf: HostError, message: /a\.yaml: it was changed meanwhile; nothing is written/ });
  t.is(readFileSync(join(high, 'a.yaml'), 'utf8'), `${A}# theirs\n`);
  t.deepEqual(readdirSync(high), ['a.yaml']);
  t.deepEqual(readdirSync(low), []);
});

test('a file with bytes that are no text is known', (t) => {
  const { high } = folders(t);
  writeFileSync(join(high, 'a.yaml'), `\ufeff${A}# ü\n`);
  writeFileSync(join(high, 'b.yaml'), Buffer.from(`${B}# ü\n`, 'latin1'));
  t.deepEqual(readInstalled([high]).map(isAllText), [true, false]);
});

test('what is wrong with an edit beside the others is found, at its place', (t) => {
  const { high } = folders(t);
  writeFileSync(join(high, 'a.yaml'), A);
  writeFileSync(join(high, 'b.yaml'), B);
  const installed = readInstalled([high]).map((file) => ({ ...file, refusals: [] }));
  const [file] = installed;
  if (file === undefined) throw new Error('no file');
  const target = editTarget(file.path, [high]);
  t.deepEqual(problemsWith(target, file, `${A}mode: audit\n`, installed), []);
  t.like(problemsWith(target, file, 'service: a\nmatch: { user: b }\n', installed)[0], { at: { file: file.path, line: 2, column: 16 }, message: `user "b" is already governed by service "b" at ${join(high, 'b.yaml')}:2:16` });
  const refused = { ...file, refusals: [{ severity: 'error' as const, at: { file: file.path, line: 1, column: 1 }, message: 'not trusted' }] };
  t.like(problemsWith(target, refused, A, installed)[0], { message: 'not trusted' });
  t.deepEqual(problemsWith({ path: '/elsewhere/a.yaml', kind: 'override' }, refused, A, installed), []);
});
