/** What is left for the next boot. */
import test from 'ava';
import { bootIds, bootScript as bootPieces, closedScript, isWhole } from '../../src/ruleset/boot.ts';
import { compileService } from '../../src/ruleset/compile.ts';
import { ADDRESS_TIMEOUT, confinements } from './policies.ts';
import { plainIds } from './ids.ts';

const table = { name: 'netwall', mark: null };
const rulesets = confinements(`
service: shop
match: { user: [1001, 1002] }
dns: none
egress:
  allow:
    - to: 45.64.0.0/16
      ports: [443]
---
service: watched
match: { group: 27 }
mode: audit
dns: none
`).flatMap((policy) => compileService(policy, { addressTimeout: ADDRESS_TIMEOUT }));

const bootScript = (...[of, all, audited]: Parameters<typeof bootPieces>) => [...bootPieces(of, all, audited)].join('');

const scripts = { 'boot.nft': bootScript(table, rulesets, () => false), 'closed.nft': [...closedScript(table, rulesets)].join(''), 'boot.nft of nobody': bootScript(table, [], () => false) };

for (const [title, script] of Object.entries(scripts)) {
  test(`${title} is whole, and not when cut anywhere or changed`, (t) => {
    t.true(isWhole(script));
    for (let end = 0; end < script.length; end += 1) t.false(isWhole(script.slice(0, end)), `cut at ${end}`);
    t.false(isWhole(`${script}\n`));
    t.false(isWhole(script.replace('1001', '1003').replace('policy accept', 'policy drop')));
  });
}

test('closed.nft has everybody wait, whatever their mode, and nothing else', (t) => {
  const elements = plainIds(scripts['closed.nft']).split('\n').filter((line) => line.startsWith('add element'));
  t.deepEqual(elements, [
    'add element inet netwall user_mode { 1001 : goto user_hold, 1002 : goto user_hold }',
    'add element inet netwall user_refused { 1001, 1002 }',
    'add element inet netwall group_mode { 27 : goto group_hold }',
    'add element inet netwall group_refused { 27 }',
  ]);
});

test('whom a script governs', (t) => {
  for (const script of [scripts['boot.nft'], scripts['closed.nft']]) t.deepEqual(bootIds(script), { user: new Set([1001, 1002]), group: new Set([27]) });
  t.deepEqual(bootIds(scripts['boot.nft of nobody']), { user: new Set(), group: new Set() });
});

test('… as earlier versions wrote it, with anything between', (t) => {
  const { user, group } = bootIds('table inet netwall {\n\tmap user_mode {\n\t}\n}\nadd element inet netwall user_egress4 { 7 . 1.2.3.4 . tcp . 443 }\nadd element inet netwall user_mode { 1001 : goto user_enforce, 1002 comment "a" : goto user_audit }\nadd element inet netwall user_mode { 1003 : goto user_block }\nadd element inet netwall group_mode { 5 : goto group_enforce }\n');
  t.deepEqual([[...user], [...group]], [[1001, 1002, 1003], [5]]);
});

test('the script of many is made in pieces, and is whole', (t) => {
  const many = Array.from({ length: 1201 }, () => rulesets).flat();
  t.is([...bootPieces(table, many, () => false)].length, Math.ceil(many.length / 500) + 1);
  t.true(isWhole(bootScript(table, many, () => false)));
  t.is(bootScript(table, many, () => false).match(/45\.64\.0\.0\/16/g)?.length, bootScript(table, rulesets, () => false).split('45.64.0.0/16').length * 1201 - 1201);
});

test('what ends at a time is not in boot.nft', (t) => {
  const brief = rulesets.map((ruleset) => ({ ...ruleset, elements: ruleset.elements.map((element) => ({ ...element, until: 5 })) }));
  t.regex(scripts['boot.nft'], /45\.64\.0\.0/);
  t.notRegex(bootScript(table, brief, () => false), /45\.64\.0\.0/);
});

test('a service that is only watched for now is enforced after a boot, one whose policy says so is watched', (t) => {
  const watched = rulesets.map((ruleset) => ({ ...ruleset, gate: ruleset.gate.map((element) => (element.mode === null ? element : { ...element, mode: 'audit' as const })) }));
  t.notRegex(bootScript(table, watched, () => false), /: goto \w+_audit/);
  t.regex(bootScript(table, watched, () => true), /: goto \w+_audit/);
});
