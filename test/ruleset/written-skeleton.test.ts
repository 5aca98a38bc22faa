/** Whether the rules in the kernel are the ones that were written, whatever words nft has for them. */
import test from 'ava';
import { ALL_PARTS, skeletonText } from '../../src/ruleset/skeleton.ts';
import { PARTS_TO_LEARN, WrittenSkeleton } from '../../src/ruleset/written-skeleton.ts';

const TABLE = { name: 'netwall', mark: 0x2000_0000 };
const FEW = { groups: false, dns: false };
/** As another nft might print it. */
const inOtherWords = (text: string) => text.replaceAll('meta l4proto tcp', 'meta l4proto 6').replaceAll('priority -100', 'priority dstnat').replaceAll('ct direction reply', 'ct direction 1');
const printed = (parts = ALL_PARTS) => inOtherWords(skeletonText(TABLE, parts));

const written = (parts = ALL_PARTS) => {
  const skeleton = new WrittenSkeleton(TABLE);
  skeleton.wrote(parts);
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
    t.is(skeleton.partsIn(lines.toSpliced(index, 0, line).join('\n')), null, `${line} twice`);
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
});

/** What is asked of this nft: a table of our own, under another name. */
const learn = (skeleton: WrittenSkeleton) => {
  for (const parts of PARTS_TO_LEARN) skeleton.learn(parts, inOtherWords(skeletonText({ ...TABLE, name: 'other' }, parts)).replace('{\n', '{ # progname nft\n\tflags owner\n\n'));
};

test('words that were learnt hold for all parts', (t) => {
  for (const parts of [ALL_PARTS, FEW, { groups: true, dns: false }, { groups: false, dns: true }]) {
    const skeleton = new WrittenSkeleton(TABLE);
    skeleton.adopt(printed(parts));
    t.false(skeleton.matches(printed(parts)));
    t.true(skeleton.mayBeWords(printed(parts)));
    t.false(skeleton.mayBeWords(printed(parts).replace('\tchain output {', '\tchain more {\n\t}\n\n\tchain output {')), 'a chain more is no matter of words');
    learn(skeleton);
    t.false(skeleton.mayBeWords(printed(parts)), 'it is asked once');
    skeleton.adopt(printed(parts));
    t.deepEqual(skeleton.parts, parts);
    t.true(skeleton.matches(printed(parts)));
    t.false(skeleton.matches(skeletonText(TABLE, parts)), 'this nft would not say it like that');
    t.false(skeleton.matches(printed(parts).replace('ct direction 1 goto user_answer', 'accept')));
    t.false(skeleton.matches(printed(parts).replace('table inet netwall {', 'table inet netwall {\n\tflags dormant\n')));
    skeleton.wrote(FEW);
    t.true(skeleton.matches(printed(FEW)));
  }
});

test('words that change while it runs are asked for again, once after each writing', (t) => {
  const skeleton = new WrittenSkeleton(TABLE);
  skeleton.adopt(printed());
  learn(skeleton);
  skeleton.adopt(printed());
  t.true(skeleton.matches(printed()));
  // protocol names came, or another nft
  t.false(skeleton.matches(skeletonText(TABLE)));
  t.false(skeleton.mayBeWords(skeletonText(TABLE)));
  skeleton.wrote(ALL_PARTS);
  t.true(skeleton.mayBeWords(skeletonText(TABLE)));
  for (const parts of PARTS_TO_LEARN) skeleton.learn(parts, skeletonText({ ...TABLE, name: 'other' }, parts));
  t.true(skeleton.matches(skeletonText(TABLE)));
});

test('what has matched in plain words is no matter of words', (t) => {
  const skeleton = written(FEW);
  t.true(skeleton.mayBeWords(printed(FEW)));
  t.true(skeleton.matches(skeletonText(TABLE, FEW)));
  t.false(skeleton.matches(printed(FEW)));
  t.false(skeleton.mayBeWords(printed(FEW)));
  skeleton.wrote(ALL_PARTS);
  t.true(skeleton.mayBeWords(printed()), 'of the new chains nobody knows the words');
});

test('says the first line that differs', (t) => {
  const skeleton = written();
  t.is(skeleton.difference(skeletonText(TABLE).replace('\t\tgoto user_egress6\n', '\t\taccept\n')), '"accept" where "goto user_egress6" belongs');
  t.is(skeleton.difference(skeletonText(TABLE).replace('\t\tgoto user_egress6\n', '')), '"}" where "goto user_egress6" belongs');
  t.is(skeleton.difference(skeletonText(TABLE).replace(/\tset user_refused \{[^}]*\}\n\n/, '')), '"set user_refused" is missing');
  t.is(skeleton.difference(skeletonText(TABLE).replace('\tchain output {', '\tchain more {\n\t}\n\n\tchain output {')), '"chain more" does not belong there');
});
