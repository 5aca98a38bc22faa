/** The manual pages: they tell of everything there is, of nothing that is not, and formatters have nothing to say against them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { manOf, readPage } from '../../scripts/man-page.ts';
import { filled, manualPages } from '../../scripts/manual.ts';
import { commandLineOf } from '../../src/cli/command-line.ts';
import { program as netwallctl } from '../../src/cli/program.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { EXIT } from '../../src/control/api.ts';
import { program as netwalld } from '../../src/daemon/program.ts';
import { type JsonSchema, policyJsonSchema } from '../../src/policy/json-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'netwall-manual-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const pages = manualPages();
const sourceOf = (name: string) => pages.find((page) => page.name === name)?.text ?? '';

function formatted(name: string, text = sourceOf(name)) {
  const file = join(folder, name);
  writeFileSync(file, text);
  // grotty's -cbou: plain text
  return spawnSync('groff', ['-man', '-Tutf8', '-P-cbou', '-ww', file], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } });
}
const plain = (name: string) => formatted(name).stdout;

test('the pages are there', (t) => {
  for (const name of ['netwall.d.5', 'netwallctl.8', 'netwalld.8', 'netwalld.yaml.5']) t.not(sourceOf(name), '', name);
});

for (const { name } of pages) {
  test(`${name}: groff has nothing to say`, (t) => {
    const { stderr, status } = formatted(name);
    t.is(stderr, '');
    t.is(status, 0);
  });

  test(`${name}: what every page has`, (t) => {
    const text = plain(name);
    for (const heading of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXIT STATUS', 'SEE ALSO']) t.regex(text, new RegExp(`^${heading}$`, 'm'), heading);
    t.regex(text, new RegExp(`^NAME\n +${name.replace(/\.\d$/, '')} [-‐−] `, 'm'));
    t.false(/\\f|\\\(|^\./m.test(text), 'no mark is left over');
  });
}

test('a line break in what is literal is a mistake', (t) => {
  t.throws(() => manOf(readPage('page(1)\n\n# NAME\n\n\tone++\n\ttwo\n'), 'netwall'), { message: /^"one\+\+" is literal/ });
});

test('groff would have said something', (t) => {
  t.not(formatted('bad.1', `${sourceOf('netwalld.8')}.NOSUCHMACRO\n\\[nosuchglyph]\n`).stderr, '');
});

/** A term on a line of its own, or with its text behind it. */
const describes = (text: string, term: string) => new RegExp(`^ +${term.replaceAll(/[.[\]|]/g, String.raw`\$&`)}(?=[ ,]|$)`, 'm').test(text);

test('every command of netwallctl, its arguments and options', (t) => {
  const text = plain('netwallctl.8').replaceAll(/[‐−]/g, '-');
  const { verbs, switches } = commandLineOf(netwallctl);
  t.true(verbs.length > 12);
  for (const verb of verbs) {
    const [, usage = ''] = new RegExp(`^ {7}(${verb.name}(?: .*)?(?:\n {7}[A-Z[].*)?)$`, 'm').exec(text.slice(text.indexOf('\nCOMMANDS'))) ?? [];
    t.not(usage, '', verb.name);
    for (const { name, choices } of verb.values) t.true(usage.includes(choices[0] ?? name.toUpperCase()) || usage.includes(name.toUpperCase()), `${verb.name} ${name}`);
    for (const { flags } of verb.switches) t.true(describes(text, flags.join(', ')), `${verb.name} ${flags.join()}`);
  }
  for (const { flags } of switches) t.true(describes(text, flags.join(', ')), flags.join());
  t.false(text.includes('__complete'), 'what is hidden');
});

test('every option of netwalld, also in its synopsis', (t) => {
  const text = plain('netwalld.8').replaceAll(/[‐−]/g, '-');
  const synopsis = text.slice(text.indexOf('SYNOPSIS'), text.indexOf('DESCRIPTION'));
  for (const { flags, value } of commandLineOf(netwalld).switches) {
    t.true(describes(text, flags.join(', ')), flags.join());
    const long = flags.at(-1) ?? '';
    if (long !== '--version' && long !== '--help') t.true(synopsis.includes(value === null ? long : `${long} ${value.name.toUpperCase()}`), long);
    for (const choice of value?.choices ?? []) t.true(text.includes(choice), choice);
  }
});

