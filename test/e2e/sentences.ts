/** Tests written as sentences: who tries what, and what becomes of it. */
import type { ExecutionContext, TestFn } from 'ava';
import { tail } from './daemon.ts';
import type { Who } from './plan.ts';
import type { Protocol } from './sockets.ts';
import { createWorld, type World } from './world.ts';

/** `port` is left out for icmp. */
export type Attempt = readonly [who: Who, protocol: Protocol, address: string, port?: number];

/** `passes`: it reached the far side and the answer came back. `is refused`: at once, and nothing ever left the host. */
export type Expectation = 'passes' | 'is refused';

export type Sentence = readonly [title: string, attempt: Attempt, expected: Expectation];

/** What a probe says when it passed. */
export const passed = { tcp: 'connected', udp: 'echoed', icmp: 'replied' } as const;

/** ICMP: v4 says EPERM, v6 shows the reject's own ICMP error; both come from the host itself. */
const refused = { tcp: ['refused'], udp: ['eperm'], icmp: ['eperm', 'unreachable'] } as const;

/** ping waits for a reply even when it could not send, so its time says nothing. */
const atOnce = 300;

/** One world for the whole file, with `prepare` done once before the first test. */
export const worldFor = (test: TestFn, prepare: (world: World) => Promise<void> = async () => {}): (() => World) => {
  let world: World | null = null;
  const present = (): World => {
    if (world === null) throw new Error('The world was not made; see the failure of the "before" hook.');
    return world;
  };
  test.before('the world is made', async (t) => {
    t.timeout(60_000);
    world = await createWorld();
    await prepare(world).catch((error: unknown) => {
      throw new Error(`The world could not be prepared: ${String(error)}`, { cause: error });
    });
  });
  test.afterEach.always((t) => {
    const lines = world?.daemon.log() ?? [];
    if (!t.passed && lines.length > 0) t.log(`The daemon's last lines:\n${tail(lines)}`);
  });
  test.after.always('the world is removed', async () => world?.destroy());
  return present;
};

/** One test per sentence, one after the other. A title that begins with "…" continues the last one that does not, up to its colon. */
export const tell = (test: TestFn, world: () => World, sentences: readonly Sentence[]): void => {
  let subject = '';
  for (const [title, attempt, expected] of sentences) {
    if (!title.startsWith('…')) subject = title.replace(/( \(IPv6\)|:.*)$/, '');
    test.serial(title.startsWith('…') ? `${subject} ${title}` : title, (t) => check(t, world(), attempt, expected));
  }
};

/** One sentence inside a longer test. */
export const check = async (t: ExecutionContext, world: World, attempt: Attempt, expected: Expectation): Promise<void> => {
  const [who, protocol, address, port = 0] = attempt;
  const onTheWire = (): Promise<number> => world.internet.arrived(protocol, address, protocol === 'icmp' ? undefined : port);
  const before = await onTheWire();
  const { result, ms } = await world.as(who).probe(protocol, address, port, protocol === 'icmp' ? { timeout: 300 } : {});
  const what = `${JSON.stringify(who)} ${protocol} ${address} ${port} ${expected}, saw "${result}" after ${ms} ms`;
  if (expected === 'passes') {
    t.is(result, passed[protocol], what);
    return;
  }
  t.true((refused[protocol] as readonly string[]).includes(result), what);
  t.is((await onTheWire()) - before, 0, `${what}; packets left the host`);
  if (protocol !== 'icmp') t.true(ms < atOnce, `${what}; a refusal is immediate`);
};

/** Whether an attempt passes right now, for waiting until it does. */
export const passes = async (world: World, [who, protocol, address, port = 0]: Attempt): Promise<boolean> => {
  const { result } = await world.as(who).probe(protocol, address, port, { timeout: 400 });
  return result === passed[protocol];
};
