import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { lockTable } from '../../src/host/instance-lock.ts';

const NOBODY = 65_534;
const SQUAT = 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("\\0netwalld-$ARGV[0]")) or die $!; listen(S, 5) if $ARGV[1]; $| = 1; print "there"; <STDIN>';

const tableOf = (name: string) => `lock_${name}_${process.pid}`;

/** Somebody takes the name of a table's lock, and listens there or not. */
async function squatter(t: ExecutionContext, table: string, uid: number, listens: boolean): Promise<ChildProcess> {
  const child = spawn('/usr/bin/setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '/usr/bin/perl', '-MSocket', '-e', SQUAT, table, listens ? '1' : ''], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  t.is(String((await once(child.stdout, 'data'))[0]), 'there');
  return child;
}

test('a second netwalld of the same table is refused, until the first is gone', async (t) => {
  const table = tableOf('twice');
  const first = await lockTable(table);
  await t.throwsAsync(lockTable(table), { message: `start: another netwalld keeps table inet ${table}; only one can` });
  t.not(await lockTable(tableOf('other')).then((other) => other?.close()), null);
  first?.close();
  const second = await lockTable(table);
  t.not(second, null);
  second?.close();
});

for (const listens of [true, false]) {
  test(`who is not root keeps nobody out by taking the name${listens ? ', and listening there' : ''}`, async (t) => {
    const table = tableOf(listens ? 'listens' : 'bound');
    await squatter(t, table, NOBODY, listens);
    t.is(await lockTable(table), null);
  });
}

test('another process of root does', async (t) => {
  const table = tableOf('root');
  await squatter(t, table, 0, true);
  await t.throwsAsync(lockTable(table), { message: /another netwalld keeps table/ });
});
