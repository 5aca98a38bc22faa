import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Events } from '../../src/daemon/events.ts';
import { Trial } from '../../src/daemon/trial.ts';
import { parseCandidates, readCandidateFiles } from '../../src/host/check-policies.ts';
import { HostError } from '../../src/host/host-error.ts';
import type { PolicyFile } from '../../src/policy/policy-set.ts';
import { until } from '../e2e/until.ts';

const policy = (service: string, uid: number) => `service: ${service}\nmatch: { user: ${uid} }\ndns: none\n`;
/** User 1001 moves from one file to the other. */
const OLD = policy('webapp', 1001);
const TRIED = { 'a.yaml': policy('webapp', 1002), 'b.yaml': policy('second', 1001) };

/** What is in `TRIED` is about to be on trial, over a directory where only `a.yaml` is installed. */
async function prepared(t: ExecutionContext, enforce: () => Promise<boolean>, before: readonly PolicyFile[] = []) {
  const root = await mkdtemp(join(tmpdir(), 'netwall-trial-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const [installed, candidates] = [join(root, 'installed'), join(root, 'new')];
  await mkdir(installed);
  await mkdir(candidates);
  await writeFile(join(installed, 'a.yaml'), OLD);
  for (const [name, text] of Object.entries(TRIED)) await writeFile(join(candidates, name), text);
  const events = new Events();
  const trial = new Trial({ installed: () => before, directories: [installed], settle: async () => {}, enforce, refused: () => [], idOf: () => null, events });
  t.teardown(() => void trial.cancel('the test is over'));
  return {
    trial,
    start: () => trial.start(parseCandidates(readCandidateFiles([candidates])), 60_000),
    path: (name: string) => join(installed, name),
    text: (name: string) => readFile(join(installed, name), 'utf8'),
    names: async () => (await readdir(installed)).toSorted(),
    outcomes: () => events.recent.map(({ outcome }) => outcome),
  };
}

async function onTrial(t: ExecutionContext) {
  const one = await prepared(t, async () => true);
  t.true((await one.start()).ok);
  return one;
}

test('what is not enforced yet cannot be confirmed', async (t) => {
  const asked: ((done: boolean) => void)[] = [];
  const { trial, start, names, text } = await prepared(t, () => new Promise((resolve) => asked.push(resolve)));
  const enforced = (count: number) => until(`${count} runs were asked for`, async () => asked.length === count);
  const starting = start();
  await enforced(1);
  t.false(await trial.confirm());
  t.deepEqual([await names(), await text('a.yaml')], [['a.yaml'], OLD]);
  asked[0]?.(true);
  t.true((await starting).ok);
  const confirming = trial.confirm();
  await enforced(2);
  asked[1]?.(true);
  t.true(await confirming);
  t.deepEqual(await names(), ['a.yaml', 'b.yaml']);
});

test('what is cancelled before it is enforced has not begun', async (t) => {
  const asked: ((done: boolean) => void)[] = [];
  const { trial, start, names } = await prepared(t, () => new Promise((resolve) => asked.push(resolve)));
  const starting = start();
  await until('it is to be enforced', async () => asked.length === 1);
  const cancelling = trial.cancel('somebody says so');
  await until('what was before is to be enforced', async () => asked.length === 2);
  for (const enforced of asked) enforced(true);
  t.true(await cancelling);
  t.like(await starting, { ok: false, error: 'it was cancelled' });
  t.false(await trial.confirm());
  t.deepEqual(await names(), ['a.yaml']);
});

test('what is confirmed is installed, and nothing else is left', async (t) => {
  const { trial, path, text, names, outcomes } = await onTrial(t);
  // what a crash left
  await writeFile(path('a.yaml.new'), 'x');
  await writeFile(path('a.yaml.replaced'), 'x');
  t.true(await trial.confirm());
  t.deepEqual(await names(), ['a.yaml', 'b.yaml']);
  for (const [name, tried] of Object.entries(TRIED)) {
    t.is(await text(name), tried);
    t.is((await stat(path(name))).mode & 0o777, 0o644);
  }
  t.deepEqual(outcomes(), ['started', 'confirmed']);
  t.false(await trial.confirm());
});

test('where the last file cannot be replaced, the one before is put back as it was', async (t) => {
  const { trial, path, text, names, outcomes } = await onTrial(t);
  await chmod(path('a.yaml'), 0o600);
  const { ino } = await stat(path('a.yaml'));
  await mkdir(path('b.yaml'));
  await t.throwsAsync(trial.confirm(), { instanceOf: HostError, message: /^try: \/.*\/installed\/b\.yaml: EISDIR/ });
  t.is(await text('a.yaml'), OLD);
  t.like(await stat(path('a.yaml')), { ino, mode: 0o100600 });
  t.deepEqual(await names(), ['a.yaml', 'b.yaml']);
  t.not(trial.report, null, 'the trial goes on');
  await rm(path('b.yaml'), { recursive: true });
  t.true(await trial.confirm());
  t.is(await text('b.yaml'), TRIED['b.yaml']);
  t.deepEqual(outcomes(), ['started', 'confirmed']);
});

test('where the last file cannot be replaced, one that was not there is removed, and a link is a link again', async (t) => {
  const { trial, path, names } = await onTrial(t);
  await mkdir(path('b.yaml'));
  await rm(path('a.yaml'));
  await t.throwsAsync(trial.confirm(), { instanceOf: HostError });
  t.deepEqual(await names(), ['b.yaml']);
  await symlink('/dev/null', path('a.yaml'));
  await t.throwsAsync(trial.confirm(), { instanceOf: HostError });
  t.is(await readlink(path('a.yaml')), '/dev/null');
  t.deepEqual(await names(), ['a.yaml', 'b.yaml']);
});

const UNREADY: readonly [what: string, blocked: string, error: RegExp][] = [
  ['cannot be written', 'b.yaml.new', /b\.yaml: EISDIR/],
  ['cannot be kept', 'a.yaml', /a\.yaml: what is there cannot be set aside: EPERM/],
];
for (const [what, blocked, message] of UNREADY) {
  test(`where one ${what}, none is touched`, async (t) => {
    const { trial, path, names } = await onTrial(t);
    await rm(path(blocked), { force: true });
    await mkdir(path(blocked));
    const before = await names();
    await t.throwsAsync(trial.confirm(), { instanceOf: HostError, message });
    t.deepEqual(await names(), before);
  });
}

test('two who confirm at once install once', async (t) => {
  const { trial, text, names, outcomes } = await onTrial(t);
  t.deepEqual(await Promise.all([trial.confirm(), trial.confirm()]), [true, true]);
  t.deepEqual(await names(), ['a.yaml', 'b.yaml']);
  t.is(await text('b.yaml'), TRIED['b.yaml']);
  t.deepEqual(outcomes(), ['started', 'confirmed']);
});

test('what is being installed is not rolled back meanwhile', async (t) => {
  const { trial, outcomes } = await onTrial(t);
  const confirmed = trial.confirm();
  t.false(await trial.cancel('cancelled'));
  t.true(await confirmed);
  t.deepEqual(outcomes(), ['started', 'confirmed']);
});

test('what could not be installed is rolled back by who asked for that meanwhile', async (t) => {
  const { trial, path, text, outcomes } = await onTrial(t);
  await mkdir(path('b.yaml'));
  const refused = t.throwsAsync(trial.confirm(), { instanceOf: HostError });
  t.true(await trial.cancel('cancelled'));
  await refused;
  t.is(await text('a.yaml'), OLD);
  t.deepEqual(outcomes(), ['started', 'rolled back']);
});

/** What is installed has these documents in files of these names; `TRIED` is webapp (1002) in a.yaml and second (1001) in b.yaml. */
const LIFTED: readonly [what: string, installed: Readonly<Record<string, readonly string[]>>, lifted: readonly string[] | undefined][] = [
  ['nothing is replaced', {}, undefined],
  ['a file of one service that is in the other one as well', { 'a.yaml': [OLD] }, undefined],
  ['a file of several services by one of them', { 'a.yaml': [OLD, policy('billing', 1003), policy('report', 1004)] }, ['billing', 'report']],
  ['files, each with a service that is in none of those', { 'a.yaml': [policy('billing', 1003)], 'b.yaml': [policy('report', 1004)] }, ['billing', 'report']],
  ['a service that moves to another file', { 'a.yaml': [policy('second', 1003)] }, undefined],
  ['a service by one of another name for the same user', { 'a.yaml': [policy('web-app', 1002)] }, undefined],
  ['a service of two users by one that has one of them', { 'a.yaml': [policy('web-app', 1002).replace('1002', '[1002, 1003]')] }, ['web-app']],
  ['a file that stays', { 'c.yaml': [policy('billing', 1003)] }, undefined],
];
for (const [what, texts, lifted] of LIFTED) {
  test(`whom nothing governs meanwhile is told: ${what}`, async (t) => {
    const before = parseCandidates(Object.entries(texts).map(([name, documents]) => ({ path: `/installed/${name}`, bytes: Buffer.from(documents.join('---\n')) })));
    const { start } = await prepared(t, async () => true, before);
    const started = await start();
    t.true(started.ok);
    t.deepEqual(started.ok ? started.value.lifted : started.problems, lifted);
  });
}
