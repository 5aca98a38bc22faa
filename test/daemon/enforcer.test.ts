/** Grants of DNS answers and runs of the reconciler, against a kernel that is a list of what nft was told. */
import test from 'ava';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { Enforcer } from '../../src/daemon/enforcer.ts';
import { HostError } from '../../src/host/host-error.ts';
import type { Nft } from '../../src/host/nft.ts';
import { gateElements, type PrincipalRuleset } from '../../src/ruleset/compile.ts';
import type { Element } from '../../src/ruleset/element.ts';
import { ALL_PARTS, skeletonText } from '../../src/ruleset/skeleton.ts';
import { plainIds } from '../ruleset/ids.ts';

const RUNS = 500;
const TABLE = { name: 'netwall', mark: 0x2000_0000 };

const element = (last: number, set = 'user_egress4'): Element => ({ set, key: `1001 . 45.64.7.${last} . tcp . 443`, mode: null, timeout: 600, comment: null });
const ruleset = (...lasts: number[]): PrincipalRuleset => ({ principal: 'user 1001', service: 'webapp', gate: gateElements('user', 1001, 'enforce'), elements: lasts.map((last) => element(last)) });
const wanted = (...elements: Element[]) => new Map([['user 1001', elements]]);

/** Elements as the kernel would list them. */
function fakeNft() {
  const scripts: string[] = [];
  let parts = ALL_PARTS;
  const held = new Map<string, { readonly set: string; readonly key: string }>();
  let pace: (() => Promise<void>) | null = null;
  let refusing = false;
  let plainOnly = false;
  let refusedText: string | null = null;
  let words = (text: string): string => text;
  const nft: Nft = {
    pid: 1,
    async apply(text) {
      await pace?.();
      const script = plainIds(text);
      if (refusing || (refusedText !== null && script.includes(refusedText)) || (plainOnly && script.startsWith('add set'))) throw new HostError('nft apply', 'refused', { refused: true });
      scripts.push(script);
      const written = script.split('table inet netwall {\n').at(-1);
      if (written !== undefined && written !== script) parts = { groups: written.includes('@group_mode\n'), dns: written.includes('chain dns {') };
      for (const [, verb, set = '', body = ''] of script.matchAll(/^(add|delete) (?:element|set) inet netwall (\S+) \{ (?:typeof .*; elements = \{ )?(.*?) \}(?:; \})?$/gm)) {
        for (const part of body.split(', ')) {
          const key = part.replace(/ (?:timeout|comment|counter|:).*$/, '');
          if (verb === 'add') held.set(`${set} ${key}`, { set, key });
          else held.delete(`${set} ${key}`);
        }
      }
    },
    listSkeleton: async () => words(skeletonText(TABLE, parts)),
    async listTable() {
      const sets = Map.groupBy(held.values(), ({ set }) => set);
      const value = (key: string) => (key.includes(' . ') ? { concat: key.split(' . ').map((part) => (part === 'tcp' ? 6 : /^\d+$/.test(part) ? Number(part) : part)) } : Number(key));
      return {
        nftables: [...sets].map(([name, elements]) =>
          name.endsWith('_mode')
            ? { map: { name, elem: elements.map(({ key }) => [value(key), { goto: { target: 'user_enforce' } }]) } }
            : { set: { name, elem: elements.map(({ key }) => ({ elem: { val: value(key), ...(key.includes(' . ') ? { timeout: 600, expires: 599 } : {}) } })) } },
        ),
      };
    },
    listSet: async () => ({ nftables: [] }),
    countElement: async () => null,
    listSetText: async () => null,
    renewsTimeouts: async () => true,
    printed: async (text) => words(plainIds(text('other'))),
    listRuleset: async () => ({ nftables: [] }),
    close() {},
  };
  return {
    nft,
    scripts,
    keys: () => [...held.keys()].filter((id) => id.startsWith('user_egress')).map((id) => Number(/\.(\d+) \. tcp/.exec(id)?.[1])).toSorted((a, b) => a - b),
    lose: (last: number) => held.delete(`user_egress4 ${element(last).key}`),
    slow: (milliseconds: number) => (pace = () => new Promise((resolve) => setTimeout(resolve, milliseconds))),
    parts: () => parts,
    print: (how: (text: string) => string) => (words = how),
    refuse: (value: boolean) => (refusing = value),
    /** Every script that says so. */
    refuseText: (text: string) => (refusedText = text),
    /** Elements are only taken by themselves. */
    takePlainOnly: () => (plainOnly = true),
  };
}

