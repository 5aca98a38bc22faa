/** What a socket still has to send when its policy no longer allows it: nobody owns it once it is closed, and it must not leave all the same. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import test from 'ava';
import { repository } from './namespace.ts';
import { accounts, link, sparePorts } from './plan.ts';
import { worldFor } from './sentences.ts';
import { until } from './until.ts';
import type { Who } from './plan.ts';

const PORT = sparePorts.first;

const policy = (service: string, ports: readonly number[], more = '') => `service: ${service}
match: { user: ${service} }
dns: none
${more}egress:
  allow:
    - to: ${link.internet.v4}
      ports: [${[443, ...ports].join(', ')}]
`;
const world = worldFor(test, async (made) => {
  await made.policy('webapp.yaml', policy('webapp', [PORT + 1, PORT + 2, PORT + 3, PORT + 4, PORT + 5]));
  await made.policy('billing.yaml', policy('billing', [PORT + 6]));
  await made.daemon.start({ config: {} });
});

/** A program that is spoken to by lines. */
function lines(child: ChildProcess): { next: () => Promise<string>; say: () => void } {
  const reader = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  return { next: async () => (await reader.next()).value ?? 'ended', say: () => child.stdin?.write('\n') };
}

/** A connection that is full: the receiver does not read. */
async function fill(who: Who, port: number) {
  const args = (root: string, what: string) => [`${root}/test/e2e/full.pl`, what, link.internet.v4, `${port}`];
  const receiver = lines(world().spawnOnInternet('/usr/bin/perl', args(repository, 'receive')));
  await receiver.next();
  const sender = lines(world().spawn('/usr/bin/perl', args(world().repository, 'send'), who));
  const written = Number(await sender.next());
  return {
    written,
    close: async () => {
      sender.say();
      await sender.next();
    },
    /** Lets the receiver read to the end; how much came. */
    received: async () => {
      receiver.say();
      return Number(await receiver.next());
    },
  };
}
const ended = (port: number) =>
  until(`the connection to port ${port} is ended`, async () => {
    const { stdout } = await world().ctl(['events', '--json']);
    return stdout.split('\n').some((line) => line.includes('"type":"ended"') && line.includes(`"port":${port}`));
  });

/** Whether this kernel still says whose a closed connection was, that is, from Linux 6.16 on; before, it shows as root's, and nobody can tell that its policy is gone. */
const ownerIsKept = async (port: number) => {
  const { stdout } = await world().exec('/bin/cat', ['/proc/net/tcp']);
  const uids = stdout.split('\n').map((line) => line.trim().split(/\s+/)).filter(([, , remote = '']) => remote.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`)).map((fields) => fields[7]);
  if (uids.length !== 1) throw new Error(`${uids.length} connections to port ${port}`);
  return uids[0] === `${accounts.webapp.uid}`;
};

test.serial('closed, and still allowed: everything arrives', async (t) => {
  const connection = await fill('webapp', PORT + 1);
  await connection.close();
  await world().policy('webapp.yaml', policy('webapp', [PORT + 1, PORT + 2, PORT + 3, PORT + 4, PORT + 5], '# edited\n'));
  await world().ctl(['reload']);
  t.is(await connection.received(), connection.written);
});

test.serial('closed, and then no longer allowed: the rest does not arrive', async (t) => {
  const connection = await fill('webapp', PORT + 2);
  await connection.close();
  const known = await ownerIsKept(PORT + 2);
  await world().policy('webapp.yaml', policy('webapp', [PORT + 3, PORT + 4, PORT + 5]));
  if (known) await ended(PORT + 2);
  else await world().ctl(['reload']);
  const received = await connection.received();
  // the limit that docs/limits.md tells of
  if (known) t.true(received < connection.written);
  else t.is(received, connection.written);
});

test.serial('no longer allowed, and then closed: the rest does not arrive', async (t) => {
  const connection = await fill('webapp', PORT + 3);
  await world().policy('webapp.yaml', policy('webapp', [PORT + 4, PORT + 5]));
  await ended(PORT + 3);
  await connection.close();
  t.true((await connection.received()) < connection.written);
});

test.serial('blocked by an operator: the rest does not arrive; what the peer has of others is untouched', async (t) => {
  const others = await fill('billing', PORT + 6);
  const connection = await fill('webapp', PORT + 4);
  await others.close();
  await connection.close();
  const known = await ownerIsKept(PORT + 4);
  t.is((await world().ctl(['block', 'webapp'])).exitCode, 0);
  if (known) {
    await ended(PORT + 4);
    t.true((await connection.received()) < connection.written);
  }
  t.is(await others.received(), others.written);
  t.is((await world().ctl(['unblock', 'webapp'])).exitCode, 0);
});
