/** Whether the rules in the kernel are the ones that were written, whatever words nft has for them. */
import test from 'ava';
import { ALL_PARTS, skeletonText } from '../../src/ruleset/skeleton.ts';
import { partsIn, WrittenSkeleton } from '../../src/ruleset/written-skeleton.ts';

const TABLE = { name: 'netwall', mark: 0x2000_0000 };
const FEW = { groups: false, dns: false };
/** As another nft might print it. */
const inOtherWords = (text: string) => text.replaceAll('meta l4proto tcp', 'meta l4proto 6').replaceAll('th dport 53', 'th dport domain').replaceAll('ct direction reply', 'ct direction 1');
const printed = (parts = ALL_PARTS) => inOtherWords(skeletonText(TABLE, parts));

const written = (parts = ALL_PARTS) => {
  const skeleton = new WrittenSkeleton(TABLE);
  skeleton.wrote(parts, true);
  return skeleton;
};

test('rules with one more, one less or another are not the same', (t) => {
  const text = skeletonText(TABLE);
  const skeleton = written();
  t.true(skeleton.matches(text));
  const lines = text.split('\n');
  for (const index of lines.keys()) {
    const line = lines[index] ?? '';
    if (line.trim() === '' || /^\t?\}$/.test(line)) continue;
    const less = lines.toSpliced(index, 1).join('\n');
    t.false(skeleton.matches(less), `without ${line}`);
    t.is(partsIn(TABLE, lines.toSpliced(index, 0, line).join('\n')), null, `${line} twice`);
  }
});

test('in which order chains come is no matter', (t) => {
  const [head = '', ...blocks] = skeletonText(TABLE).slice(0, -3).split('\n\n');
  t.true(written().matches(`${[head, ...blocks.toReversed()].join('\n\n')}\n}\n`));
});

test('what an earlier run left is taken over, unless something is known already', (t) => {
  const skeleton = new WrittenSkeleton(TABLE);
  skeleton.adopt(skeletonText(TABLE, FEW));
  t.deepEqual(skeleton.parts, FEW);
  skeleton.adopt(skeletonText(TABLE));
  t.deepEqual(skeleton.parts, FEW);
  const strange = new WrittenSkeleton(TABLE);
  strange.adopt(printed());
  t.deepEqual(strange.parts, ALL_PARTS);
  t.false(strange.matches(printed()), 'nobody has seen it being written');
});

test('other words for what was written are learnt, and hold from then on', (t) => {
  const skeleton = written();
  t.false(skeleton.matches(printed()));
  t.true(skeleton.learn(printed()));
  t.true(skeleton.matches(printed()));
  t.false(skeleton.matches(skeletonText(TABLE)), 'this nft would not say it like that');
  t.false(skeleton.matches(printed().replace('ct direction 1 goto user_answer', 'accept')));
  skeleton.wrote(FEW, false);
  t.true(skeleton.learn(printed(FEW)));
  t.true(skeleton.matches(printed(FEW)));
  t.false(skeleton.matches(printed()));
});

test('with a part that comes only its own words are learnt', (t) => {
  const skeleton = written(FEW);
  t.true(skeleton.learn(printed(FEW)));
  skeleton.wrote(ALL_PARTS, false);
  t.false(skeleton.matches(printed()), 'the words of the new chains are not known');
  const opened = printed().replace('goto refuse', 'accept');
  t.false(skeleton.learn(opened), 'a chain that was there has changed');
  t.false(skeleton.matches(opened));
  t.false(skeleton.learn(printed().replace('\tchain output {', '\tchain more {\n\t}\n\n\tchain output {')), 'a chain of somebody else');
  t.false(skeleton.learn(printed().replace(/\tchain dns \{[^]*?\n\t\}\n\n/, '')), 'a chain is missing');
  t.true(skeleton.learn(printed()));
  t.true(skeleton.matches(printed()));
});

test('a table that is built anew brings its words with it', (t) => {
  const skeleton = written();
  skeleton.learn(printed());
  t.false(skeleton.plain);
  skeleton.wrote(ALL_PARTS, true);
  t.true(skeleton.plain);
  t.true(skeleton.matches(skeletonText(TABLE)));
});

test('says the first line that differs', (t) => {
  const skeleton = written();
  t.is(skeleton.difference(skeletonText(TABLE).replace('\t\tgoto user_egress6\n', '\t\taccept\n')), '"accept" where "goto user_egress6" belongs');
  t.is(skeleton.difference(skeletonText(TABLE).replace('\t\tgoto user_egress6\n', '')), '"}" where "goto user_egress6" belongs');
  t.is(skeleton.difference(skeletonText(TABLE).replace(/\tset user_refused \{[^}]*\}\n\n/, '')), '"set user_refused" is missing');
  t.is(skeleton.difference(skeletonText(TABLE).replace('\tchain output {', '\tchain more {\n\t}\n\n\tchain output {')), '"chain more" does not belong there');
});
