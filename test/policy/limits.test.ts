/** Files made to hurt: each is refused (or read) in bounded time and memory, because of a bound and not of luck. */
import test from 'ava';
import { MAX_FILE_SIZE, parsePolicyFile } from '../../src/policy/parse.ts';

const head = 'service: webapp\nmatch: { user: webapp }\n';

/** `unit` over and over, to just below the largest file. */
const filled = (unit: string, before = '') => before + unit.repeat(Math.floor((MAX_FILE_SIZE - before.length) / unit.length));

const errors = (text: string | Uint8Array) => parsePolicyFile('policy.yaml', text).problems.map(({ at: { line, column }, message }) => `${line}:${column} ${message}`);

test('a file over the limit is not looked at', (t) => {
  t.deepEqual(errors(filled('#') + '##'), [`1:1 the file has ${MAX_FILE_SIZE + 2} bytes, the most is ${MAX_FILE_SIZE}`]);
  t.deepEqual(errors(new Uint8Array(MAX_FILE_SIZE + 1)), [`1:1 the file has ${MAX_FILE_SIZE + 1} bytes, the most is ${MAX_FILE_SIZE}`]);
  t.deepEqual(errors(filled('#')), []);
});

const bombs: readonly (readonly [title: string, text: string, first: string])[] = [
  ['100,000 brackets', '['.repeat(100_000), '1:33 nested deeper than 32 levels'],
  ['100,000 braces', '{'.repeat(100_000), '1:33 nested deeper than 32 levels'],
  ['a MiB of "- - - -"', filled('- '), '1:65 nested deeper than 32 levels'],
  ['a MiB of "? ? ? ?"', filled('? '), '1:65 nested deeper than 32 levels'],
  ['mappings in mappings', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), '33:33 nested deeper than 32 levels'],
  ['brackets below a policy', `${head}egress: ${'['.repeat(100_000)}`, '3:40 nested deeper than 32 levels'],
  ['1,100 documents', '---\n- a\n'.repeat(1100), 'more than 1000 documents'],
  ['too many values', filled('[],', 'a: ['), 'the file has too many values'],
];

for (const [title, text, first] of bombs) {
  test(`given up: ${title}`, (t) => {
    const found = errors(text);
    t.is(found.length, 1);
    t.true(found[0]?.endsWith(first), found[0]);
  });
}

test('as many documents as are allowed', (t) => {
  const documents = Array.from({ length: 1000 }, (_, index) => `---\nservice: s${index}\nmatch: { user: u${index} }\n`);
  t.is(parsePolicyFile('policy.yaml', documents.join('')).policies.length, 1000);
  t.deepEqual(errors(`${documents.join('')}---\nservice: more\n`), ['3001:1 more than 1000 documents']);
});

test('a MiB of addresses is read', (t) => {
  const addresses = Array.from({ length: 57_000 }, (_, index) => `    - 10.${index >> 16}.${(index >> 8) & 255}.${index & 255}\n`);
  const { policies, problems } = parsePolicyFile('policy.yaml', `${head}egress:\n  allow:\n  - ports: 443\n    to:\n${addresses.join('')}`);
  t.deepEqual(problems, []);
  t.is(policies[0]?.egress.allow[0]?.to.length, 57_000);
});

test('aliases are followed as far as they stay small', (t) => {
  const list = (size: number) => `egress:\n  allow:\n    - ports: 443\n      to: &all [${'10.0.0.1, '.repeat(size)}10.0.0.1]\n${'    - { ports: 443, to: *all }\n'.repeat(99)}`;
  t.deepEqual(errors(head + list(1500)), []);
  t.deepEqual(errors(head + list(2500)), ['1:1 this document comes to more than 200000 values']);
});

test('a chain of aliases as long as the file is given up at the hundredth', (t) => {
  const chain = Array.from({ length: 20_000 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}]\n`);
  t.deepEqual(errors(`a0: &a0 x\n${chain.join('')}`), ['102:14 more than 100 YAML aliases']);
});

test('many mistakes are reported up to a number, with how many there are', (t) => {
  const { problems } = parsePolicyFile('policy.yaml', `${head}egress:\n  allow:\n  - ports: 443\n    to:\n${'    - x.1\n'.repeat(50_000)}`);
  t.is(problems.length, 100);
  t.is(problems.at(-1)?.message, '49901 more problems are not shown');
  t.deepEqual(problems.map(({ at }) => at.line), Array.from({ length: 100 }, (_, index) => 7 + Math.min(index, 98)));
});

test('warnings do not crowd out errors', (t) => {
  // each of them is an error under `dns: none`, and a warning
  const { problems } = parsePolicyFile('policy.yaml', `${head}dns: none\negress:\n  allow:\n  - ports: 443\n    to:\n${'    - "*.github.io"\n'.repeat(90)}`);
  t.is(problems.filter(({ severity }) => severity === 'error').length, 91);
  t.is(problems.length, 100);
});

test('a file is not refused for the number of its warnings', (t) => {
  const { problems, policies } = parsePolicyFile('policy.yaml', `${head}egress:\n  allow:\n${Array.from({ length: 150 }, (_, index) => `  - { to: "*.github.io", ports: [${index + 1}] }\n`).join('')}`);
  t.deepEqual([problems.length, problems.some(({ severity }) => severity === 'error'), policies.length], [100, false, 1]);
  t.is(problems.at(-1)?.message, '51 more problems are not shown');
});

/** One mistake or odd construct, repeated to the largest file: linear work, whatever it is. */
const repeated = ['"', "'", ':\n', '? a\n', '- &a a\n', '- *a\n', '- !t a\n', 'a: |\n b\n', '%a\n', '...\n', '\u0001', '\r', '\u{1f600}', '# a\n', ' \n', '\t', 'a: b\n', 'a,', '- }\n', '&a ', '|\n', '@\n'];

for (const unit of repeated) {
  test(`a MiB of ${JSON.stringify(unit)}`, (t) => {
    const { problems } = parsePolicyFile('policy.yaml', filled(unit));
    t.is(problems.length > 0, !/^[\t #]/.test(unit), problems[0]?.message);
    t.true(problems.length <= 100);
  });
}