async function start(...lasts: number[]) {
  const kernel = fakeNft();
  const enforcer = new Enforcer({ nft: kernel.nft, guard: { release: async () => {}, hold: () => {}, drop: async () => {} }, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  const apply = (rules: PrincipalRuleset, since = enforcer.grantSequence) => enforcer.apply([rules], { drains: new Map(), oneByOne: false, since });
  await enforcer.observe([]);
  await apply(ruleset(...lasts));
  kernel.scripts.length = 0;
  return { ...kernel, enforcer, apply };
}

test('the first look may begin before it is known what is desired, and serves once', async (t) => {
  const kernel = fakeNft();
  let looks = 0;
  let failing = false;
  const listTable = async () => {
    looks += 1;
    if (failing) throw new HostError('nft list', 'cannot be read');
    return kernel.nft.listTable();
  };
  const enforcer = new Enforcer({ nft: { ...kernel.nft, listTable }, guard: { release: async () => {}, hold: () => {}, drop: async () => {} }, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  const apply = () => enforcer.apply([ruleset(1)], { drains: new Map(), oneByOne: false, since: 0 });
  enforcer.lookAhead();
  await enforcer.observe([]);
  t.is(looks, 1);
  await apply();
  t.deepEqual(kernel.keys(), [1]);
  await enforcer.observe([ruleset(1)]);
  t.is(looks, 2);
  // what was changed since is not what was seen
  enforcer.lookAhead();
  await enforcer.apply([ruleset(1, 2)], { drains: new Map(), oneByOne: false, since: 0 });
  t.deepEqual((await enforcer.observe([ruleset(1, 2)])).deviations, []);
  t.is(looks, 4);
  failing = true;
  enforcer.lookAhead();
  await t.throwsAsync(enforcer.observe([ruleset(1, 2)]), { instanceOf: HostError });
  failing = false;
  t.deepEqual((await enforcer.observe([ruleset(1, 2)])).deviations, []);
});

const OF_A_GROUP: PrincipalRuleset = { principal: 'group 7', service: 'builders', gate: gateElements('group', 7, 'enforce'), elements: [{ set: 'group_dns_port', key: '7', mode: null, port: 40_000, timeout: null, comment: null }] };

test('what only some policies need is there before their elements, and goes after them', async (t) => {
  const { enforcer, scripts, parts } = await start(1);
  const options = { drains: new Map(), oneByOne: false, since: 0 };
  t.deepEqual(parts(), { groups: false, dns: false });
  await enforcer.apply([ruleset(1), OF_A_GROUP], options);
  t.deepEqual(parts(), { groups: true, dns: true });
  t.deepEqual(scripts.map((script) => [script.includes('vmap @group_mode'), script.includes('add element inet netwall group_mode')]), [[true, false], [false, true]]);
  t.false((await enforcer.observe([ruleset(1), OF_A_GROUP])).deviations.some((words) => words.startsWith('the rules')));
  scripts.length = 0;
  await enforcer.apply([ruleset(1)], options);
  t.deepEqual(parts(), { groups: false, dns: false });
  t.deepEqual(scripts.map((script) => [script.includes('flush chain'), script.includes('delete element inet netwall group_mode')]), [[false, true], [true, false]]);
  t.deepEqual((await enforcer.observe([ruleset(1)])).deviations, []);
});

test('where somebody has changed what the rules rest on, the table is built anew', async (t) => {
  const { enforcer, refuseText, keys, parts, scripts } = await start(1);
  refuseText('flush chain');
  t.true((await enforcer.apply([ruleset(1), OF_A_GROUP], { drains: new Map(), oneByOne: false, since: 0 })).rebuilt);
  t.deepEqual(parts(), { groups: true, dns: true });
  t.is(scripts.length, 1);
  t.deepEqual(keys(), [1]);
});

test('an nft with words of its own: they are learnt from a table of our own, never from the one that others change', async (t) => {
  const kernel = fakeNft();
  const enforcer = new Enforcer({ nft: kernel.nft, guard: { release: async () => {}, hold: () => {}, drop: async () => {} }, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  const apply = (...rulesets: PrincipalRuleset[]) => enforcer.apply(rulesets, { drains: new Map(), oneByOne: false, since: 0 });
  const changed = async (...rulesets: PrincipalRuleset[]) => (await enforcer.observe(rulesets)).deviations.filter((words) => words.startsWith('the rules'));
  const own = (text: string) => text.replaceAll('ct direction reply', 'ct direction 1').replaceAll('priority -100', 'priority dstnat');
  kernel.print(own);
  await kernel.nft.apply(skeletonText(TABLE));
  t.deepEqual(await changed(), [], 'what an earlier run wrote is known again');
  t.false((await apply(ruleset(1))).rebuilt);
  t.deepEqual(kernel.parts(), { groups: false, dns: false });
  await apply(ruleset(1), OF_A_GROUP);
  t.deepEqual(await changed(ruleset(1), OF_A_GROUP), []);
  // just after a rebuild
  kernel.print((text) => own(text).replace(/(table inet netwall[^]*)goto refuse/, '$1accept'));
  enforcer.lose();
  t.true((await apply(ruleset(1))).rebuilt);
  t.regex((await changed(ruleset(1))).join(), /^the rules were changed: "accept" where "goto refuse" belongs/);
});

test('the guard lets go of who leaves while the table is lost', async (t) => {
  const kernel = fakeNft();
  const kept: unknown[] = [];
  const guard = { release: async (remaining: unknown) => void kept.push(remaining), hold: () => {}, drop: async () => {} };
  const enforcer = new Enforcer({ nft: kernel.nft, guard, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  const options = { drains: new Map(), oneByOne: false, since: 0 };
  await enforcer.observe([]);
  await enforcer.apply([ruleset(1)], options);
  enforcer.lose();
  await enforcer.apply([OF_A_GROUP], options);
  t.deepEqual(kept.at(-1), { users: new Set(), groups: new Set(['7']) });
});

test('an element that was replaced is put back', async (t) => {
  const { enforcer, scripts } = await start(1);
  t.deepEqual(await enforcer.mend([{ what: 'delete', set: 'user_mode', key: '1001' }, { what: 'add', set: 'user_mode', key: '1001' }]), ['changed element user_mode { 1001 }']);
  t.regex(scripts.join(''), /^delete element inet netwall user_mode \{ 1001 \}\nadd element inet netwall user_mode \{ 1001 : goto user_enforce \}\n$/);
});

test('a foreign element that a run has taken away already', async (t) => {
  const { enforcer, scripts } = await start(1);
  await enforcer.mend([{ what: 'add', set: 'user_egress4', key: element(9).key }, { what: 'add', set: 'user_mode', key: '1009' }]);
  // "delete" alone would be refused if it were not there; a map's element cannot be added without its verdict
  t.regex(scripts.join(''), /^add element inet netwall user_egress4 \{ 1001 . 45.64.7.9 . tcp . 443 \}\ndelete element inet netwall user_egress4 \{ 1001 . 45.64.7.9 . tcp . 443 \}\ndelete element inet netwall user_mode \{ 1009 \}\n$/);
});

test('where nft refuses a ruleset of a table that is built anew, nobody passes before his turn', async (t) => {
  const kernel = fakeNft();
  const enforcer = new Enforcer({ nft: kernel.nft, guard: { release: async () => {}, hold: () => {}, drop: async () => {} }, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  const other: PrincipalRuleset = { ...ruleset(2), principal: 'user 1002', gate: gateElements('user', 1002, 'enforce'), elements: [{ ...element(2), key: '1002 . 45.64.7.2 . tcp . 443' }] };
  enforcer.lose();
  kernel.refuseText('1002 . 45.64.7.2');
  t.true((await enforcer.apply([ruleset(1), other], { drains: new Map(), oneByOne: true, since: 0 })).rebuilt);
  t.regex(kernel.scripts[0] ?? '', /delete table inet netwall[^]*add element inet netwall user_mode \{ 1001 : goto user_hold, 1002 : goto user_hold \}/);
  t.regex(kernel.scripts.at(-1) ?? '', /1002 : goto user_block/);
  t.deepEqual([...enforcer.failed.keys()], ['webapp']);
  t.deepEqual(kernel.keys(), [1]);
});

test('where taking a part away shows that the table is another, it is built anew at once', async (t) => {
  const { enforcer, refuseText, keys } = await start(1);
  const options = { drains: new Map(), oneByOne: false, since: 0 };
  await enforcer.apply([ruleset(1), OF_A_GROUP], options);
  refuseText('flush chain');
  t.true((await enforcer.apply([ruleset(1)], options)).rebuilt);
  t.deepEqual(enforcer.pending([ruleset(1)]), []);
  t.deepEqual(keys(), [1]);
});

test('what an earlier run left is taken as it is, and what nobody needs of it goes', async (t) => {
  const kernel = fakeNft();
  const enforcer = new Enforcer({ nft: kernel.nft, guard: { release: async () => {}, hold: () => {}, drop: async () => {} }, table: TABLE, log: pino({ level: 'silent' }), generation: 0 });
  await kernel.nft.apply(skeletonText(TABLE, { groups: false, dns: true }));
  t.deepEqual((await enforcer.observe([])).deviations, []);
  t.is(kernel.scripts.length, 1);
  await enforcer.apply([ruleset(1)], { drains: new Map(), oneByOne: false, since: 0 });
  t.deepEqual(kernel.parts(), { groups: false, dns: false });
  // a part that somebody removed is missed
  await enforcer.apply([ruleset(1), OF_A_GROUP], { drains: new Map(), oneByOne: false, since: 0 });
  await kernel.nft.apply(skeletonText(TABLE, { groups: false, dns: true }));
  t.regex((await enforcer.observe([ruleset(1), OF_A_GROUP])).deviations[0] ?? '', /^the rules were changed: /);
  t.deepEqual(kernel.parts(), { groups: true, dns: true });
});

test('whom the kernel governs and who is not desired would be released', async (t) => {
  const { enforcer, print, refuse } = await start(1);
  t.is(enforcer.released([])?.length, 1);
  t.deepEqual(enforcer.released([ruleset(2)]), []);
  refuse(true);
  print((text) => (text.includes('inet other') ? text : text.replace('policy accept', 'policy drop')));
  await enforcer.observe([ruleset(1)]);
  t.is(enforcer.released([ruleset(1)]), null, 'nobody knows whom such a table governs');
});

test('who waits for grants waits for those under way, also where nft refuses them, and for no others', async (t) => {
  const { enforcer, slow, refuse } = await start(1);
  await enforcer.granted();
  slow(30);
  for (const refused of [false, true]) {
    refuse(refused);
    let open = true;
    const granting = enforcer.grant(wanted(element(2), element(3 + Number(refused)))).catch(() => false).finally(() => (open = false));
    await enforcer.granted();
    t.false(open);
    t.is(await granting, !refused);
  }
});

test('a grant is one transaction, and none where all is there', async (t) => {
  const { enforcer, scripts, keys } = await start(1);
  t.true(await enforcer.grant(wanted(element(1))));
  t.is(scripts.length, 0);
  t.true(await enforcer.grant(wanted(element(2), element(3))));
  t.true(await enforcer.grant(wanted(element(2))));
  t.is(scripts.length, 1);
  t.deepEqual(keys(), [1, 2, 3]);
});

test('grants that come while one is under way are one transaction together', async (t) => {
  const { enforcer, scripts, slow, keys } = await start();
  slow(20);
  t.true((await Promise.all(Array.from({ length: 50 }, (_, index) => enforcer.grant(wanted(element(index)))))).every(Boolean));
  t.true(scripts.length <= 2, `${scripts.length} transactions`);
  t.is(keys().length, 50);
});

test('who is not in the kernel yet, and ranges of ports, take a run of the reconciler', async (t) => {
  const { enforcer } = await start();
  t.false(await enforcer.grant(new Map([['user 1002', [element(1)]]])));
  t.false(await enforcer.grant(wanted(element(1, 'user_egress_net4'))));
});

test('nft refuses: the grant does, and the next one is tried', async (t) => {
  const { enforcer, refuse, keys } = await start();
  refuse(true);
  await t.throwsAsync(enforcer.grant(wanted(element(1))), { instanceOf: HostError });
  refuse(false);
  t.true(await enforcer.grant(wanted(element(1))));
  t.deepEqual(keys(), [1]);
});

test('what was granted after a ruleset was compiled survives its application', async (t) => {
  const { enforcer, apply, keys } = await start(1);
  const since = enforcer.grantSequence;
  await enforcer.grant(wanted(element(2)));
  await apply(ruleset(1, 3), since);
  t.deepEqual(keys(), [1, 2, 3]);
  // the next ruleset knows of it, or takes it away
  await apply(ruleset(1));
  t.deepEqual(keys(), [1]);
});

test('what is granted while a ruleset is applied survives as well', async (t) => {
  const { enforcer, apply, slow, keys } = await start(1);
  slow(20);
  const applied = apply(ruleset(1, 3));
  t.true(await enforcer.grant(wanted(element(2))));
  await applied;
  t.deepEqual(keys(), [1, 2, 3]);
});

test('what a running application takes away is not there: it is granted anew afterwards', async (t) => {
  const { enforcer, apply, slow, keys } = await start(1, 2);
  slow(20);
  const applied = apply(ruleset(1));
  t.true(await enforcer.grant(wanted(element(2))));
  await applied;
  t.deepEqual(keys(), [1, 2]);
});

test('where the fast form is refused, the plain one is tried, and from then on at once', async (t) => {
  const { enforcer, scripts, takePlainOnly, keys } = await start(1);
  takePlainOnly();
  t.true(await enforcer.grant(wanted(element(2))));
  t.true(await enforcer.grant(wanted(element(3))));
  t.deepEqual(keys(), [1, 2, 3]);
  t.true(scripts.slice(-2).every((script) => script.startsWith('add element')));
});

test('a refusal of both forms is told, and the fast one is tried again', async (t) => {
  const { enforcer, scripts, refuse, keys } = await start(1);
  refuse(true);
  await t.throwsAsync(enforcer.grant(wanted(element(2))), { instanceOf: HostError });
  refuse(false);
  t.true(await enforcer.grant(wanted(element(3))));
  t.deepEqual(keys(), [1, 3]);
  t.true(scripts.at(-1)?.startsWith('add set inet netwall user_egress4 {'));
});

test('an observation takes no grant for foreign, and one that is gone for gone', async (t) => {
  const { enforcer, lose, keys } = await start(1);
  await enforcer.grant(wanted(element(2), element(3)));
  t.deepEqual((await enforcer.observe([ruleset(1)])).deviations, []);
  lose(3);
  t.is((await enforcer.observe([ruleset(1)])).deviations.length, 1);
  t.true(await enforcer.grant(wanted(element(3))));
  t.deepEqual(keys(), [1, 2, 3]);
});

test('the epoch moves when anything may have left, and not with a grant', async (t) => {
  const { enforcer, apply } = await start(1);
  const { epoch } = enforcer;
  await enforcer.grant(wanted(element(2)));
  t.is(enforcer.epoch, epoch);
  await apply(ruleset(1));
  t.not(enforcer.epoch, epoch);
});

test('a run that finds all of it in place takes it away again when the policy changes', async (t) => {
  const { enforcer, apply, keys } = await start(1);
  await enforcer.grant(wanted(element(2)));
  // the ruleset now accounts for what was granted, and nothing is to be done
  t.is((await apply(ruleset(1, 2))).transactions, 0);
  await apply(ruleset(1));
  t.deepEqual(keys(), [1]);
});

const addresses = fc.option(fc.uniqueArray(fc.nat(5)), { freq: 5 });
const quiet = [
  fc.record({ do: fc.constant('grant' as const), address: fc.nat(5), waits: fc.boolean() }),
  // null: the policy goes
  fc.record({ do: fc.constant('apply' as const), addresses, waits: fc.boolean() }),
];
const anything = [...quiet, fc.record({ do: fc.constant('lose' as const), address: fc.nat(5) }), fc.constant({ do: 'observe' as const })];

/** One run at a time as the reconciler has them, and grants whenever they like; returns what the kernel holds in the end. */
async function play(steps: readonly Step[], last: readonly number[], look: boolean): Promise<readonly number[]> {
  const { enforcer, lose, slow, keys } = await start(0);
  slow(0);
  let running: Promise<unknown> = Promise.resolve();
  let desired = [ruleset(0)];
  const run = (lasts: readonly number[] | null) => {
    desired = lasts === null ? [] : [ruleset(...lasts)];
    return enforcer.apply(desired, { drains: new Map(), oneByOne: false, since: enforcer.grantSequence });
  };
  const grants: Promise<unknown>[] = [];
  for (const step of steps) {
    if (step.do === 'lose') lose(step.address);
    else if (step.do === 'observe') {
      await running;
      await enforcer.observe(desired);
    } else if (step.do === 'grant') {
      const granted = enforcer.grant(wanted(element(step.address)));
      grants.push(granted);
      if (step.waits) await granted;
    } else {
      await running;
      running = run(step.addresses);
      if (step.waits) await running;
    }
  }
  await Promise.all([running, ...grants]);
  if (look) await enforcer.observe(desired);
  await run(last);
  return keys();
}

type Step = (typeof anything)[number] extends fc.Arbitrary<infer One> ? One : never;
const endsAtTheLast = (step: readonly fc.Arbitrary<Step>[], look: boolean) =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...step), { maxLength: 14 }), fc.uniqueArray(fc.nat(5)), async (steps, last) => JSON.stringify(await play(steps, last, look)) === JSON.stringify(last.toSorted((a, b) => a - b))),
    { numRuns: RUNS },
  );

test('after any interleaving of grants and runs the kernel ends at the last ruleset', async (t) => {
  t.timeout(120_000);
  await t.notThrowsAsync(endsAtTheLast(anything, true));
});

test('… and nobody has to look at the kernel for that', async (t) => {
  t.timeout(120_000);
  await t.notThrowsAsync(endsAtTheLast(quiet, false));
});
