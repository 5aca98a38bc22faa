import test from 'ava';
import * as fc from 'fast-check';
import { type Drift, DRIFT_KINDS, DriftLog, driftSchema, type Finding } from '../../src/daemon/drift.ts';

const at = (seconds: number) => new Date(Date.UTC(2024, 0, 1) + seconds * 1000);
const finding = (detail: string, service: string | null = null): Finding => ({ service, detail });
const show = ({ id, kind, service, detail, count }: Drift) => `${id} ${kind} ${service ?? '-'} ${detail} x${count}`;

test('nothing found is nothing', (t) => {
  const log = new DriftLog();
  t.false(log.update('file', [], at(0)));
  t.deepEqual([log.open, log.history, log.repaired], [[], [], 0]);
});

test('a drift from first seen to repaired', (t) => {
  let clock = 1_000_000;
  const log = new DriftLog(() => {}, () => clock);
  const first: Drift = {
    id: '1', kind: 'file', service: 'web', detail: 'bad', process: null, firstSeen: at(0).toISOString(), lastSeen: at(0).toISOString(), count: 1, repaired: false, openMilliseconds: null,
  };
  t.true(log.update('file', [finding('bad', 'web')], at(0)));
  t.deepEqual(log.open, [first]);
  t.deepEqual(log.history, []);

  t.false(log.update('file', [finding('bad', 'web')], at(5)), 'it is no news that it is still there');
  t.deepEqual(log.open, [{ ...first, lastSeen: at(5).toISOString() }]);

  clock += 7000; // whatever the other clock says
  t.true(log.update('file', [], at(-3600)));
  t.deepEqual(log.open, []);
  t.deepEqual(log.history, [{ ...first, lastSeen: at(5).toISOString(), repaired: true, openMilliseconds: 7000 }]);
  t.is(log.repaired, 1);
});

test('the same again is a drift of its own', (t) => {
  const log = new DriftLog();
  for (const [index, findings] of [[finding('bad')], [], [finding('bad')]].entries()) log.update('file', findings, at(index));
  t.deepEqual(log.open.map(show), ['2 file - bad x1']);
  t.deepEqual(log.history.map(show), ['1 file - bad x1']);
});

const APART: readonly [what: string, first: Finding, second: Finding][] = [
  ['details', finding('a'), finding('b')],
  ['services', finding('a', 'web'), finding('a', 'db')],
  ['a service and none', finding('a', 'web'), finding('a')],
  ['a service and a detail that begins like it', finding('b', 'web'), finding('web b')],
];
for (const [what, first, second] of APART) {
  test(`told apart: ${what}`, (t) => {
    const log = new DriftLog();
    log.update('file', [first, second], at(0));
    t.is(log.open.length, 2);
    log.update('file', [second], at(1));
    t.deepEqual(log.open.map(({ service, detail }) => ({ service, detail })), [second]);
  });
}

test('one finding twice is one drift', (t) => {
  const log = new DriftLog();
  log.update('file', [finding('a'), finding('a')], at(0));
  t.is(log.open.length, 1);
});

test('what one observer no longer finds says nothing of other kinds', (t) => {
  const log = new DriftLog();
  log.update('file', [finding('a')], at(0));
  log.update('name', [finding('a')], at(0));
  t.true(log.update('file', [], at(1)));
  t.deepEqual(log.open.map(show), ['2 name - a x1']);
});

test('repaired in one go: the same again counts', (t) => {
  const log = new DriftLog();
  log.repair('kernel', finding('a'), 3, at(0));
  log.repair('kernel', finding('a'), 4, at(10));
  t.deepEqual(log.history.map(show), ['1 kernel - a x2']);
  t.like(log.history[0], { firstSeen: at(0).toISOString(), lastSeen: at(10).toISOString(), openMilliseconds: 4, repaired: true });
  log.repair('kernel', finding('b'), 1, at(20));
  log.repair('kernel', finding('a'), 1, at(30));
  log.repair('kernel', finding('a', 'web'), 1, at(40));
  log.repair('identity', finding('a', 'web'), 1, at(50));
  t.deepEqual(log.history.map(show), ['1 kernel - a x2', '2 kernel - b x1', '3 kernel - a x1', '4 kernel web a x1', '5 identity web a x1']);
  t.is(log.repaired, 6);
  t.deepEqual(log.open, []);
});

test('ids go on after a restart, whatever was remembered', (t) => {
  const before = new DriftLog();
  for (let index = 0; index < 12; index += 1) before.repair('kernel', finding(`${index}`), 1, at(index));
  const after = new DriftLog();
  after.restore(before.history);
  t.deepEqual(after.history, before.history);
  t.is(after.repaired, 0, 'since the daemon started');
  after.update('file', [finding('new')], at(100));
  t.is(after.open[0]?.id, '13');

  const odd = new DriftLog();
  odd.restore(before.history.slice(0, 1).map((drift) => ({ ...drift, id: 'x' })));
  odd.update('file', [finding('new')], at(100));
  t.is(odd.open[0]?.id, '1');
});

test('what is remembered is bounded, and the last is kept', (t) => {
  const log = new DriftLog();
  for (let index = 0; index < 1200; index += 1) log.repair('kernel', finding(`${index}`), 1, at(index));
  t.is(log.history.length, 500);
  t.is(log.history.at(-1)?.detail, '1199');
  t.is(log.repaired, 1200);
  const after = new DriftLog();
  after.restore([...log.history, ...log.history.map((drift) => ({ ...drift, detail: 'later' }))]);
  t.is(after.history.length, 500);
  t.true(after.history.every(({ detail }) => detail === 'later'));
});

test('what is open is what was found last of each kind, and everything is of the form it is stored in', (t) => {
  const step = fc.record({ kind: fc.constantFrom(...DRIFT_KINDS), findings: fc.uniqueArray(fc.record({ service: fc.constantFrom(null, 'web', 'db'), detail: fc.constantFrom('a', 'b') }), { selector: (one) => `${one.service} ${one.detail}` }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const log = new DriftLog();
      const last = new Map<string, string[]>();
      const names = (kind: string, findings: readonly Finding[]) => findings.map(({ service, detail }) => `${kind} ${service} ${detail}`).toSorted();
      for (const [index, { kind, findings }] of steps.entries()) {
        const before = last.get(kind) ?? [];
        const now = names(kind, findings);
        t.is(log.update(kind, findings, at(index)), before.join() !== now.join());
        last.set(kind, now);
        t.deepEqual(log.open.flatMap((drift) => names(drift.kind, [drift])).toSorted(), [...last.values()].flat().toSorted());
      }
      const all = [...log.open, ...log.history];
      t.is(new Set(all.map(({ id }) => id)).size, all.length);
      t.is(log.repaired, log.history.length);
      for (const drift of all) t.deepEqual(driftSchema.parse(drift), drift);
      t.true(log.open.every(({ repaired, openMilliseconds }) => !repaired && openMilliseconds === null));
      t.true(log.history.every(({ repaired, openMilliseconds }) => repaired && openMilliseconds !== null && openMilliseconds >= 0));
    }),
    { numRuns: 200 },
  );
});
