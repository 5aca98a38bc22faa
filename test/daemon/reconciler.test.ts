import test from 'ava';
import { pino } from 'pino';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_CONFIG } from '../../src/config/config.ts';
import { Blocks } from '../../src/daemon/blocks.ts';
import { DriftLog } from '../../src/daemon/drift.ts';
import type { Enforcer } from '../../src/daemon/enforcer.ts';
import { Events } from '../../src/daemon/events.ts';
import { FullLooks, lookPace } from '../../src/daemon/full-looks.ts';
import { Reconciler } from '../../src/daemon/reconciler.ts';
import type { Cause } from '../../src/daemon/runs.ts';
import type { Accounts } from '../../src/host/accounts.ts';
import { HostError } from '../../src/host/host-error.ts';

const applied = { added: 0, removed: 0, transactions: 0, rebuilt: false };

/** A reconciler without any policy, and a kernel that answers when it is told to. */
function setUp(told: Partial<Accounts> = {}) {
  let now = 0;
  let [looks, glances, takes, stands, releases] = [0, 0, 0, true, false];
  const comparing: (() => void)[] = [];
  const waiting: { answer: () => void; fail: (error: Error) => void }[] = [];
  const enforcer: Partial<Enforcer> = {
    generation: 1,
    grantSequence: 0,
    async observe() {
      looks += 1;
      now += takes;
      return { deviations: [], drains: [], gone: false };
    },
    compare: () => new Promise((resolve) => comparing.push(() => resolve([]))),
    unload: () => Promise.reject(new HostError('nft', 'no answer')),
    async rulesStand() {
      glances += 1;
      return stands;
    },
    released: () => (releases ? ['user 1001'] : []),
    apply: () => new Promise((resolve, reject) => waiting.push({ answer: () => resolve(applied), fail: reject })),
  };
  const reconciler = new Reconciler({
    config: DEFAULT_CONFIG,
    log: pino({ level: 'silent' }),
    files: { scan: () => ({ files: [], unsettled: false, masked: [], failures: [], unread: false }) },
    accounts: { refresh: async () => false, id: () => null, find: async () => null, owner: async () => null, missing: () => false, answers: async () => false, save: () => ({ user: {}, group: {} }), error: null, untold: null, doubt: null, ...told },
    names: { want: () => {}, addressesOf: () => [], seenBy: () => new Map() },
    dns: { listen: async () => new Map(), serve: () => {} },
    nameservers: () => [],
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a reconciler without a policy uses of it
    enforcer: enforcer as Enforcer,
    drift: new DriftLog(),
    events: new Events(),
    good: new Map(),
    tried: (installed) => installed,
    granted: (services) => services,
    blocks: new Blocks(),
    saveGood: async () => {},
    onChange: () => {},
    onRun: () => {},
    clock: () => now,
  });
  const asked = async () => {
    for (let round = 0; round < 500 && waiting.length === 0; round += 1) await sleep(2);
    const first = waiting.shift();
    if (first === undefined) throw new Error('the kernel is not asked');
    return first;
  };
  const run = async (cause: Cause) => {
    const over = reconciler.request(cause);
    (await asked()).answer();
    await over;
  };
  return {
    reconciler,
    asked,
    run,
    comparing,
    pass: (milliseconds: number) => (now += milliseconds),
    /** How long a look at the kernel takes, and whether a glance finds the rules as they were written. */
    kernel: (milliseconds: number, asWritten: boolean) => ([takes, stands] = [milliseconds, asWritten]),
    /** Whether the kernel governs somebody who is not desired. */
    governs: (others: boolean) => (releases = others),
    /** Looks and glances since the last call. */
    looked: () => {
      const seen = [looks, glances];
      [looks, glances] = [0, 0];
      return seen;
    },
  };
}

test('a run that takes too long is no sign of life, until it ends', async (t) => {
  const { reconciler, asked, pass } = setUp();
  t.true(reconciler.turns, 'nothing to do is no fault');
  const done = reconciler.request('start');
  const kernel = await asked();
  pass(59_000);
  t.true(reconciler.turns);
  pass(2000);
  t.false(reconciler.turns);
  kernel.answer();
  await done;
  t.true(reconciler.turns);
  pass(3_600_000);
  t.true(reconciler.turns, 'an idle hour is no fault');
  await reconciler.close();
});

