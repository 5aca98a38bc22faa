import test from 'ava';
import { type Element, elementComment, elementId, sameElement, timeoutAt, withEnd } from '../../src/ruleset/element.ts';
import { readElements } from '../../src/ruleset/listing.ts';
import { elementText, transactionText } from '../../src/ruleset/transaction.ts';
import { skeletonText } from '../../src/ruleset/skeleton.ts';
import { createNamespace } from '../kernel/namespace.ts';

const TABLE = { name: 'netwall', mark: 0x2000_0000 };
const element: Element = { set: 'user_egress4', key: '1001 . 192.0.2.1 . tcp . 443', mode: null, timeout: 60, comment: 'api.github.com' };

test('an element is identified by its set and key', (t) => {
  t.is(elementId(element), 'user_egress4 1001 . 192.0.2.1 . tcp . 443');
  t.not(elementId(element), elementId({ ...element, set: 'group_egress4' }));
});

const SAME: readonly [what: string, other: Partial<Element>, same: boolean][] = [
  ['nothing', {}, true],
  ['the comment', { comment: 'other' }, true],
  ['how much time it is given', { timeout: 3600 }, true],
  ['whether it ever runs out', { timeout: null }, false],
  ['when it ends', { until: 5000 }, false],
  ['the mode', { mode: 'audit' }, false],
  ['the key', { key: '1001 . 192.0.2.1 . tcp . 444' }, false],
  ['the set', { set: 'user_egress_net4' }, false],
];
for (const [what, other, same] of SAME) {
  test(`elements that differ in ${what} are ${same ? '' : 'not '}the same`, (t) => {
    t.is(sameElement(element, { ...element, ...other }), same);
    t.is(sameElement({ ...element, ...other }, element), same);
  });
}

/** Comments hold what administrators and DNS say; nft has no escape for a quote. */
const COMMENTS: readonly [text: string, comment: string][] = [
  ['api.github.com', 'api.github.com'],
  ['webapp.yaml 10.0.0.0/8', 'webapp.yaml 10.0.0.0/8'],
  ['', ''],
  ['a"b', 'a?b'],
  ['" } ; flush ruleset ; add table x {', '? } ; flush ruleset ; add table x {'],
  ['back\\slash', 'back?slash'],
  ['new\nline\tand\0nul\x7f', 'new?line?and?nul?'],
  ['Müller', 'M?ller'],
  ['$variable @set * # no comment', '$variable @set * # no comment'],
  ['x'.repeat(300), 'x'.repeat(120)],
  ['ü'.repeat(300), '?'.repeat(120)],
];
for (const [text, comment] of COMMENTS) {
  test(`${JSON.stringify(text.slice(0, 40))} as a comment`, (t) => t.is(elementComment(text), comment));
}

test('the kernel keeps every comment as it was said, and takes nothing in it for a command', async (t) => {
  const namespace = await createNamespace();
  t.teardown(() => namespace.remove());
  const elements = COMMENTS.map(([text], port) => ({ ...element, key: `1001 . 192.0.2.1 . tcp . ${port}`, comment: elementComment(text) || null }));
  await namespace.apply(skeletonText(TABLE) + transactionText(TABLE, [{ do: 'add', elements }]));
  const listed = readElements(JSON.parse(await namespace.nft('-n', '-j', 'list', 'set', 'inet', 'netwall', 'user_egress4')));
  const comments = (list: readonly Element[]) => new Map(list.map(({ key, comment }) => [key, comment]));
  t.deepEqual(comments(listed), comments(elements));
});

test('an element as nft reads it', (t) => {
  t.is(elementText(element), '"\t1001" . 192.0.2.1 . tcp . 443 timeout 60s comment "api.github.com"');
  t.is(elementText({ ...element, timeout: null, comment: null }), '"\t1001" . 192.0.2.1 . tcp . 443');
  t.is(elementText({ set: 'user_mode', key: '1001', mode: 'enforce', timeout: null, comment: null }), '"\t1001" : goto user_enforce');
  t.is(
    elementText({ set: 'group_mode', key: '27', mode: 'hold', timeout: null, comment: null }, { packets: 3, bytes: 180 }),
    '"\t27" counter packets 3 bytes 180 : goto group_hold',
  );
});

const ENDS: readonly [what: string, element: Partial<Element>, now: number, timeout: number | null][] = [
  ['stays', {}, 0, null],
  ['timed', { timeout: 60 }, 1e9, 60],
  ['ends before its timeout', { timeout: 60, until: 50_000 }, 20_000, 30],
  ['ends after its timeout', { timeout: 60, until: 500_000 }, 20_000, 60],
  ['a part of a second counts', { timeout: 60, until: 20_001 }, 20_000, 1],
  ['over already: nft takes no nought for "at once"', { timeout: 60, until: 10_000 }, 20_000, 1],
];
for (const [what, changes, now, timeout] of ENDS) {
  test(`the timeout to give: ${what}`, (t) => t.is(timeoutAt({ ...element, timeout: null, ...changes }, now), timeout));
}

const KEPT: readonly [what: string, expires: number | null, until: number | undefined][] = [
  ['runs out in time', 30, 50_000],
  ['a little late, as a large transaction takes time', 34, 50_000],
  ['much too late: somebody else added it', 36, undefined],
  ['never: somebody else added it', null, undefined],
];
for (const [what, expires, until] of KEPT) {
  test(`an element with an end, as it is in the kernel: ${what}`, (t) => {
    const observed = { ...element, timeout: 60, expires, counter: null };
    t.is(withEnd(observed, { ...element, timeout: 60, until: 50_000 }, 20_000).until, until);
    t.is(withEnd(observed, undefined, 20_000), observed);
  });
}
