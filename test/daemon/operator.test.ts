import test from 'ava';
import { pino } from 'pino';
import { Blocks, type GovernedBy, savedBlocks } from '../../src/daemon/blocks.ts';
import { Events } from '../../src/daemon/events.ts';
import { Operator } from '../../src/daemon/operator.ts';
import { Permits } from '../../src/daemon/permits.ts';
import { HostError } from '../../src/host/host-error.ts';

const wanted = { service: 'webapp', to: '45.64.8.1', ports: ['443'], private: false, reason: 'test', by: 'ann', milliseconds: 3_600_000 };

/** `full`: nothing can be written. `enforced`: what was in force at each run. */
function setUp() {
  const disk: Record<string, string> = {};
  const is = { full: false, degraded: false };
  let resolving: Promise<boolean> = Promise.resolve(false);
  const permits = new Permits({ now: () => 0, wall: () => 0, onChange: () => {}, onExpired: () => {} });
  const blocks = new Blocks();
  const governedBy = (service: string): GovernedBy => ({ service, kind: 'user', ids: service === 'webapp' || service === 'web-app' ? [1001] : [1002] });
  const enforced: string[] = [];
  const operator = new Operator({
    permits,
    blocks,
    governedBy,
    write: async (name, data) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (is.full) throw new HostError('write state', 'ENOSPC');
      disk[name] = JSON.stringify(data);
    },
    enforce: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      enforced.push(`${permits.report.map(({ id }) => id).join()} ${Object.keys(blocks.save()).join()}`);
      return !is.degraded;
    },
    resolve: () => resolving,
    events: new Events(),
    log: pino({ level: 'silent' }),
  });
  const ids = () => permits.report.map(({ id }) => id);
  const onDisk = (): number[] => JSON.parse(disk['grants'] ?? '{"permits":[]}').permits.map(({ id }: { id: number }) => id);
  return { operator, is, disk, enforced, blocks, governedBy, ids, onDisk, resolving: (answer: Promise<boolean>): void => void (resolving = answer) };
}

test('many at a time: what is said to be granted is in force and kept, and nothing else', async (t) => {
  const { operator, ids, onDisk } = setUp();
  const given = await Promise.all(Array.from({ length: 6 }, () => operator.grant(wanted)));
  t.deepEqual(given.map(({ id }) => id), [1, 2, 3, 4, 5, 6]);
  t.deepEqual([ids(), onDisk()], [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]]);
  await Promise.all([operator.revoke('2'), operator.grant(wanted), operator.revoke('4')]);
  t.deepEqual([ids(), onDisk()], [[1, 3, 5, 6, 7], [1, 3, 5, 6, 7]]);
});

test('what cannot be kept is not granted; others stay', async (t) => {
  const { operator, is, ids, onDisk } = setUp();
  await operator.grant(wanted);
  is.full = true;
  await t.throwsAsync(operator.grant(wanted), { message: /ENOSPC/ });
  t.deepEqual([ids(), onDisk()], [[1], [1]]);
});

test('revoked is revoked, kept or not; and it is kept later', async (t) => {
  const { operator, is, ids, onDisk, enforced } = setUp();
  await operator.grant(wanted);
  is.full = true;
  await t.throwsAsync(operator.revoke('all'), { message: /^revoke: it is in force, but not kept: a restart would undo it/ });
  t.deepEqual([ids(), onDisk(), enforced.at(-1)], [[], [1], ' ']);
  await operator.retry();
  t.deepEqual(onDisk(), [1]);
  is.full = false;
  await operator.retry();
  t.deepEqual(onDisk(), []);
});

