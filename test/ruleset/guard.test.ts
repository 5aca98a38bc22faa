/** The guard table as text, and as the kernel takes it. */
import test from 'ava';
import { type GuardContent, guardChanges, guardText } from '../../src/ruleset/guard.ts';
import { createNamespace } from '../kernel/namespace.ts';
import { plainIds } from './ids.ts';

const TABLE = { name: 'netwall', mark: 0x2000_0000 };
const content = (more: Partial<Record<keyof GuardContent, readonly string[]>> = {}): GuardContent => {
  const set = (name: keyof GuardContent) => new Set(more[name] ?? []);
  return { users: set('users'), groups: set('groups'), ports: set('ports'), sockets4: set('sockets4'), sockets6: set('sockets6'), admitted4: set('admitted4'), admitted6: set('admitted6'), listeners: set('listeners') };
};

const full = content({ users: ['1001', '1002'], groups: ['2001'], ports: ['5353'], sockets4: ['10.0.0.1 . 53'], sockets6: ['fe80::1 . 53'], admitted4: ['5353 . 10.0.0.0/8', '53 . 0.0.0.0/0'], admitted6: ['5353 . ::/0'], listeners: ['40000', '40001'] });

const FLUSH = 'flush chain inet netwall_guard output';
const RULES = { mark: 'meta mark & 0x20000000 != 0x0 accept', users: 'meta skuid @users goto shut', groups: 'meta skgid @groups goto shut' } as const;
const asks = (...names: readonly (keyof typeof RULES)[]) => names.map((name) => `add rule inet netwall_guard output ${RULES[name]}`);

const TURNED = ['ip daddr 127.0.0.1', 'ip6 daddr ::1'].map((place) => `add rule inet netwall_guard input iif lo ct direction original ${place} th dport @listeners ct status ! dnat counter drop`);
const INPUT = ['meta l4proto != udp accept', 'ct direction reply accept', ...['4', '6'].map((family) => `ct direction original udp dport . ip${family.replace('4', '')} saddr @admitted${family} accept`), 'ct direction original udp dport @ports counter drop', ...['4', '6'].map((family) => `ct direction original ip${family.replace('4', '')} daddr . udp dport @sockets${family} counter drop`)].map((rule) => `add rule inet netwall_guard input ${rule}`);

const CHANGES: readonly [what: string, before: GuardContent, after: GuardContent, lines: readonly string[]][] = [
  ['nothing', full, full, []],
  ['one more', content({ users: ['2'] }), content({ users: ['1', '2'] }), ['add element inet netwall_guard users { 1 }']],
  ['the first group is asked for', content({ users: ['1'] }), content({ users: ['1'], groups: ['2'] }), [FLUSH, ...asks('mark', 'users', 'groups'), 'add element inet netwall_guard groups { 2 }']],
  ['and when the last has gone, no more', content({ users: ['1'], groups: ['2'] }), content({ users: ['1'] }), [FLUSH, ...asks('mark', 'users'), 'delete element inet netwall_guard groups { 2 }']],
  ['one less', content({ groups: ['1', '2'] }), content({ groups: ['2'] }), ['delete element inet netwall_guard groups { 1 }']],
  ['others', content({ ports: ['1', '2'] }), content({ ports: ['2', '3', '4'] }), ['delete element inet netwall_guard ports { 1 }', 'add element inet netwall_guard ports { 3, 4 }']],
  ['the first listener', content(), content({ listeners: ['40000'] }), ['flush chain inet netwall_guard input', ...TURNED, ...INPUT, 'add element inet netwall_guard listeners { 40000 }']],
  ['one more listener', content({ listeners: ['40000'] }), content({ listeners: ['40000', '40001'] }), ['add element inet netwall_guard listeners { 40001 }']],
  ['a key of an interval set is deleted as a range', content({ admitted4: ['53 . 10.0.0.1'] }), content(), ['delete element inet netwall_guard admitted4 { 53-53 . 10.0.0.1 }']],
];
for (const [what, before, after, lines] of CHANGES) {
  test(`changes: ${what}`, (t) => t.is(plainIds(guardChanges(TABLE, TABLE.mark, before, after)), lines.map((line) => `${line}\n`).join('')));
}

test('the kernel takes it, and every change from one state to another', async (t) => {
  const namespace = await createNamespace();
  t.teardown(() => namespace.remove());
  // nobody lives on to own it here
  await namespace.apply(guardText(TABLE, TABLE.mark, full).replace('\tflags owner\n', ''));
  await namespace.apply(guardChanges(TABLE, TABLE.mark, full, content({ users: ['1002'], admitted4: ['53 . 0.0.0.0/0'] })));
  const listing = await namespace.nft('list', 'table', 'inet', 'netwall_guard');
  t.false(listing.includes('@groups'));
  t.deepEqual([...listing.matchAll(/elements = \{ (.*) \}/g)].map(([, elements]) => elements), ['1002', '53 . 0.0.0.0/0']);
});
