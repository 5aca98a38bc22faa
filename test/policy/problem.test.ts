import test from 'ava';
import * as fc from 'fast-check';
import { formatProblem, hasErrors, type Problem, sortProblems } from '../../src/policy/problem.ts';
import { columnsOf, quoted, visible } from '../../src/policy/visible.ts';

const at = (line: number, column: number) => ({ file: '/etc/netwall.d/webapp.yaml', line, column });
const problem = (line: number, column: number, rest: Partial<Problem> = {}): Problem => ({ severity: 'error', at: at(line, column), message: 'it is wrong', ...rest });

test('place, message, source line, carets, hint', (t) => {
  const text = 'service: webapp\negress:\n  allow:\n    - to: [10.20.0.1/16]\n';
  const found = problem(4, 12, { message: '"10.20.0.1/16" has host bits set', hint: 'did you mean 10.20.0.0/16?', length: 12 });
  t.is(
    formatProblem(found, text),
    [
      '/etc/netwall.d/webapp.yaml:4:12: error: "10.20.0.1/16" has host bits set',
      '    4 |     - to: [10.20.0.1/16]',
      '      |            ^~~~~~~~~~~~',
      '      hint: did you mean 10.20.0.0/16?',
    ].join('\n'),
  );
});

test('a warning without a length and without a hint', (t) => {
  t.is(formatProblem(problem(1, 3, { severity: 'warning' }), 'a: b'), '/etc/netwall.d/webapp.yaml:1:3: warning: it is wrong\n    1 | a: b\n      |   ^');
});

/** The line and its carets only. */
const excerpt = (text: string, found: Problem, width?: number) =>
  formatProblem(found, text, width === undefined ? {} : { width }).split('\n').slice(1).map((line) => line.replace(/^ *\d* \| ?/, ''));

const excerpts: readonly (readonly [title: string, text: string, found: Problem, shown: readonly string[]])[] = [
  ['a tab takes four columns', '\ta:\tb', problem(1, 5, { length: 1 }), ['    a:    b', '          ^']],
  ['a wide character takes two', '你好: x', problem(1, 3, { length: 1 }), ['你好: x', '    ^']],
  ['an emoji is two units and two columns', '# 😀 x', problem(1, 6), ['# 😀 x', '     ^']],
  ['a combining character takes none', 'e\u0301: x', problem(1, 3), ['e\u0301: x', ' ^']],
  ['a terminal escape is shown, not sent', 'a: \u001b[31mred', problem(1, 4, { length: 5 }), ['a: ␛[31mred', '   ^~~~~']],
  ['so are C1 controls and bidirectional marks', 'a: \u009b31m\u202ex', problem(1, 4), ['a: \ufffd31m\ufffdx', '   ^']],
  ['the line end is no part of the line', 'a: b\r\nc: d\r\n', problem(1, 4, { length: 9 }), ['a: b', '   ^']],
  ['a byte order mark neither', '\ufeffa: b', problem(1, 1), ['a: b', '^']],
  ['behind the last character', 'a: [', problem(1, 5), ['a: [', '    ^']],
  ['on an empty line', 'a:\n\nb:', problem(2, 1), ['', '^']],
  ['the last line of a text that ends in a line end', 'a:\n', problem(2, 1), ['', '^']],
];

for (const [title, text, found, shown] of excerpts) test(`source line: ${title}`, (t) => t.deepEqual(excerpt(text, found), shown));

test('a line that does not exist is not shown', (t) => {
  for (const line of [0, -1, 3, Number.NaN, Infinity]) t.is(formatProblem(problem(line, 1), 'a:\nb:').split('\n').length, 1);
});

test('a long line is cut around the caret', (t) => {
  const text = `${'a'.repeat(500)}HERE${'b'.repeat(500)}`;
  const [line = '', carets = ''] = excerpt(text, problem(1, 501, { length: 4 }), 40);
  t.is(line, `…${'a'.repeat(13)}HERE${'b'.repeat(23)}…`);
  t.is(carets, `${' '.repeat(14)}^~~~`);
  t.deepEqual(excerpt(text, problem(1, 1, { length: 2 }), 40), [`${'a'.repeat(40)}…`, '^~']);
  t.deepEqual(excerpt(text, problem(1, 1004), 40), [`…${'b'.repeat(40)}`, `${' '.repeat(40)}^`]);
  t.deepEqual(excerpt('a'.repeat(40), problem(1, 40), 40), ['a'.repeat(40), `${' '.repeat(39)}^`]);
});

