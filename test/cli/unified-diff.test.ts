import test from 'ava';
import * as fc from 'fast-check';
import { painter } from '../../src/cli/output.ts';
import { paintDiff, unifiedDiff } from '../../src/cli/unified-diff.ts';

const cases: readonly (readonly [title: string, before: string, after: string, hunk: string])[] = [
  ['nothing', 'a\n', 'a\n', ''],
  ['a line more, three lines around it', '1\n2\n3\n4\n5\n6\n7\n8\n', '1\n2\n3\n4\nx\n5\n6\n7\n8\n', '@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n'],
  ['a line that is another', 'a\nb\nc\n', 'a\nB\nc\n', '@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n'],
  ['what stands between two changes', 'a\nb\nc\n', 'A\nb\nC\n', '@@ -1,3 +1,3 @@\n-a\n+A\n b\n-c\n+C\n'],
  ['no line end', 'a', 'a\nb', '@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n'],
  ['an empty text', '', 'a\n', '@@ -0,0 +1 @@\n+a\n'],
  ['CRLF', 'a\r\n', 'a\r\nb\r\n', '@@ -1 +1,2 @@\n a\r\n+b\r\n'],
];
for (const [title, before, after, hunk] of cases) test(`diff: ${title}`, (t) => t.is(unifiedDiff('old', 'new', before, after), hunk === '' ? '' : `--- old\n+++ new\n${hunk}`));

/** What `patch` does, and refuses. */
function patched(before: string, diff: string): string {
  const lines = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const [, start = '', count = '1', , newCount = '1'] = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/m.exec(diff) ?? [];
  const hunk = lines(diff.slice(diff.indexOf('\n', diff.indexOf('\n@@') + 1) + 1));
  const side = (sign: string) => hunk.filter((line) => line.startsWith(' ') || line.startsWith(sign)).map((line) => line.slice(1));
  const old = lines(before);
  const from = Number(start) - (count === '0' ? 0 : 1);
  if (old.slice(from, from + Number(count)).join('') !== side('-').join('') || side('+').length !== Number(newCount)) throw new Error(`does not apply:\n${diff}`);
  return [...old.slice(0, from), ...side('+'), ...old.slice(from + Number(count))].join('');
}

test('it applies, whatever the texts', (t) => {
  const text = fc.array(fc.constantFrom('a', 'b', '', ' c', '-', '+x', 'd\r'), { maxLength: 12 }).map((lines) => lines.map((line) => `${line}\n`).join(''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      fc.pre(before !== after);
      t.is(patched(before, unifiedDiff('old', 'new', before, after)), after);
    }),
    { numRuns: 500 },
  );
});

test('colours are for terminals', (t) => {
  const diff = unifiedDiff('old', 'new', 'a\n', 'b\n');
  t.is(paintDiff(diff, painter(false, {})), diff.trimEnd());
  t.is(paintDiff(diff, painter(true, {})), '\u001B[1m--- old\u001B[0m\n\u001B[1m+++ new\u001B[0m\n\u001B[2m@@ -1 +1 @@\u001B[0m\n\u001B[31m-a\u001B[0m\n\u001B[32m+b\u001B[0m');
});
