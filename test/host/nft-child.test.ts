import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { HostError } from '../../src/host/host-error.ts';
import { openNft } from '../../src/host/nft.ts';
import { NftChild, type NftChildOptions, nftMessage } from '../../src/host/nft-child.ts';
import { OwnProcesses } from '../../src/host/nft-own.ts';
import { skeletonText } from '../../src/ruleset/skeleton.ts';
import { createNamespace } from '../kernel/namespace.ts';

/** A namespace with a table `t` and its set `s`, and a child to talk to it. */
async function withChild(t: ExecutionContext, options: Partial<NftChildOptions> = {}) {
  const namespace = await createNamespace();
  const child = new NftChild({ nft: namespace.nftProgram(), scriptFile: join(namespace.directory, 'transaction.nft'), timeout: 20_000, ...options });
  t.teardown(async () => {
    child.stop();
    await namespace.remove();
  });
  await namespace.apply('table inet t {\nset s { type inet_service; }\n}\n');
  const ports = async () => {
    const text = await namespace.nft('-n', 'list', 'set', 'inet', 't', 's');
    return (/elements = \{([^}]*)\}/.exec(text)?.[1] ?? '').split(',').flatMap((port) => (port.trim() === '' ? [] : [Number(port)])).toSorted((a, b) => a - b);
  };
  return { namespace, child, ports };
}

