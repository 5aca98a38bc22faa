/** Many look on, the kernel is read once, and not too often. */
import test from 'ava';
import { SharedLook } from '../../src/daemon/shared-look.ts';

/** A look that takes as long as it is told, by a clock that goes when it is told. */
function rig(takes = 10) {
  let now = 1000;
  let looks = 0;
  const waiting: (() => void)[] = [];
  const look = new SharedLook(
    () =>
      new Promise<number>((resolve) => {
        looks += 1;
        const count = looks;
        waiting.push(() => {
          now += takes;
          resolve(count);
        });
      }),
    () => now,
  );
  return {
    get: (maxAge: number) => look.get(maxAge),
    finish: () => waiting.splice(0).forEach((done) => done()),
    pass: (milliseconds: number) => (now += milliseconds),
    looks: () => looks,
  };
}

test('who asks while a look is under way shares it', async (t) => {
  const { get, finish, looks } = rig();
  const asked = [get(0), get(0), get(1000)];
  finish();
  t.deepEqual((await Promise.all(asked)).map(({ value }) => value), [1, 1, 1]);
  t.is(looks(), 1);
});

test('a result is everybody\'s for as long as they say', async (t) => {
  const { get, finish, pass, looks } = rig();
  const first = get(0);
  finish();
  t.is((await first).at, 1000);
  pass(500);
  t.is((await get(600)).value, 1);
  const second = get(500);
  finish();
  t.is((await second).value, 2);
  t.is(looks(), 2);
});

test('what took long is not repeated soon, however fresh it is wanted', async (t) => {
  const { get, finish, pass, looks } = rig(1000);
  const first = get(0);
  finish();
  await first;
  pass(8999);
  t.is((await get(0)).value, 1);
  t.is(looks(), 1);
  pass(1);
  const second = get(0);
  finish();
  t.is((await second).value, 2);
});

test('a failure is told to all who wait, and forgotten', async (t) => {
  let fails = true;
  let now = 0;
  const look = new SharedLook(async () => {
    if (fails) throw new Error('no kernel');
    return 'seen';
  }, () => now);
  await Promise.all([t.throwsAsync(look.get(0)), t.throwsAsync(look.get(0))]);
  fails = false;
  now = 1;
  t.is((await look.get(0)).value, 'seen');
});