test('a failure is told, tried again, and forgotten once it works', async (t) => {
  const { reconciler, asked } = setUp();
  const failed = reconciler.request('start');
  (await asked()).fail(new HostError('nft', 'no answer'));
  await failed;
  t.is(reconciler.state, 'degraded');
  t.regex(reconciler.fault ?? '', /no answer/);
  (await asked()).answer(); // of itself
  await reconciler.settled();
  t.is(reconciler.state, 'enforcing');
  t.is(reconciler.fault, null);
  await reconciler.close();
});

test('nobody is released by the first run while NSS does not tell of somebody', async (t) => {
  const { reconciler, run, governs } = setUp({ error: 'no answer', untold: 'user ldapsvc' });
  governs(true);
  await reconciler.request('start');
  t.is(reconciler.state, 'degraded');
  t.regex(reconciler.fault ?? '', /no answer.*user ldapsvc/);
  governs(false);
  await run('accounts');
  t.is(reconciler.state, 'enforcing', 'who is known is governed all the same');
  governs(true);
  await run('files');
  t.is(reconciler.state, 'enforcing', 'what this process enforced, it may take back');
  await reconciler.close();
});

test('… and where only the ids last known count, the first run goes on', async (t) => {
  const { reconciler, run, governs } = setUp({ error: 'no answer' });
  governs(true);
  await run('start');
  t.is(reconciler.state, 'enforcing');
  await reconciler.close();
});

test('whoever asks while a run is under way waits for the next one', async (t) => {
  const { reconciler, asked } = setUp();
  const first = reconciler.request('start');
  const kernel = await asked();
  let over = false;
  const second = reconciler.request('reload').then(() => (over = true));
  kernel.answer();
  await first;
  const again = await asked();
  t.false(over);
  again.answer();
  await second;
  t.true(over);
  await reconciler.close();
});

test('where a full look takes long, the interval has it no more than a hundredth of the time; the rules are looked at each time', async (t) => {
  const { reconciler, run, pass, kernel, looked } = setUp();
  kernel(200, true);
  await run('start');
  pass(1);
  await run('interval');
  t.deepEqual(looked(), [2, 0], 'short ones are as often as they are asked for');
  kernel(2000, true);
  await run('interval');
  t.deepEqual(looked(), [1, 0]);
  pass(197_000);
  await run('interval');
  t.deepEqual(looked(), [0, 1]);
  kernel(2000, false);
  await run('interval');
  t.deepEqual(looked(), [1, 1], 'the rules are not as they were written');
  kernel(2000, true);
  pass(1001);
  await run('interval');
  t.deepEqual(looked(), [1, 0]);
  await run('reload');
  t.deepEqual(looked(), [1, 0], 'who asks for it gets it');
  await reconciler.close();
});

for (const [interval, maxStale, took] of [[30_000, 60_000, 200], [30_000, 60_000, 400], [300_000, 600_000, 2000], [86_400_000, 86_400_000, 60_000], [1000, 60_000, 5000]] as const) {
  test(`an address is renewed before half of its time is over and long before it ends: interval ${interval}, max_stale ${maxStale}, a look takes ${took}`, (t) => {
    const times = { reconcileInterval: interval, dns: { ...DEFAULT_CONFIG.dns, maxStale } };
    let now = 0;
    const looks = new FullLooks(times, () => now);
    let [ends, least]: [number, number] = [maxStale, maxStale];
    for (let tick = 0; tick < 200; tick += 1) {
      now = Math.max(now, tick * lookPace(times));
      if (!looks.due) continue;
      least = Math.min(least, ends - now);
      // `expiringElements`
      if (ends - now < maxStale / 2) ends = now + maxStale;
      now += took;
      looks.done(took);
    }
    t.true(least > maxStale / 10, `${least} ms left`);
  });
}

test('who asks for the differences while others do shares the next answer', async (t) => {
  const { reconciler, run, comparing } = setUp();
  await run('start');
  const first = reconciler.difference();
  await sleep(5);
  const others = [reconciler.difference(), reconciler.difference(), reconciler.difference()];
  comparing.shift()?.();
  await first;
  await sleep(5);
  t.is(comparing.length, 1, 'one look for all of them, and not the one that was under way');
  comparing.shift()?.();
  await Promise.all(others);
  await reconciler.close();
});

test('where the wall cannot be taken down it is kept up', async (t) => {
  const { reconciler, run, asked } = setUp();
  await run('start');
  const waiting = reconciler.request('names');
  await t.throwsAsync(reconciler.unload(), { instanceOf: HostError });
  t.false(reconciler.unloaded);
  (await asked()).answer(); // of itself
  await waiting;
  t.is(reconciler.state, 'enforcing');
  await reconciler.close();
});
