import test from 'ava';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { corpusFiles } from './corpus.ts';
import { describeFile } from './describe.ts';

const files = corpusFiles('good');

test('the corpus of good files is there', (t) => {
  t.true(files.length >= 20);
});

/** `reads LINE`: a line of `describeFile`; a warning may be given by its beginning. */
for (const file of files) {
  test(`understood as its header says: ${file.name}`, (t) => {
    const parsed = parsePolicyFile(file.name, file.bytes);
    const expected = file.header.filter((line) => line.startsWith('reads ')).map((line) => line.slice('reads '.length));
    const lines = describeFile(parsed).map((line, index) => {
      const wanted = expected[index] ?? '';
      return wanted.includes('warning: ') && line.startsWith(wanted) ? wanted : line;
    });
    t.deepEqual(lines, expected);
    t.deepEqual(parsed.salvage, []);
  });
}

test('every good file says what it reads as, but for those that say nothing', (t) => {
  const silent = files.filter(({ header }) => !header.some((line) => line.startsWith('reads '))).map(({ name }) => name);
  t.deepEqual(silent, ['empty-bytes.yaml', 'empty-comments.yaml', 'empty-documents.yaml', 'empty-whitespace.yaml']);
});