test('every exit code of netwallctl', (t) => {
  const text = plain('netwallctl.8');
  const part = text.slice(text.indexOf('EXIT STATUS'));
  for (const [name, code] of Object.entries(EXIT)) t.regex(part, new RegExp(`^ +${code} `, 'm'), name);
});

function keysOf({ properties = {} }: JsonSchema, prefix = ''): [string, JsonSchema][] {
  return Object.entries(properties).flatMap(([key, part]): [string, JsonSchema][] =>
    typeof part !== 'object' ? [] : part.properties === undefined ? [[prefix + key, part]] : keysOf(part, `${prefix}${key}.`),
  );
}

test('every key of the configuration, with its default', (t) => {
  const text = plain('netwalld.yaml.5');
  const keys = keysOf(configJsonSchema());
  t.true(keys.length >= 20);
  for (const [key, { default: byDefault }] of keys) {
    // up to the next term
    const [part = ''] = new RegExp(String.raw`^ {7}${key.replace('.', String.raw`\.`)}(?: .*)?$(?:\n {8}.*$)*`, 'm').exec(text) ?? [];
    t.regex(part, /Default:\s/, `${key}: ${part}`);
    if (typeof byDefault === 'string') t.true(part.includes(byDefault), key);
  }
});

test('every key of policies', (t) => {
  const text = plain('netwall.d.5');
  const inside = (schema: JsonSchema): string[] =>
    Object.entries(schema.properties ?? {}).flatMap(([key, part]) => [key, ...(typeof part === 'object' ? [...inside(part), ...(typeof part.items === 'object' && !Array.isArray(part.items) ? inside(part.items) : [])] : [])]);
  const keys = (policyJsonSchema().anyOf ?? []).flatMap((part) => (typeof part === 'object' ? inside(part) : []));
  for (const key of ['service', 'match', 'user', 'mode', 'dns', 'allow', 'deny', 'to', 'from', 'ports', 'private', 'groups']) t.true(keys.includes(key), key);
  for (const key of keys) t.regex(text, new RegExp(String.raw`\b${key}\b`), key);
});

test('marks of the pages', (t) => {
  const page = 'a.b(5)\n\n# NAME\n\nx\n\n# DESCRIPTION\n\n.a \'b\' *--bold* _under_line_ in_word \\*star\\* back\\\\slash é++\nnext\n\n*term*\n\tbelow\n\n\t*inner*\n\t\tdeep\n\n\t```\n\t-x\n\t```\n\n\tafter\n\n\tliteral\n';
  t.is(
    manOf(readPage(page), 'a 1').split('\n').slice(6).join('\n'),
    [
      'x', '.SH "DESCRIPTION"', '.PP', String.raw`\&.a \(aqb\(aq \fB\-\-bold\fR \fIunder_line\fR in_word *star* back\eslash \[u00E9]`, '.br', 'next',
      '.TP', String.raw`\fBterm\fR`, 'below', '.RS', '.TP', String.raw`\fBinner\fR`, 'deep', '.PP', '.RS 4', '.nf', String.raw`\-x`, '.fi', '.RE', '.PP', 'after', '.PP', 'literal', '.RE', '',
    ].join('\n'),
  );
  t.throws(() => manOf(readPage('a(5)\n\n# NAME\n\n*open\n'), 'a'), { message: /not closed/ });
  t.throws(() => readPage('no page\n'), { message: /a page begins with/ });
});

test('a list of a page may say more than the program does, and nothing of what is not there', (t) => {
  const pageOf = (terms: string) => filled(readPage(`netwallctl(8)\n\n# COMMANDS\n\n${terms}`));
  const lines = pageOf('*unblock* by whatever name\n\tOne.\n\n*try*\n\tTwo.\n\n\tThree.\n').sections[0]?.lines ?? [];
  const below = (term: string) => lines.slice(lines.findIndex((line) => line.startsWith(term)));
  t.deepEqual(below('*unblock*').slice(0, 2), ['*unblock* _SERVICE_', '\tOne.']);
  t.deepEqual(below('*try*').slice(1, 6), ['\tTwo.', '', '\tThree.', '', '\t*--timeout* _DURATION_']);
  t.deepEqual(below('*diff*').slice(0, 2), ['*diff*', '\tWhat differs between files and kernel; exit 3.']);
  t.throws(() => pageOf('*status*\n\tx\n\n*stats*\n\tx\n'), { message: /tells of "stats", which is not there/ });
});
