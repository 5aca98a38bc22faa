/** Tables, widths and colours, and what never reaches a terminal. */
import test from 'ava';
import { bytesText, cut, type Giving, isUnicode, type Look, lookOf, oneLine, painter, printable, shown, shownAll, table, width } from '../../src/cli/output.ts';

const coloured = painter(true, {});
const RED = '\u001B[31mred\u001B[0m';

const colourCases: readonly (readonly [title: string, isTerminal: boolean, environment: Record<string, string>, choice: 'auto' | 'always' | 'never', coloured: boolean])[] = [
  ['a terminal', true, { TERM: 'xterm' }, 'auto', true],
  ['a pipe', false, { TERM: 'xterm' }, 'auto', false],
  ['NO_COLOR', true, { NO_COLOR: '1' }, 'auto', false],
  ['an empty NO_COLOR says nothing', true, { NO_COLOR: '' }, 'auto', true],
  ['a dumb terminal', true, { TERM: 'dumb' }, 'auto', false],
  ['CLICOLOR=0', true, { CLICOLOR: '0' }, 'auto', false],
  ['CLICOLOR_FORCE in a pipe', false, { CLICOLOR_FORCE: '1' }, 'auto', true],
  ['CLICOLOR_FORCE=0 is no force', false, { CLICOLOR_FORCE: '0' }, 'auto', false],
  ['NO_COLOR before CLICOLOR_FORCE', true, { CLICOLOR_FORCE: '1', NO_COLOR: '1' }, 'auto', false],
  ['--color always before all', false, { NO_COLOR: '1', TERM: 'dumb' }, 'always', true],
  ['--color never before all', true, { CLICOLOR_FORCE: '1' }, 'never', false],
];
for (const [title, isTerminal, environment, choice, expected] of colourCases) {
  test(`colours: ${title}`, (t) => t.is(painter(isTerminal, environment, choice)('red', 'red'), expected ? RED : 'red'));
}

const locales: readonly (readonly [environment: Record<string, string>, unicode: boolean])[] = [
  [{}, false],
  [{ LANG: 'C' }, false],
  [{ LANG: 'de_DE.UTF-8' }, true],
  [{ LANG: 'C.utf8' }, true],
  [{ LANG: 'C.UTF-8', LC_ALL: 'C' }, false],
  [{ LANG: 'C.UTF-8', LC_ALL: '' }, true],
  [{ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, true],
  [{ LC_CTYPE: 'C.UTF-8', LC_ALL: 'POSIX' }, false],
];
for (const [environment, unicode] of locales) test(`locale ${JSON.stringify(environment)}`, (t) => t.is(isUnicode(environment), unicode));

test('only a terminal has a width, and -o wide ignores it', (t) => {
  t.is(lookOf({ isTTY: true, columns: 80 }, {}).columns, 80);
  t.is(lookOf({ isTTY: true, columns: 80 }, {}, { wide: true }).columns, null);
  t.is(lookOf({ isTTY: true, columns: 0 }, {}).columns, null);
  t.is(lookOf({ columns: 80 }, {}).columns, null);
});

const ROWS = [
  ['SERVICE', 'STATE', 'NUMBER'],
  ['a-rather-long-name', 'active', '7'],
  ['b', 'pending', '12345'],
];
const of = (columns: number | null, unicode = true): Pick<Look, 'columns' | 'unicode'> => ({ columns, unicode });
const giving: Giving = { drop: [1], shrink: [0], right: [2] };

const tables: readonly (readonly [title: string, look: Pick<Look, 'columns' | 'unicode'>, golden: string])[] = [
  ['as wide as it must be in a pipe', of(null), 'SERVICE             STATE    NUMBER\na-rather-long-name  active        7\nb                   pending   12345'],
  ['a terminal that is wide enough changes nothing', of(35), 'SERVICE             STATE    NUMBER\na-rather-long-name  active        7\nb                   pending   12345'],
  ['narrower: a column goes', of(34), 'SERVICE             NUMBER\na-rather-long-name       7\nb                    12345'],
  ['narrower yet: a text is cut', of(20), 'SERVICE       NUMBER\na-rather-lo…       7\nb              12345'],
  ['… without Unicode', of(20, false), 'SERVICE       NUMBER\na-rather-...       7\nb              12345'],
  ['too narrow for anything: the rest is cut', of(12), 'SERVICE   N…\na-rathe…   …\nb          …'],
];
for (const [title, look, golden] of tables) test(`table: ${title}`, (t) => t.is(table(ROWS, look, giving), golden));

test('colours take no room', (t) => {
  t.is(width(`${RED}ding`), 7);
  t.is(table([[coloured('bold', 'A'), 'B'], ['long', 'x']]), '\u001B[1mA\u001B[0m     B\nlong  x');
});

test('what is cut keeps its colours, and ends them', (t) => {
  t.is(cut(`${coloured('red', 'abcdef')} tail`, 4, { unicode: true }), '\u001B[31mabc…\u001B[0m');
  t.is(cut('abc', 3, { unicode: true }), 'abc');
  t.is(cut('abcdef', 2, { unicode: false }), '..');
});

test('a row stays one line', (t) => t.is(table([['a\nb', 'c']]), 'a\\u000ab  c'));

const hostile: readonly (readonly [title: string, text: string, safe: string])[] = [
  ['clear the screen', '\u001B[2Jx', '\\u001b[2Jx'],
  ['set the title', '\u001B]0;x\u0007', '\\u001b]0;x\\u0007'],
  ['the same by one character', '\u009B2J', '\\u009b2J'],
  ['go back', 'good\rbad\b', 'good\\u000dbad\\u0008'],
  ['right to left', 'a\u202Eb\u2066', 'a\\u202eb\\u2066'],
  ['nothing to be seen', 'a\u200Bb\uFEFF', 'a\\u200bb\\ufeff'],
  ['half a character', 'a\uD800', 'a\\ud800'],
  ['lines that are none', 'a\u2028b\u0085', 'a\\u2028b\\u0085'],
  ['delete', 'a\u007F', 'a\\u007f'],
  ['letters are letters', 'bücher.example 例え', 'bücher.example 例え'],
];
for (const [title, text, safe] of hostile) {
  test(`not obeyed: ${title}`, (t) => {
    t.is(shown(text), safe);
    t.is(printable(text, true), safe);
    t.deepEqual(shownAll({ [text]: [text, 1, null] }), { [safe]: [safe, 1, null] });
    // in JSON it is the same text
    t.is(JSON.parse(shown(JSON.stringify({ text }))).text, text);
  });
}

test('colours of somebody else are none', (t) => {
  t.is(shown('\u001B[8mhidden'), '\\u001b[8mhidden');
  t.is(printable(RED, true), RED);
  t.is(printable('\u001B[8mhidden', true), '\\u001b[8mhidden');
});

test('line ends: kept, unless it must be one line', (t) => {
  t.is(shown('a\nb'), 'a\nb');
  t.is(oneLine('a\nb'), 'a\\u000ab');
});

test('signs of our own where the locale has no Unicode', (t) => {
  t.is(printable('– → … 3×', false), '- > ... 3x');
  t.is(printable('bücher', false), 'b\\u00fccher');
  t.is(printable(RED, false), RED);
});

for (const [bytes, text] of [[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [1_250_000, '1.3 MB'], [12.4, '12 B'], [5e15, '5000.0 TB']] as const) {
  test(`${bytes} bytes`, (t) => t.is(bytesText(bytes), text));
}
