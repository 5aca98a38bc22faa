import test from 'ava';
import type { RecordType } from '../../src/dns/look-up.ts';
import { type LookUp, Resolver } from '../../src/host/resolver.ts';
import { parseAddress } from '../../src/net/address.ts';
import type { BookLimits } from '../../src/resolve/address-book.ts';

const LIMITS: BookLimits = { minTtl: 5000, maxTtl: 3_600_000, hold: 600_000, maxStale: 86_400_000 };
const A = parseAddress('192.0.2.1');
const addresses = A.ok ? [A.value] : [];

function start(answer: (domain: string, type: RecordType) => ReturnType<LookUp>, limits = LIMITS) {
  const asked: string[] = [];
  const changed: string[] = [];
  const resolver = new Resolver({
    limits,
    lookUp: (domain, type) => {
      asked.push(`${domain} ${type}`);
      return answer(domain, type);
    },
    onChange: (domain) => changed.push(domain),
  });
  return { resolver, asked, changed };
}

const positive = async (_domain: string, type: RecordType) =>
  type === 'A' ? ({ kind: 'addresses', addresses, ttl: 60} as const) : ({ kind: 'nodata', ttl: 60 } as const);

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('each wanted domain is asked for once, both record types', async (t) => {
  const { resolver, asked, changed } = start(positive);
  t.teardown(() => resolver.close());
  resolver.want(['a.example', 'b.example']);
  resolver.want(['a.example', 'b.example']);
  await resolver.idle();
  t.deepEqual(asked.toSorted(), ['a.example A', 'a.example AAAA', 'b.example A', 'b.example AAAA']);
  t.deepEqual(resolver.entry('a.example').current, addresses);
  t.true(changed.includes('a.example'));
});

test('refresh asks again although nothing is due', async (t) => {
  const { resolver, asked } = start(positive);
  t.teardown(() => resolver.close());
  resolver.want(['a.example']);
  await resolver.idle();
  resolver.refresh();
  await resolver.idle();
  t.is(asked.length, 4);
  await pause(20);
  t.is(asked.length, 4, 'once');
});

test('refresh during a look-up asks again after it', async (t) => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { resolver, asked } = start(async (domain, type) => {
    await gate;
    return positive(domain, type);
  });
  t.teardown(() => resolver.close());
  resolver.want(['a.example']);
  resolver.refresh();
  t.is(asked.length, 2);
  release();
  await pause(20);
  t.is(asked.length, 4);
});

test('a TTL of zero does not make the resolver spin', async (t) => {
  const { resolver, asked } = start(async () => ({ kind: 'addresses', addresses, ttl: 0}), { ...LIMITS, minTtl: 0, hold: 0 });
  t.teardown(() => resolver.close());
  resolver.want(['a.example']);
  await pause(300);
  t.is(asked.length, 2);
});

test('what is not wanted any longer is forgotten, also while it is asked for', async (t) => {
  const { resolver } = start(async (domain, type) => {
    await pause(10);
    return positive(domain, type);
  });
  t.teardown(() => resolver.close());
  resolver.want(['a.example']);
  resolver.want([]);
  await pause(30);
  t.deepEqual(resolver.entry('a.example').current, []);
  t.deepEqual(resolver.save(), {});
});

test('a bounded number of questions is under way, and all are asked', async (t) => {
  let [underWay, most] = [0, 0];
  const { resolver, asked } = start(async (domain, type) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await pause(1);
    underWay -= 1;
    return positive(domain, type);
  });
  t.teardown(() => resolver.close());
  resolver.want(Array.from({ length: 1000 }, (_, index) => `n${index}.example`));
  await resolver.idle();
  t.is(asked.length, 2000);
  t.true(most <= 400, `${most} at once`);
});

test('failures keep what was known, and are tried again later and later', async (t) => {
  let failing = false;
  const { resolver, asked } = start(async (domain, type) => (failing ? { kind: 'failure', reason: 'SERVFAIL' } : positive(domain, type)));
  t.teardown(() => resolver.close());
  resolver.want(['a.example']);
  await resolver.idle();
  failing = true;
  resolver.refresh();
  await resolver.idle();
  t.deepEqual(resolver.entry('a.example').current, addresses);
  t.is(resolver.entry('a.example').lookUps.A?.error, 'SERVFAIL');
  await pause(100);
  t.is(asked.length, 4);
});

test('what was saved counts again after a restart', async (t) => {
  const { resolver } = start(positive);
  resolver.want(['a.example']);
  await resolver.idle();
  const saved = resolver.save();
  resolver.close();
  const { resolver: next, asked } = start(async () => ({ kind: 'failure', reason: 'down' }));
  t.teardown(() => next.close());
  next.load(saved);
  next.want(['a.example']);
  t.deepEqual(next.entry('a.example').current, addresses);
  await next.idle();
  t.deepEqual(next.entry('a.example').current, addresses);
  t.is(asked.length, 2, 'and is asked for at once');
});

test('who asks for one again waits for that one alone', async (t) => {
  const { resolver, asked } = start((domain, type) => (domain === 'hangs.example' ? new Promise(() => {}) : positive(domain, type)));
  t.teardown(() => resolver.close());
  resolver.want(['a.example', 'hangs.example']);
  await pause(5);
  t.true(await resolver.again('a.example'));
  t.is(asked.filter((question) => question.startsWith('a.example')).length, 4);
  const waiting = resolver.again('hangs.example');
  t.false(await resolver.again('b.example'));
  resolver.want(['a.example']);
  t.true(await waiting, 'it is followed no more');
});
