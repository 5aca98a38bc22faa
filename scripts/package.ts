/**
 * Builds the Debian package from dist/: dist/netwall_VERSION_ARCHITECTURE.deb. The same sources give the same bytes: times are that of
 * scripts/packaging/changelog (or SOURCE_DATE_EPOCH), modes are written here, owner is root. Only the Node in it depends on the architecture;
 * --node FILE takes another one. --version and --compression are for tests.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { architectureOf, conffilesOf, type Entry, enabledUnits, filledIn, foldersOf, newestEntry, packagePlan } from './package-plan.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (path: string) => resolve(root, path);
const { values: options } = parseArgs({ options: { version: { type: 'string' }, node: { type: 'string', default: 'dist/lib/node' }, compression: { type: 'string', default: 'xz' }, output: { type: 'string', default: 'dist' } } });

const newest = newestEntry(readFileSync(at('scripts/packaging/changelog'), 'utf8'));
const { version: ours }: { version: string } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
if (newest.version !== ours) throw new Error(`scripts/packaging/changelog tells of ${newest.version} first, package.json is ${ours}`);
const version = options.version ?? ours;
const seconds = Number(process.env['SOURCE_DATE_EPOCH'] ?? newest.seconds);
const architecture = architectureOf(headOf(at(options.node)));

const scratch = mkdtempSync(join(tmpdir(), 'netwall-package-'));
try {
  const file = await assemble(join(scratch, 'tree'));
  process.stdout.write(`${file}: ${Math.round(statSync(file).size / 1024)} KiB\n`);
} finally {
  rmSync(scratch, { recursive: true });
}

async function assemble(tree: string): Promise<string> {
  const entries = packagePlan({
    lib: readdirSync(at('dist/lib')),
    man: readdirSync(at('dist/man')),
    systemd: readdirSync(at('systemd')),
    docs: [...readdirSync(at('docs')).filter((name) => /\.(?:md|yaml|json)$/.test(name)), ...readdirSync(at('docs/benchmarks')).map((name) => `benchmarks/${name}`)],
    policies: readdirSync(at('policies')),
    completions: { bash: await completion('bash'), zsh: await completion('zsh'), fish: await completion('fish') },
    node: await strippedNode(),
  });
  const folders = foldersOf(entries);
  mkdirSync(at(options.output), { recursive: true });
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  for (const folder of folders) mkdirSync(join(tree, folder));
  for (const entry of entries) await place(tree, entry);

  const units = readdirSync(at('systemd')).filter((name) => name.endsWith('.service'));
  const values = {
    VERSION: version,
    ARCHITECTURE: architecture.debian,
    SIZE: String(installedSize(tree, entries) + folders.length),
    UNITS: enabledUnits(units.map((name) => ({ name, text: readFileSync(at(`systemd/${name}`), 'utf8') }))).join(' '),
  };
  const control = (name: string, text: string, mode: number) => {
    writeFileSync(join(tree, 'DEBIAN', name), text);
    chmodSync(join(tree, 'DEBIAN', name), mode);
  };
  control('control', filledIn(readFileSync(at('scripts/packaging/control'), 'utf8'), values), 0o644);
  for (const script of ['postinst', 'prerm', 'postrm']) control(script, filledIn(readFileSync(at(`scripts/packaging/${script}`), 'utf8'), values), 0o755);
  control('conffiles', `${conffilesOf(entries).join('\n')}\n`, 0o644);
  control('md5sums', sums(tree, entries), 0o644);

  // deepest first, as writing a file changes the time of its folder
  for (const path of ['.', 'DEBIAN', ...readdirSync(join(tree, 'DEBIAN')).map((name) => `DEBIAN/${name}`), ...folders, ...entries.map(({ path }) => path)].toReversed()) {
    if (lstatSync(join(tree, path)).isDirectory()) chmodSync(join(tree, path), 0o755);
    lutimesSync(join(tree, path), seconds, seconds);
  }
  const file = join(resolve(options.output), `netwall_${version}_${architecture.debian}.deb`);
  await execa('dpkg-deb', ['--root-owner-group', `-Z${options.compression}`, '--build', tree, file], { env: { SOURCE_DATE_EPOCH: String(seconds) }, stdout: 'ignore', stderr: 'inherit' });
  return file;
}

async function place(tree: string, { path, mode, from, compress }: Entry): Promise<void> {
  const target = join(tree, path);
  if ('link' in from) return symlinkSync(from.link, target);
  if ('text' in from) writeFileSync(target, from.text);
  // gzip(1), as zlib writes other bytes from one Node to the next; -n: no name, no time
  else if (compress === true) writeFileSync(target, (await execa('gzip', ['-9n'], { inputFile: at(from.file), encoding: 'buffer' })).stdout);
  else copyFileSync(at(from.file), target);
  chmodSync(target, mode);
}

async function completion(shell: string): Promise<string> {
  return `${(await execa(at('dist/netwallctl'), ['completion', shell])).stdout}\n`;
}

/** Without symbols it is 18 MB less. */
async function strippedNode(): Promise<string> {
  const node = join(scratch, 'node');
  await execa(`${architecture.tools}-strip`, ['-o', node, at(options.node)]);
  return node;
}

function headOf(file: string): Uint8Array {
  const head = Buffer.alloc(20);
  readSync(openSync(file, 'r'), head);
  return head;
}

/** As dpkg-gencontrol(1) counts: in KiB, each file rounded up, each link one. */
function installedSize(tree: string, entries: readonly Entry[]): number {
  return entries.reduce((sum, { path, from }) => sum + ('link' in from ? 1 : Math.ceil(statSync(join(tree, path)).size / 1024)), 0);
}

/** Conffiles have theirs in dpkg's own database. */
function sums(tree: string, entries: readonly Entry[]): string {
  const files = entries.filter(({ path, from }) => !('link' in from) && !path.startsWith('etc/'));
  return files.map(({ path }) => `${createHash('md5').update(readFileSync(join(tree, path))).digest('hex')}  ${path}\n`).sort().join('');
}
