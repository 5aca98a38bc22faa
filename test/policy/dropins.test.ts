import test from 'ava';
import * as fc from 'fast-check';
import { effectiveFiles, isPolicyFileName } from '../../src/policy/dropins.ts';

const names: readonly (readonly [name: string, isPolicy: boolean])[] = [
  ['webapp.yaml', true],
  ['webapp.yml', true],
  ['50-web app.yaml', true],
  ['a.b.yaml', true],
  ['.webapp.yaml', false],
  ['.yaml', false],
  ['webapp.yaml~', false],
  ['#webapp.yaml#', false],
  ['#webapp.yaml', false],
  ['.#webapp.yaml', false],
  ['.webapp.yaml.swp', false],
  ['webapp.yaml.dpkg-old', false],
  ['webapp.yaml.bak', false],
  ['webapp.YAML', false],
  ['webapp.json', false],
  ['webapp', false],
  ['yaml', false],
  ['', false],
];

for (const [name, isPolicy] of names) test(`${JSON.stringify(name)} is ${isPolicy ? 'a' : 'no'} policy file`, (t) => t.is(isPolicyFileName(name), isPolicy));

const file = (directory: string, name: string, empty = false) => ({ directory, name, empty });
const path = ({ directory, name }: { directory: string; name: string }) => `${directory}/${name}`;

function show(directories: Parameters<typeof effectiveFiles<ReturnType<typeof file>>>[0]) {
  const { files, masked } = effectiveFiles(directories);
  return { files: files.map(path), masked: masked.map((one) => `${path(one)} by ${path(one.by)}`) };
}

test('files of all directories take effect, in name order', (t) => {
  t.deepEqual(show([[file('etc', 'z.yaml'), file('etc', 'B.yml')], [file('run', 'a.yaml')], [file('usr', 'm.yaml')]]), {
    files: ['etc/B.yml', 'run/a.yaml', 'usr/m.yaml', 'etc/z.yaml'],
    masked: [],
  });
});

test('a file masks those of the same name in lower directories', (t) => {
  t.deepEqual(show([[file('etc', 'a.yaml')], [file('run', 'a.yaml'), file('run', 'b.yaml')], [file('usr', 'b.yaml'), file('usr', 'a.yaml')]]), {
    files: ['etc/a.yaml', 'run/b.yaml'],
    masked: ['run/a.yaml by etc/a.yaml', 'usr/a.yaml by etc/a.yaml', 'usr/b.yaml by run/b.yaml'],
  });
});

test('an empty file masks and has no effect itself', (t) => {
  t.deepEqual(show([[file('etc', 'a.yaml', true)], [file('run', 'a.yaml')], []]), { files: [], masked: ['run/a.yaml by etc/a.yaml'] });
});

test('an empty file in a lower directory masks nothing above it', (t) => {
  t.deepEqual(show([[file('etc', 'a.yaml')], [file('usr', 'a.yaml', true)]]), { files: ['etc/a.yaml'], masked: ['usr/a.yaml by etc/a.yaml'] });
});

test('.yaml and .yml are two names', (t) => {
  t.deepEqual(show([[file('etc', 'a.yaml')], [file('usr', 'a.yml')]]), { files: ['etc/a.yaml', 'usr/a.yml'], masked: [] });
});

test('what is no policy file neither takes effect nor masks', (t) => {
  t.deepEqual(show([[file('etc', 'a.yaml~'), file('etc', '.a.yaml')], [file('usr', 'a.yaml')]]), { files: ['usr/a.yaml'], masked: [] });
});

test('every name is in effect from its highest directory, unless that file is empty', (t) => {
  const listing = fc.uniqueArray(fc.record({ name: fc.constantFrom('a.yaml', 'b.yaml', 'c.yml', 'd.yml'), empty: fc.boolean() }), { selector: ({ name }) => name });
  fc.assert(
    fc.property(fc.array(listing, { maxLength: 4 }), (listings) => {
      const { files, masked } = effectiveFiles(listings);
      for (const name of new Set(listings.flat().map(({ name }) => name))) {
        const [highest, ...lower] = listings.flatMap((listing) => listing.filter((file) => file.name === name));
        t.deepEqual(files.filter((file) => file.name === name), highest?.empty === false ? [highest] : []);
        t.deepEqual(masked.filter((file) => file.name === name).map(({ by, ...file }) => [file, by]), lower.map((file) => [file, highest]));
      }
      t.deepEqual(files.map(({ name }) => name), files.map(({ name }) => name).toSorted());
    }),
  );
});