/** A program that stands in for nft: a shell script. */
function fakeNft(t: ExecutionContext, script: string, timeout = 20_000) {
  const directory = mkdtempSync(join(tmpdir(), 'netwall-test-'));
  const nft = join(directory, 'nft');
  writeFileSync(nft, `#!/bin/sh\n${script}\n`);
  chmodSync(nft, 0o755);
  const child = new NftChild({ nft, scriptFile: join(directory, 'transaction.nft'), timeout });
  t.teardown(() => {
    child.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return { directory, nft, child };
}

/** The children that were started, in their order. */
function recorded() {
  const started: number[] = [];
  const own = new OwnProcesses('t', false);
  own.started = (pid) => void (pid !== undefined && started.push(pid));
  return { started, own };
}

const add = (...ports: number[]) => `add element inet t s { ${ports.join(', ')} }\n`;
const MARK = 'meta expression, datatype mark (packet mark) (basetype integer), 32 bits';

/** Ended; nobody need have asked with what (where nothing reaps orphans, they stay as zombies). */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

async function until(condition: () => boolean, milliseconds = 10_000): Promise<boolean> {
  for (const end = performance.now() + milliseconds; performance.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return condition();
}

function pidOf(child: { readonly pid: number | null }): number {
  if (child.pid === null) throw new Error('there is no child');
  return child.pid;
}

test('transactions are applied, one after the other, by one child', async (t) => {
  const { child, ports } = await withChild(t);
  t.is(child.pid, null, 'not before there is something to do');
  await child.apply(add(1));
  const pid = pidOf(child);
  t.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'nft\n');
  for (let port = 2; port <= 50; port += 1) await child.apply(add(port));
  t.is(child.pid, pid);
  t.deepEqual(await ports(), Array.from({ length: 50 }, (_, index) => index + 1));
});

test('what comes next in the kernel has happened when apply returns', async (t) => {
  const { child, ports } = await withChild(t);
  for (let port = 1; port <= 10; port += 1) {
    await child.apply(add(port));
    t.true((await ports()).includes(port));
  }
});

test('a transaction of 20,000 elements', async (t) => {
  const { child, ports } = await withChild(t);
  const all = Array.from({ length: 20_000 }, (_, index) => index + 1);
  await child.apply(add(...all));
  t.deepEqual(await ports(), all);
});

const REFUSED: readonly [what: string, lines: string[], place: RegExp][] = [
  ['a set that is not there', ['add element inet t s { 10 }', 'add element inet t nosuch { 11 }', 'add element inet t s { 12 }'], /transaction\.nft:2:\d.*No such file or directory/],
  ['an element that is not there', ['add element inet t s { 10 }', 'add element inet t s { 11 }', 'delete element inet t s { 12 }'], /transaction\.nft:3:\d.*No such file or directory/],
  ['a syntax error', ['add element inet t s { 10 }', 'add elemnt'], /transaction\.nft:2:\d.*syntax error/],
  ['a value of another type', ['add element inet t s { 10 }', 'add element inet t s { 70000 }'], /transaction\.nft:2:\d.*Error/],
];
for (const [what, lines, place] of REFUSED) {
  test(`refused: ${what}. The error names the line, nothing is applied, the child goes on`, async (t) => {
    const { child, ports } = await withChild(t);
    await child.apply(add(1));
    const pid = child.pid;
    const error = await t.throwsAsync(child.apply(lines.map((line) => `${line}\n`).join('')), { instanceOf: HostError, message: place });
    t.true(error.refused);
    t.is(error.operation, 'nft apply');
    t.deepEqual(await ports(), [1]);
    await child.apply(add(2));
    t.deepEqual(await ports(), [1, 2]);
    t.is(child.pid, pid);
  });
}

test('an error in a very long line is told in a short message', async (t) => {
  const { child, ports } = await withChild(t);
  const line = `add element inet t s { ${Array.from({ length: 60_000 }, (_, index) => `${index + 1}`).join(', ')}, 70000 }\n`;
  t.true(line.length > 400_000);
  const { message } = await t.throwsAsync(child.apply(line), { instanceOf: HostError, message: /transaction\.nft:1:\d/ });
  t.true(message.length < 400);
  await child.apply(add(1));
  t.deepEqual(await ports(), [1]);
});

test('a reply is told from the next one by its end, however it is cut into pieces', async (t) => {
  const { child } = fakeNft(t, `while read -r line; do case $line in describe*) printf 'Error: first'; sleep 0.1; printf ' half\\nmeta expr'; sleep 0.1; printf 'ession, datatype mark (x)\\n';; esac; done`);
  await t.throwsAsync(child.apply(''), { message: 'nft apply: Error: first half' });
  await t.throwsAsync(child.apply(''), { message: 'nft apply: Error: first half' });
});

test('nor is the end of a reply missed after more output than is kept', async (t) => {
  const { child } = fakeNft(
    t,
    `while read -r line; do case $line in describe*) echo 'Error: long'; head -c 200000 /dev/zero | tr '\\0' x; echo; sleep 0.1; printf 'meta expr'; sleep 0.1; printf 'ession, datatype mark (x)\\n';; esac; done`,
    3000,
  );
  const error = await t.throwsAsync(child.apply(''), { instanceOf: HostError });
  t.is(error.message, 'nft apply: Error: long');
  t.true(error.refused);
});

test('the script is readable by nobody else, and nothing of our environment reaches nft', async (t) => {
  process.env['NETWALL_TEST_SECRET'] = 'secret';
  const { directory, child } = fakeNft(t, `env > "$(dirname "$0")/environment"; while read -r line; do case $line in describe*) echo '${MARK}';; esac; done`);
  await child.apply('x\n');
  t.is(statSync(join(directory, 'transaction.nft')).mode & 0o777, 0o600);
  const environment = readFileSync(join(directory, 'environment'), 'utf8').split('\n').map((line) => line.split('=')[0] ?? '');
  t.true(environment.includes('HOME'));
  t.deepEqual(environment.filter((name) => !['HOME', 'PATH', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_', ''].includes(name)), []);
});

test('one transaction at a time', async (t) => {
  const { child, ports } = await withChild(t);
  const first = child.apply(add(1));
  await t.throwsAsync(child.apply(add(2)), { message: /already in flight/ });
  await first;
  t.deepEqual(await ports(), [1]);
});

test('a child that died between two transactions is replaced without a word', async (t) => {
  const { child, ports } = await withChild(t);
  await child.apply(add(1));
  const pid = pidOf(child);
  process.kill(pid, 'SIGKILL');
  t.true(await until(() => child.pid === null));
  await child.apply(add(2));
  t.not(child.pid, pid);
  t.deepEqual(await ports(), [1, 2]);
});

test('a child that dies during a transaction is a failure at once, of which nobody knows how far it came', async (t) => {
  const { child } = fakeNft(t, 'exec sleep 1000');
  const applied = child.apply('x\n');
  const pid = pidOf(child);
  t.true(await until(() => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n'));
  const began = performance.now();
  process.kill(pid, 'SIGKILL');
  const error = await t.throwsAsync(applied, { instanceOf: HostError, message: /SIGKILL/ });
  t.false(error.refused);
  t.true(performance.now() - began < 5000);
  t.is(child.pid, null);
});

test('a child that ends by itself says with what', async (t) => {
  const { child } = fakeNft(t, 'exit 7');
  await t.throwsAsync(child.apply('x\n'), { instanceOf: HostError, message: /exit code 7/ });
});

test('no program at all is a failure of the host', async (t) => {
  const { directory } = fakeNft(t, '');
  const child = new NftChild({ nft: join(directory, 'missing'), scriptFile: join(directory, 'transaction.nft'), timeout: 5000 });
  t.false((await t.throwsAsync(child.apply('x\n'), { instanceOf: HostError })).refused);
});

test('so is a script that cannot be written', async (t) => {
  const { directory, nft } = fakeNft(t, 'exec sleep 1000');
  const child = new NftChild({ nft, scriptFile: join(directory, 'missing', 'transaction.nft'), timeout: 5000 });
  await t.throwsAsync(child.apply('x\n'), { instanceOf: HostError, message: /ENOENT/ });
  t.is(child.pid, null);
});

test('a child that hangs is given up in time, and ended', async (t) => {
  const { child } = fakeNft(t, 'exec sleep 1000', 500);
  const began = performance.now();
  const applied = child.apply('x\n');
  const pid = pidOf(child);
  const error = await t.throwsAsync(applied, { instanceOf: HostError, message: /did not answer within 500 ms/ });
  t.false(error.refused);
  const took = performance.now() - began;
  t.true(took >= 490 && took < 5000, `${took} ms`);
  t.is(child.pid, null);
  t.true(await until(() => isGone(pid)));
});

test('after a child that hangs another one is tried', async (t) => {
  // hangs the first time only
  const { child } = fakeNft(t, `cd "$(dirname "$0")" && mkdir once 2>/dev/null && exec sleep 1000; while read -r line; do case $line in describe*) echo '${MARK}';; esac; done`, 1000);
  await t.throwsAsync(child.apply('x\n'), { instanceOf: HostError });
  await child.apply('x\n');
  t.not(child.pid, null);
});

test('stop ends the child, and the next transaction has another', async (t) => {
  const { child, ports } = await withChild(t);
  child.stop();
  await child.apply(add(1));
  const pid = pidOf(child);
  child.stop();
  t.is(child.pid, null);
  t.true(await until(() => isGone(pid)));
  await child.apply(add(2));
  t.deepEqual(await ports(), [1, 2]);
});

test('a child is replaced after 1,000 transactions, as it is the slower the more it has read, by one that has started before', async (t) => {
  const { started, own } = recorded();
  const { child, ports } = await withChild(t, { own });
  for (let port = 1; port <= 1000; port += 1) await child.apply(add(port));
  const pid = pidOf(child);
  t.deepEqual([started.length, started[0]], [2, pid]);
  await child.apply(add(1001));
  t.is(child.pid, started[1] ?? null);
  t.true(await until(() => isGone(pid)));
  t.is((await ports()).length, 1001);
});

test('a successor that ends before its time is replaced by another', async (t) => {
  const { started, own } = recorded();
  const { child, ports } = await withChild(t, { own, commands: 30 });
  for (let port = 1; port <= 15; port += 1) await child.apply(add(port));
  const next = started[1] ?? 0;
  process.kill(next, 'SIGKILL');
  t.true(await until(() => isGone(next)));
  for (let port = 16; port <= 40; port += 1) await child.apply(add(port));
  t.is(child.pid, started[2] ?? null);
  t.is((await ports()).length, 40);
});

test('the successor ends with the child', async (t) => {
  const { started, own } = recorded();
  const { child } = await withChild(t, { own, commands: 5 });
  await child.apply(add(1));
  t.true(await until(() => started.length === 2));
  child.stop();
  t.true(await until(() => started.every(isGone)));
});

test('the line that ends a reply may come in pieces, and its rest after the next transaction has begun', async (t) => {
  const { child } = fakeNft(t, `read -r line; read -r line; printf 'meta expression, datatype mark (packet'
  read -r line; printf ' mark)\\nError: of the next\\n'
  read -r line; echo '${MARK}'; read -r line`);
  await child.apply('first\n');
  await t.throwsAsync(child.apply('second\n'), { instanceOf: HostError, message: /Error: of the next/ });
});

test('a child ends with its parent, even when that is killed', async (t) => {
  const { namespace } = await withChild(t);
  const program = `
    import { NftChild } from ${JSON.stringify(new URL('../../src/host/nft-child.ts', import.meta.url).href)};
    const child = new NftChild({ nft: ${JSON.stringify(namespace.nftProgram())}, scriptFile: ${JSON.stringify(join(namespace.directory, 'other.nft'))}, timeout: 20000 });
    await child.apply('add element inet t s { 1 }\\n');
    console.log(child.pid);
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => parent.kill('SIGKILL'));
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (output: Buffer) => resolve(Number(output.toString()))));
  t.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'nft\n');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  t.true(await until(() => isGone(pid)), `nft ${pid} is an orphan`);
});

const MESSAGES: readonly [output: string, message: string][] = [
  ['In file included from <cmdline>:1:1-25:\n/run/t.nft:2:26-31: Error: No such file or directory\nadd element …\n     ^^^\n', '/run/t.nft:2:26-31: Error: No such file or directory'],
  ['internal:0:0-0: Error: Could not process rule: Operation not permitted\n', 'internal:0:0-0: Error: Could not process rule: Operation not permitted'],
  ['something else\nsecond line\n', 'something else'],
  ['', ''],
  [`Error: ${'x'.repeat(1000)}`, `Error: ${'x'.repeat(293)}`],
];
for (const [output, message] of MESSAGES) {
  test(`of ${JSON.stringify(output.slice(0, 40))} the message is what matters`, (t) => t.is(nftMessage(output), message));
}

test('the door: apply through the child, list the table, its sets, and what is not there', async (t) => {
  const { namespace } = await withChild(t);
  const nft = openNft({ nft: namespace.nftProgram(), table: 'netwall', runtimeDir: namespace.directory, own: new OwnProcesses('netwall') });
  t.teardown(() => nft.close());
  t.is(await nft.listSkeleton(), null);
  t.is(await nft.listTable(), null);
  t.is(await nft.listSet('set', 'user_egress4'), null);
  await nft.apply(skeletonText({ name: 'netwall', mark: 0x2000_0000 }));
  t.not(nft.pid, null);
  t.is(await nft.listSkeleton(), skeletonText({ name: 'netwall', mark: 0x2000_0000 }));
  t.regex(JSON.stringify(await nft.listTable()), /"chain":\{.*"name":"output"/);
  t.regex(JSON.stringify(await nft.listSet('set', 'user_egress4')), /"set":\{.*"name":"user_egress4"/);
  t.regex(JSON.stringify(await nft.listSet('map', 'user_mode')), /"map":\{.*"name":"user_mode"/);
});

test('the door: while the child is in disgrace, each transaction has an nft of its own', async (t) => {
  const { namespace, ports } = await withChild(t);
  const { directory, nft: program } = fakeNft(t, `[ "$1" = -i ] && exec sleep 1000; exec ${namespace.nftProgram()} "$@"`);
  const nft = openNft({ nft: program, table: 't', runtimeDir: directory, own: new OwnProcesses('t') });
  t.teardown(() => nft.close());
  const first = nft.apply(add(1));
  const pid = pidOf(nft);
  process.kill(pid, 'SIGKILL');
  t.false((await t.throwsAsync(first, { instanceOf: HostError })).refused);
  t.deepEqual(await ports(), []);
  await nft.apply(add(2));
  await nft.apply(add(3));
  t.is(nft.pid, null, 'no child');
  t.deepEqual(await ports(), [2, 3]);
  const error = await t.throwsAsync(nft.apply(`${add(4)}add element inet t s { 70000 }\n`), { instanceOf: HostError, message: /transaction\.nft:2:/ });
  t.true(error.refused);
  t.true((await t.throwsAsync(nft.apply(`${add(4)}delete element inet t s { 9 }\n`), { instanceOf: HostError })).refused);
  t.deepEqual(await ports(), [2, 3], 'all or nothing');
});

test('the door: a refusal is no reason to part with the child', async (t) => {
  const { namespace } = await withChild(t);
  const nft = openNft({ nft: namespace.nftProgram(), table: 't', runtimeDir: namespace.directory, own: new OwnProcesses('netwall') });
  t.teardown(() => nft.close());
  await nft.apply(add(1));
  const pid = nft.pid;
  await t.throwsAsync(nft.apply('delete element inet t s { 9 }\n'), { instanceOf: HostError });
  await nft.apply(add(2));
  t.is(nft.pid, pid);
});
