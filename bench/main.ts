/**
 * `npm run bench -- [name…] [--record] [--short]`: measures the built daemon in a world of namespaces, as root. Without names all but
 * those that take half an hour or another build. `--record` also writes bench/results/<name>.json; `--short` does the least that tells
 * whether the benchmarks themselves work. `--report` measures nothing: it writes docs/BENCHMARKS.md and its drawings from what was recorded.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { attempt } from '../test/e2e/run.ts';
import { createWorld, type World } from '../test/e2e/world.ts';
import { builds } from './builds.ts';
import { cli } from './cli.ts';
import { control } from './control.ts';
import { dns } from './dns.ts';
import { drift } from './drift.ts';
import { element } from './element.ts';
import { comparisonTable } from './comparison-table.ts';
import { tableOf } from './figures.ts';
import { memoryBuilds } from './memory/builds.ts';
import { memory } from './memory.ts';
import type { Effort, Outcome } from './outcome.ts';
import { packetBuilds } from './packet-builds.ts';
import { packet } from './packet.ts';
import { recordingOf } from './recording.ts';
import { writeReport } from './report.ts';
import { soak } from './soak.ts';
import { start } from './start.ts';

type Benchmark = (world: World, effort: Effort) => Promise<Outcome>;

const usual: Readonly<Record<string, Benchmark>> = { packet, control, start, drift, memory, element, dns, cli };
/** Too long, or of no use without another build, unless asked for by name. */
const byName: Readonly<Record<string, Benchmark>> = { soak, builds, 'packet-builds': packetBuilds, 'memory-builds': memoryBuilds };
const benchmarks: Readonly<Record<string, Benchmark>> = { ...usual, ...byName };

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Debian packages that may take part. */
const PACKAGES = ['nftables', 'iptables', 'firewalld', 'ufw', 'opensnitch', 'dnsmasq-base', 'unbound', 'dnsperf'];

/** What was measured. Outside a repository there is no commit, and of what is not installed no version. */
const provenance = async (): Promise<{ readonly build?: string; readonly versions: Readonly<Record<string, string>> }> => {
  const said = async (...command: readonly string[]) => (await attempt(command)).stdout.trim();
  const commit = await said('/usr/bin/git', '-C', beside('..'), 'rev-parse', '--short', 'HEAD');
  const changed = await said('/usr/bin/git', '-C', beside('..'), 'status', '--porcelain', '--', 'src', 'package-lock.json');
  const packages = (await said('/usr/bin/dpkg-query', '--show', '--showformat', '${Package} ${Version}\n', ...PACKAGES)).split('\n').filter((line) => line.includes(' '));
  const versions = Object.fromEntries([['node', process.version.slice(1)], ...packages.map((line): [string, string] => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)])]);
  return { ...(commit === '' ? {} : { build: changed === '' ? commit : `${commit}, changed` }), versions };
};

const printed = ({ figures = [], comparisons = [], notes = [] }: Outcome): string =>
  [...(figures.length > 0 ? [tableOf(figures)] : []), ...comparisons.map(comparisonTable), ...notes].join('\n');

const measure = async (name: string, effort: Effort, record: boolean): Promise<void> => {
  const benchmark = benchmarks[name];
  if (benchmark === undefined) throw new Error(`There is no benchmark "${name}". There are: ${Object.keys(benchmarks).join(', ')}`);
  const [load = 0] = loadavg();
  const world = await createWorld();
  try {
    const outcome = await benchmark(world, effort);
    const { figures = [], comparisons = [], curves = [] } = recordingOf(name, JSON.stringify(outcome));
    if (figures.length + comparisons.length + curves.length === 0) throw new Error(`${name} found nothing`);
    process.stdout.write(`${name} (load before: ${load.toFixed(2)})\n${printed(outcome)}\n`);
    if (!record) return;
    mkdirSync(beside('results'), { recursive: true });
    const machine = { kernel: release(), cpu: cpus()[0]?.model ?? '', cores: cpus().length, load };
    writeFileSync(beside(`results/${name}.json`), `${JSON.stringify({ measured: new Date().toISOString(), machine, ...(await provenance()), ...outcome }, null, 2)}\n`);
  } finally {
    await world.destroy();
  }
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { record: { type: 'boolean', default: false }, short: { type: 'boolean', default: false }, report: { type: 'boolean', default: false } } });
if (values.report) {
  writeReport();
} else if (existsSync(beside('../dist/netwalld'))) {
  for (const name of positionals.length > 0 ? positionals : Object.keys(usual)) await measure(name, values.short ? 'short' : 'full', values.record);
} else {
  process.stderr.write('dist/netwalld is missing. Build it first: npm run build\n');
  process.exitCode = 1;
}
