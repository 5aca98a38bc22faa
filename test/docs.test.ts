/** The documentation holds: its policies are valid, its commands exist, its links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { program } from '../src/cli/program.ts';
import { parsePolicyFile } from '../src/policy/parse.ts';
import { formatProblem } from '../src/policy/problem.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)].map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

/** Fenced blocks of a kind, without the indentation of the list that they stand in. */
const blocks = (text: string, kind: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^( *)\`\`\`${kind}\\n([^]*?)^ *\`\`\`$`, 'gm'))].map(([, indent = '', block = '']) => block.split('\n').map((line) => line.slice(indent.length)).join('\n'));

const policies = pages.flatMap(({ name, text }) => blocks(text, 'yaml').filter((block) => /^service:/m.test(block)).map((block) => ({ name, block })));

test('there are policies in the pages', (t) => t.true(policies.length >= 6));
for (const [index, { name, block }] of policies.entries()) {
  test(`${name}: policy ${index + 1} is valid`, (t) => {
    const { problems } = parsePolicyFile(name, block);
    t.deepEqual(problems.map((problem) => formatProblem(problem, block)), []);
  });
}

/** What stands as code: inline, or in a block for the shell. */
const codeOf = (text: string): readonly string[] => [...blocks(text, 'sh').flatMap((block) => block.split('\n')), ...[...text.replaceAll(/^ *```[^]*?^ *```$/gm, '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)];

/** What is hidden has a name that nobody types. */
const commands = new Map(program.commands.filter((command) => !command.name().startsWith('_')).map((command) => [command.name(), command]));
const GLOBAL = new Set(['--json', '--help', '-h', '--socket', '--version']);

/** What of a line is no command or no option of netwallctl. */
function unknownIn(code: string): string[] {
  return [...code.matchAll(/\bnetwallctl ([a-z]+)([^#`|]*)/g)].flatMap(([, name = '', rest = '']) => {
    const command = commands.get(name);
    if (command === undefined) return [`netwallctl ${name}`];
    const options = new Set(command.options.flatMap(({ short, long }) => [short, long]));
    return [...rest.matchAll(/(?<=[ [])--?[a-z][a-z-]*/g)].filter(([option]) => !options.has(option) && !GLOBAL.has(option)).map(([option]) => `netwallctl ${name} ${option}`);
  });
}

test('every netwallctl command and option in the pages exists', (t) => {
  t.true(pages.flatMap(({ text }) => codeOf(text)).filter((code) => code.startsWith('netwallctl ')).length > 30);
  t.deepEqual(pages.flatMap(({ name, text }) => codeOf(text).flatMap(unknownIn).map((unknown) => `${name}: ${unknown}`)), []);
});

test('every command is in the table of the README', (t) => {
  const [{ text } = { text: '' }] = pages;
  t.deepEqual([...commands.keys()].filter((name) => !new RegExp(`^\\|.*\\b${name}\\b.*\\|`, 'm').test(text)), []);
});

test('links lead somewhere', (t) => {
  const links = pages.flatMap(({ name, text }) => [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => ({ name, target })));
  t.true(links.length > 10);
  t.deepEqual(links.filter(({ name, target }) => !existsSync(join(root, dirname(name), target))), []);
});
