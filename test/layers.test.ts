/** One way through: who may import from whom. What is pure never reaches the edge, and nothing reaches back. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

/** Directories under src, and what each of them may import from. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  net: [],
  policy: ['net', 'resolve'],
  resolve: ['dns', 'net', 'policy'],
  dns: ['config', 'net', 'resolve'],
  config: ['net', 'policy'],
  ruleset: ['net', 'policy', 'resolve'],
  host: ['config', 'dns', 'net', 'policy', 'resolve', 'ruleset'],
  control: ['config', 'daemon', 'host', 'net', 'policy', 'resolve', 'ruleset'],
  daemon: ['config', 'control', 'dns', 'host', 'net', 'policy', 'resolve', 'ruleset'],
  cli: ['config', 'control', 'daemon', 'dns', 'host', 'net', 'policy', 'resolve', 'ruleset'],
};
/** Types alone: the shapes of the daemon's own records. */
const TYPES_ONLY: ReadonlySet<string> = new Set(['control > daemon', 'cli > daemon']);
/** Pure: no effects, so neither Node's modules that have them nor libraries that do. */
const PURE: ReadonlySet<string> = new Set(['net', 'policy', 'resolve', 'dns', 'ruleset', 'config']);
const HARMLESS: ReadonlySet<string> = new Set(['node:crypto', 'node:net', 'node:path', 'dns-packet', 'tldts', 'yaml', 'zod']);

type Import = { readonly file: string; readonly layer: string; readonly from: string; readonly types: boolean };

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: readonly Import[] = files.flatMap((file) =>
  [...readFileSync(join(SOURCE, file), 'utf8').matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm)].map(([, type, from = '', lazy]) => ({
    file,
    layer: file.split('/')[0] ?? '',
    from: lazy ?? from,
    types: type !== undefined,
  })),
);
const layerOf = ({ file, from }: Import): string => relative(SOURCE, resolve(SOURCE, dirname(file), from)).split('/')[0] ?? '';

test('every directory is a layer, and the imports are found', (t) => {
  t.deepEqual([...new Set(imports.map(({ layer }) => layer))].toSorted(), Object.keys(LAYERS).toSorted());
  t.true(imports.length > 300, `${imports.length}`);
});

test('no layer imports what it may not', (t) => {
  const found = imports.filter(({ from }) => from.startsWith('.'));
  const wrong = found.filter((one) => {
    const to = layerOf(one);
    if (to === one.layer) return false;
    return !(LAYERS[one.layer] ?? []).includes(to) || (TYPES_ONLY.has(`${one.layer} > ${to}`) && !one.types);
  });
  t.deepEqual(wrong.map(({ file, from }) => `${file} imports ${from}`), []);
});

test('what is pure imports nothing that has effects', (t) => {
  const wrong = imports.filter(({ layer, from }) => PURE.has(layer) && !from.startsWith('.') && !HARMLESS.has(from));
  t.deepEqual(wrong.map(({ file, from }) => `${file} imports ${from}`), []);
});

test('no two files import each other', (t) => {
  const graph = new Map(files.map((file) => [file, [] as string[]]));
  for (const { file, from, types } of imports) if (from.startsWith('.') && !types) graph.get(file)?.push(relative(SOURCE, resolve(SOURCE, dirname(file), from)));
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' > '));
    else if (!done.has(file)) {
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    }
  };
  for (const file of files) visit(file, []);
  t.deepEqual(cycles, []);
});
