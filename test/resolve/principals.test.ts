import test from 'ava';
import * as fc from 'fast-check';
import type { Position, PrincipalKind } from '../../src/policy/policy.ts';
import type { IdOf, ServiceEntry } from '../../src/policy/policy-set.ts';
import { resolvePrincipals } from '../../src/resolve/principals.ts';

const at: Position = { file: '/etc/netwall.d/a.yaml', line: 1, column: 1 };

type Standing = ServiceEntry['standing'];
const entry = (standing: Standing, kind: PrincipalKind, ...ids: readonly (string | number)[]): ServiceEntry => ({
  service: ids.join('-'),
  at,
  standing,
  linked: null,
  kind,
  subjects: ids.map((id) => ({ id, at })),
  problems: [],
});

const ACCOUNTS: Readonly<Record<string, number>> = { 'user web': 1001, 'user db': 1002, 'user alias': 1001, 'user root': 0, 'group web': 2001, 'group root': 0 };
const idOf: IdOf = (kind, name) => ACCOUNTS[`${kind} ${name}`] ?? null;

/** `1001,1002 without nobody` for each service. */
const resolve = (...services: readonly ServiceEntry[]) =>
  resolvePrincipals(services, idOf).map(({ ids, missing }) => [ids.join(','), ...(missing.length > 0 ? [`without ${missing.join(',')}`] : [])].join(' '));

const CASES: readonly [what: string, services: readonly ServiceEntry[], principals: readonly string[]][] = [
  ['no services', [], []],
  ['a service that names nobody', [entry('rejected', 'user')], ['']],
  ['a name', [entry('good', 'user', 'web')], ['1001']],
  ['a group', [entry('good', 'group', 'web')], ['2001']],
  ['a number needs no account', [entry('good', 'user', 77)], ['77']],
  ['ids ascend by value', [entry('good', 'user', 'db', 9, 'web', 100_000)], ['9,1001,1002,100000']],
  ['one id by two names', [entry('good', 'user', 'alias', 'web', 1001)], ['1001']],
  ['a name without an account', [entry('good', 'user', 'web', 'nobody-yet')], ['1001 without nobody-yet']],
  ['a user is no group', [entry('good', 'group', 'db')], [' without db']],
  ['root, by a good policy', [entry('good', 'user', 'root')], ['0']],
  ['root, by a stale policy', [entry('stale', 'user', 0)], ['0']],
  ['a rejected document blocks whom it names', [entry('rejected', 'user', 'web', 77, 'nobody-yet')], ['77,1001 without nobody-yet']],
  ['a rejected document never blocks root', [entry('rejected', 'user', 'root', 'web')], ['1001']],
  ['a rejected document never blocks uid 0', [entry('rejected', 'user', 0)], ['']],
  ['a rejected document never blocks the group of root', [entry('rejected', 'group', 'root', 'web')], ['2001']],
  ['a rejected document takes nobody from a good one before it', [entry('good', 'user', 'web'), entry('rejected', 'user', 'alias', 'db')], ['1001', '1002']],
  ['a rejected document takes nobody from a good one after it', [entry('rejected', 'user', 'alias', 'db'), entry('good', 'user', 'web')], ['1002', '1001']],
  ['a rejected document takes nobody from a stale one', [entry('rejected', 'user', 1001), entry('stale', 'user', 'web')], ['', '1001']],
  ['two rejected documents share nobody: the first has them', [entry('rejected', 'user', 'web'), entry('rejected', 'user', 'web', 'db')], ['1001', '1002']],
  ['a group of the same number is another principal', [entry('good', 'user', 2001), entry('rejected', 'group', 'web')], ['2001', '2001']],
];

for (const [what, services, principals] of CASES) test(`principals: ${what}`, (t) => t.deepEqual(resolve(...services), principals));

const anyEntry = fc
  .tuple(fc.constantFrom<Standing>('good', 'stale', 'rejected'), fc.constantFrom<PrincipalKind>('user', 'group'), fc.uniqueArray(fc.constantFrom('web', 'db', 'alias', 'root', 'gone', 0, 7, 1001), { maxLength: 4 }))
  .map(([standing, kind, ids]) => entry(standing, kind, ...ids));

test('who is named is governed, root by what is in force alone, and a rejected document shares nobody', (t) => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 6 }), (services) => {
      const principals = resolvePrincipals(services, idOf);
      t.is(principals.length, services.length);
      for (const kind of ['user', 'group'] as const) {
        const all = services.map((service, index) => ({ ...service, ids: principals[index]?.ids ?? [] })).filter((service) => service.kind === kind);
        const numbers = (list: readonly ServiceEntry[]) => new Set(list.flatMap(({ subjects }) => subjects.flatMap(({ id }) => (typeof id === 'number' ? id : (idOf(kind, id) ?? [])))));
        const standing = numbers(all.filter(({ standing }) => standing !== 'rejected'));
        for (const id of numbers(all)) {
          const governing = all.filter(({ ids }) => ids.includes(id));
          if (standing.has(id)) t.false(governing.some(({ standing }) => standing === 'rejected'));
          else t.is(governing.length, id === 0 ? 0 : 1);
        }
        for (const id of standing) t.true(all.some(({ standing, ids }) => standing !== 'rejected' && ids.includes(id)));
        for (const service of all) for (const id of service.ids) t.true(numbers([service]).has(id));
      }
    }),
    { numRuns: 400 },
  );
});
