import test from 'ava';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { corpusFiles, expectedProblems } from './corpus.ts';

const files = corpusFiles('bad');

test('the corpus of bad files is there', (t) => {
  t.true(files.length >= 80);
});

for (const file of files) {
  test(`refused at its place and for its reason: ${file.name}`, (t) => {
    const { problems, policies, groups } = parsePolicyFile(file.name, file.bytes);
    const expected = expectedProblems(file);
    const text = Buffer.from(file.bytes).toString();
    const shown = problems.map((problem) => formatProblem(problem, text)).join('\n');
    t.true(expected.some(({ severity }) => severity === 'error'), 'a bad file expects an error');
    t.deepEqual(
      problems.map(({ severity, at }) => `${at.file}:${at.line}:${at.column} ${severity}`),
      expected.map(({ severity, line, column }) => `${file.name}:${line}:${column} ${severity}`),
      shown,
    );
    for (const [index, { message, hint }] of expected.entries()) {
      t.true(problems[index]?.message.includes(message), `expected the message "${message}" in\n${shown}`);
      if (hint !== null) t.true(problems[index]?.hint?.includes(hint), `expected the hint "${hint}" in\n${shown}`);
    }
    t.deepEqual([policies, groups], [[], []]);
  });
}