test('parts can be painted', (t) => {
  const painted = formatProblem(problem(1, 1, { hint: 'so' }), 'a', { paint: (part, text) => `<${part}>${text}</>` });
  t.is(
    painted,
    [
      '<place>/etc/netwall.d/webapp.yaml:1:1:</> <error>error:</> it is wrong',
      '<gutter>    1 |</> a',
      '<gutter>      |</> <caret>^</>',
      '      <hint>hint:</> so',
    ].join('\n'),
  );
});

test('whatever the file holds, nothing a terminal obeys is shown', (t) => {
  const number = fc.oneof(fc.integer(), fc.integer({ min: 1, max: 8 }), fc.double());
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const found = fc.record({ file: text, line: number, column: number, message: text, hint: text, length: number });
  fc.assert(
    fc.property(found, fc.string({ unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.constantFrom('\n', '\t', '\r', '\u001b', 'x')), maxLength: 200 }), number, (found, source, width) => {
      const { file, line, column, message, hint, length } = found;
      const shown = formatProblem({ severity: 'error', at: { file, line, column }, message, hint, length }, source, { width });
      t.notRegex(shown.replaceAll('\n', ''), /[\p{C}\u2028\u2029]/u);
      t.true(shown.split('\n').length <= 4);
    }),
    { numRuns: 2000 },
  );
});

test('carets stand below what they mean', (t) => {
  const characters = fc.array(fc.constantFrom('a', '-', '你', '\t', '\u001b', 'é', '😀'), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(characters, fc.nat(29), (characters, index) => {
      const before = characters.slice(0, index % characters.length);
      const meant = characters[before.length] ?? '';
      const [, carets = ''] = excerpt(characters.join(''), problem(1, before.join('').length + 1, { length: meant.length }));
      const columns = (text: string) => (text === '\t' ? 4 : columnsOf(visible(text)));
      t.is(carets, `${' '.repeat(before.reduce((sum, text) => sum + columns(text), 0))}^${'~'.repeat(columns(meant) - 1)}`);
    }),
  );
});

test('problems are sorted by place, those of one place as they were found', (t) => {
  const problems = [problem(2, 1), problem(1, 9), problem(1, 2, { message: 'b' }), problem(1, 2, { message: 'a' })];
  t.deepEqual(
    sortProblems(problems).map(({ at: { line, column }, message }) => [line, column, message]),
    [[1, 2, 'b'], [1, 2, 'a'], [1, 9, 'it is wrong'], [2, 1, 'it is wrong']],
  );
});

test('only errors are errors', (t) => {
  t.false(hasErrors([problem(1, 1, { severity: 'warning' })]));
  t.true(hasErrors([problem(1, 1, { severity: 'warning' }), problem(1, 1)]));
});

test('columns of characters', (t) => {
  const columns = { a: 1, é: 1, '\u0301': 0, '\u0fff': 1, ᄀ: 2, '\u1160': 1, 你: 2, 한: 2, '、': 2, 'ｗ': 2, 'ｱ': 1, '￥': 2, '😀': 2, '𠀀': 2, '␛': 1 };
  t.deepEqual(Object.fromEntries(Object.keys(columns).map((character) => [character, columnsOf(character)])), columns);
});

const quotations: readonly (readonly [text: string, shown: string])[] = [
  ['plain', '"plain"'],
  ['', '""'],
  ['a "b" \\', '"a \\"b\\" \\\\"'],
  ['a\nb\u001b[1m', '"a\\nb\\u001b[1m"'],
  ['a\u0085\u202e\u00a0b', '"a\\u{85}\\u{202e}\\u{a0}b"'],
  ['grün 你', '"grün 你"'],
  ['x'.repeat(60), `"${'x'.repeat(60)}"`],
  ['x'.repeat(61), `"${'x'.repeat(59)}…"`],
  ['😀'.repeat(61), `"${'😀'.repeat(59)}…"`],
  ['😀'.repeat(60), `"${'😀'.repeat(60)}"`],
];

for (const [text, shown] of quotations) test(`quoted: ${shown.slice(0, 20)} of ${text.length}`, (t) => t.is(quoted(text), shown));
