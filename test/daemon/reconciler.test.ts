import test from 'ava';
import { pino } from 'pino';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_CONFIG } from '../../src/config/config.ts';
import { DriftLog } from '../../src/daemon/drift.ts';
import type { Enforcer } from '../../src/daemon/enforcer.ts';
import { Events } from '../../src/daemon/events.ts';
import { Reconciler } from '../../src/daemon/reconciler.ts';
import { HostError } from '../../src/host/host-error.ts';

const applied = { added: 0, removed: 0, transactions: 0, rebuilt: false };

/** A reconciler without any policy, and a kernel that answers when it is told to. */
function setUp() {
  let now = 0;
  const waiting: { answer: () => void; fail: (error: Error) => void }[] = [];
  const enforcer: Partial<Enforcer> = {
    generation: 1,
    grantSequence: 0,
    observe: async () => ({ deviations: [], drains: [], gone: false }),
    apply: () => new Promise((resolve, reject) => waiting.push({ answer: () => resolve(applied), fail: reject })),
  };
  const reconciler = new Reconciler({
    config: DEFAULT_CONFIG,
    log: pino({ level: 'silent' }),
    files: { scan: () => ({ files: [], unsettled: false, masked: [], failures: [], unread: false }) },
    accounts: { refresh: async () => false, id: () => null, find: async () => null, owner: async () => null, missing: () => false, save: () => ({ user: {}, group: {} }), error: null },
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
    blocks: () => new Map(),
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
  return { reconciler, asked, pass: (milliseconds: number) => (now += milliseconds) };
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
