import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { type Cause, Runs } from '../../src/daemon/runs.ts';

/** Runs that end when they are told to. */
function setUp(clock = () => 0) {
  const served: Cause[][] = [];
  const open: (() => void)[] = [];
  const runs = new Runs({
    clock,
    run: (causes) => {
      served.push([...causes]);
      return new Promise((resolve) => open.push(resolve));
    },
  });
  const under = async () => {
    for (let round = 0; round < 500 && open.length === 0; round += 1) await sleep(2);
    const end = open.shift();
    if (end === undefined) throw new Error('there is no run');
    return end;
  };
  return { runs, served, under };
}

test('what becomes due during a run is served by one more, together', async (t) => {
  const { runs, served, under } = setUp();
  runs.trigger('start');
  const end = await under();
  runs.trigger('files');
  runs.trigger('kernel');
  const asked = runs.request('names');
  await sleep(30);
  t.deepEqual(served, [['start']], 'one at a time');
  end();
  const next = await under();
  t.deepEqual(served[1], ['files', 'kernel', 'names']);
  let answered = false;
  void asked.then(() => (answered = true));
  await sleep(5);
  t.false(answered, 'the run it asked for has not ended');
  next();
  await asked;
  await runs.settled();
  t.is(served.length, 2);
});

for (const cause of ['names', 'files'] as const) {
  test(`what changes all the time is served all the same: ${cause}`, async (t) => {
    const { runs, served, under } = setUp(() => performance.now());
    const over = new AbortController();
    const flood = (async () => {
      while (!over.signal.aborted) {
        for (let count = 0; count < 20; count += 1) runs.trigger(cause);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const end = await under();
    const asked = runs.request('reload');
    end();
    (await under())();
    await asked;
    over.abort();
    await flood;
    t.true(served[1]?.includes('reload'));
    runs.halt();
  });
}

test('while something else asks the kernel there are no runs, and one that is due comes before the next question', async (t) => {
  const { runs, served, under } = setUp();
  let done = (): void => {};
  const asked: number[] = [];
  const first = runs.alone(() => new Promise<string>((resolve) => (done = () => resolve('said'))));
  const others = [1, 2, 3].map((number) => runs.alone(async () => void asked.push(number)));
  const failing = runs.alone(() => Promise.reject(new Error('no answer')));
  runs.trigger('kernel');
  await sleep(20);
  t.deepEqual(served, []);
  done();
  t.is(await first, 'said');
  const end = await under();
  t.deepEqual([served, asked], [[['kernel']], []]);
  // of what is due after a run, one question may come first
  runs.trigger('files');
  end();
  const next = await under();
  t.deepEqual([served, asked], [[['kernel'], ['files']], [1]]);
  next();
  await Promise.all(others);
  await t.throwsAsync(failing, { message: 'no answer' });
  await runs.settled();
  t.deepEqual([served.length, asked], [2, [1, 2, 3]]);
});

test('halted, there is none until a reload, and nobody waits for one', async (t) => {
  const { runs, served, under } = setUp();
  const asked = runs.request('names');
  runs.halt();
  runs.dismiss();
  await asked;
  runs.trigger('files');
  await runs.request('interval');
  t.true(runs.halted);
  await sleep(30);
  t.deepEqual(served, []);
  runs.trigger('reload');
  t.false(runs.halted);
  (await under())();
  await runs.settled();
  t.deepEqual(served, [['reload']]);
});

test('closed, it waits for the run under way, and there is no other', async (t) => {
  const { runs, served, under } = setUp();
  runs.trigger('start');
  const end = await under();
  runs.trigger('files');
  let closed = false;
  const closing = runs.close().then(() => (closed = true));
  await sleep(10);
  t.false(closed);
  end();
  await closing;
  await runs.request('reload');
  await sleep(20);
  t.deepEqual(served, [['start']]);
});

test('a question does not hurry what is to be quiet for a while', async (t) => {
  const { runs, served, under } = setUp();
  runs.trigger('accounts');
  await runs.alone(async () => {});
  t.deepEqual(served, []);
  (await under())();
  await runs.settled();
  await sleep(40);
  t.deepEqual(served, [['accounts']], 'and there is one run, not two');
});