test('blocked is blocked, kept or not; asked again it is kept', async (t) => {
  const { operator, is, disk, blocks, governedBy, enforced } = setUp();
  is.full = true;
  await t.throwsAsync(operator.block('webapp', true), { message: /^block: it is in force, but not kept/ });
  t.not(blocks.since(governedBy('webapp')), null);
  t.is(enforced.at(-1), ' webapp');
  is.full = false;
  t.true(await operator.block('webapp', true));
  t.regex(disk['blocks'] ?? '', /webapp/);
  t.true(await operator.block('webapp', false));
  t.false(await operator.block('webapp', false));
  t.is(disk['blocks'], '{}');
});

test('while names are looked up that nobody answers for, everything else is done', async (t) => {
  const { operator, resolving, blocks, governedBy } = setUp();
  resolving(new Promise(() => {}));
  let granted = false;
  void operator.grant({ ...wanted, to: 'api.example.net' }).then(() => (granted = true));
  await operator.block('webapp', true);
  t.not(blocks.since(governedBy('webapp')), null);
  t.is((await operator.revoke('1')).length, 1);
  t.false(granted, 'it still waits for the name');
});

test('what could not be enforced is not said to be done', async (t) => {
  const { operator, is, blocks, governedBy, disk } = setUp();
  await operator.grant(wanted);
  is.degraded = true;
  await t.throwsAsync(operator.block('webapp', true), { message: /^block: it is kept, but not in force yet/ });
  t.not(blocks.since(governedBy('webapp')), null);
  t.regex(disk['blocks'] ?? '', /webapp/);
  await t.throwsAsync(operator.grant(wanted), { message: /^grant: it is kept, but not in force yet/ });
  await t.throwsAsync(operator.revoke('1'), { message: /^revoke: it is kept, but not in force yet/ });
});

test('a grant that a run took up before it turned out that it cannot be kept is taken back', async (t) => {
  const { operator, is, enforced } = setUp();
  is.full = true;
  await t.throwsAsync(operator.grant(wanted), { message: /ENOSPC/ });
  t.deepEqual(enforced, [' ']);
});

test('how much is left of grants is kept as time goes by', async (t) => {
  const { operator, disk } = setUp();
  await operator.retry();
  t.is(disk['grants'], undefined, 'there are none');
  await operator.grant(wanted);
  delete disk['grants'];
  await operator.retry();
  t.regex(disk['grants'] ?? '', /"left":3600000/);
});

test('a block is of whom the service governed, whatever their policy is called later', async (t) => {
  const { operator, blocks, governedBy, disk } = setUp();
  await operator.block('webapp', true);
  t.not(blocks.since(governedBy('web-app')), null);
  t.is(blocks.since(governedBy('other')), null);
  t.is(blocks.since({ service: 'other', kind: 'group', ids: [1001] }), null);
  const restarted = new Blocks(savedBlocks.parse(JSON.parse(disk['blocks'] ?? '')));
  t.is(restarted.since(governedBy('web-app')), blocks.since(governedBy('webapp')));
  t.true(await operator.block('web-app', false), 'and it ends by either name');
  t.is(blocks.since(governedBy('webapp')), null);
});

test('blocks of before principals were kept go by name', (t) => {
  const blocks = new Blocks(savedBlocks.parse({ webapp: '2026-01-01T00:00:00.000Z' }));
  t.is(blocks.since({ service: 'webapp', kind: 'user', ids: [1] }), '2026-01-01T00:00:00.000Z');
  t.is(blocks.since({ service: 'other', kind: 'user', ids: [1] }), null);
});

test('unblocked is who was asked for: whom else a block shuts stays shut', async (t) => {
  const { operator, blocks, governedBy, disk } = setUp();
  blocks.add({ service: 'both', kind: 'user', ids: [1001, 1002] }, '2026-01-01T00:00:00.000Z');
  t.true(await operator.block('webapp', false));
  t.is(blocks.since(governedBy('webapp')), null);
  t.is(blocks.since(governedBy('other')), '2026-01-01T00:00:00.000Z');
  t.deepEqual(JSON.parse(disk['blocks'] ?? ''), { both: { since: '2026-01-01T00:00:00.000Z', principals: ['user 1002'] } });
});
