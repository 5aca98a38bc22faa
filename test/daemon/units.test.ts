import test from 'ava';
import { type GovernedService, unitFindings } from '../../src/daemon/units.ts';

const at = { file: 'webapp.yaml', line: 2, column: 3 };
const webapp: GovernedService = { entry: { service: 'webapp', kind: 'user', subjects: [{ id: 'webapp', at }] }, principals: { ids: [1001] } };
const uids: Readonly<Record<string, number>> = { root: 0, webapp: 1001, alias: 1001, worker: 1002 };
const look = (user: string | null, before: readonly string[] = [], service = webapp) =>
  unitFindings([service], new Map([['webapp', { unit: 'webapp.service', user }]]), async (name) => uids[name] ?? null, new Set(before));

const governed: readonly (readonly [what: string, user: string])[] = [
  ['the name that the policy has', 'webapp'],
  ['its number', '1001'],
  ['another name of the same number', 'alias'],
];
for (const [what, user] of governed) {
  test(`a unit that runs as the governed user: ${what}`, async (t) => t.deepEqual(await look(user), { findings: [], matched: new Set(['webapp']) }));
}

test('a unit that runs as another user', async (t) => {
  for (const user of ['worker', '1002', 'nobody-knows']) {
    const { findings, matched } = await look(user);
    t.deepEqual(findings, [{ service: 'webapp', detail: `webapp.service runs as ${user}, whom this policy does not govern (it governs webapp)` }]);
    t.is(matched.size, 0);
  }
});

test('a unit that names no user may hand the work to the governed one', async (t) => t.deepEqual(await look(null), { findings: [], matched: new Set() }));

test('a unit that no longer names the governed user, for as long as it does not', async (t) => {
  const { findings, matched } = await look(null, ['webapp']);
  t.deepEqual(findings, [{ service: 'webapp', detail: 'webapp.service runs as root, whom this policy does not govern (it governs webapp)' }]);
  t.deepEqual(await look(null, [...matched]), { findings, matched });
  t.deepEqual((await look('webapp', [...matched])).findings, []);
});

test('a policy of root, a group, a service without a unit', async (t) => {
  t.deepEqual((await look(null, ['webapp'], { ...webapp, principals: { ids: [0] } })).findings, []);
  t.deepEqual((await look('worker', [], { ...webapp, entry: { ...webapp.entry, kind: 'group' } })).findings, []);
  t.deepEqual((await unitFindings([webapp], new Map(), async () => null, new Set(['webapp']))).findings, []);
});
