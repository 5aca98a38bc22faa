/**
 * `npm run bench -- [name…] [--record]`: measures the built daemon in a world of namespaces, as root. Without names everything.
 * `--record` also writes bench/results/<name>.json.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createWorld, type World } from '../test/e2e/world.ts';
import { cli } from './cli.ts';
import { dns } from './dns.ts';
import { drift } from './drift.ts';
import { edit } from './edit.ts';
import { element } from './element.ts';
import { type Figure, tableOf } from './figures.ts';
import { idle } from './idle.ts';
import { start } from './start.ts';

const benchmarks: Readonly<Record<string, (world: World) => Promise<readonly Figure[]>>> = { edit, start, idle, element, drift, dns, cli };

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const measure = async (name: string, record: boolean): Promise<void> => {
  const benchmark = benchmarks[name];
  if (benchmark === undefined) throw new Error(`There is no benchmark "${name}". There are: ${Object.keys(benchmarks).join(', ')}`);
  const [load = 0] = loadavg();
  const world = await createWorld();
  try {
    const figures = await benchmark(world);
    process.stdout.write(`${name} (load before: ${load.toFixed(2)})\n${tableOf(figures)}\n`);
    if (!record) return;
    mkdirSync(beside('results'), { recursive: true });
    const machine = { kernel: release(), cpu: cpus()[0]?.model ?? '', cores: cpus().length, load };
    writeFileSync(beside(`results/${name}.json`), `${JSON.stringify({ measured: new Date().toISOString(), machine, figures }, null, 2)}\n`);
  } finally {
    await world.destroy();
  }
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { record: { type: 'boolean', default: false } } });
if (existsSync(beside('../dist/netwalld'))) {
  for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) await measure(name, values.record);
} else {
  process.stderr.write('dist/netwalld is missing. Build it first: npm run build\n');
  process.exitCode = 1;
}
