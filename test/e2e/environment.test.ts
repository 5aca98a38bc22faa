/** Whoever runs the programs: they load nothing from the environment or the directory they are started in. */
import test from 'ava';
import { worldFor } from './sentences.ts';

const TRACE = '/run/hostile/loaded';
/** The daemon does not load this one by itself. */
const LIBRARY = 'libthread_db.so.1';

const world = worldFor(test, async (world) => {
  const leaveTrace = `require('node:fs').appendFileSync('${TRACE}', process.argv.join(' ') + '\\n');\n`;
  await world.host.write('/run/hostile/evil.cjs', leaveTrace);
  for (const name of ['pino', 'yaml', 'execa', 'commander', 'zod']) {
    await world.host.write(`/run/hostile/node_modules/${name}/index.js`, leaveTrace);
    await world.host.write(`/run/hostile/node_modules/${name}/package.json`, `{ "name": "${name}", "main": "index.js" }`);
  }
  await world.host.write('/run/hostile/package.json', '{ "type": "module", "imports": { "#x": "./evil.cjs" } }');
  await world.host.write('/run/hostile/node.config.json', '{ "nodeOptions": { "import": ["/run/hostile/evil.cjs"] } }');
  await world.host.write('/run/hostile/netwalld.yaml', 'nonsense');
  await world.host.write('/run/hostile/openssl.cnf', 'openssl_conf = nonsense\n');
});

const hostile = {
  NODE_OPTIONS: '--require=/run/hostile/evil.cjs',
  NODE_PATH: '/run/hostile/node_modules',
  NODE_COMPILE_CACHE: '/run/hostile/cache',
  NODE_EXTRA_CA_CERTS: '/run/hostile/evil.cjs',
  NODE_V8_COVERAGE: '/run/hostile/coverage',
  OPENSSL_CONF: '/run/hostile/openssl.cnf',
  LD_LIBRARY_PATH: '/run/hostile',
};
const assignments = (more: Readonly<Record<string, string>> = {}) => Object.entries({ ...hostile, ...more }).map(([name, value]) => `${name}=${value}`);

const left = async () => (await world().exec('/usr/bin/find', ['/run/hostile', '(', '-name', 'loaded', '-o', '-name', 'cache', '-o', '-name', 'coverage', ')'])).stdout;

test.serial('the trap works: Node itself would load it', async (t) => {
  await world().exec('/usr/bin/env', ['-C', '/run/hostile', ...assignments(), `${world().repository}/dist/lib/node`, '-e', '0']);
  t.regex(await left(), /loaded/);
  t.is((await world().exec('/bin/rm', ['-r', TRACE, '/run/hostile/cache', '/run/hostile/coverage'])).exitCode, 0);
});

test.serial('netwallctl and netwalld --check load nothing of it', async (t) => {
  const run = (program: string, ...args: string[]) => world().exec('/usr/bin/env', ['-C', '/run/hostile', ...assignments(), `${world().repository}/dist/${program}`, ...args]);
  const version = await run('netwallctl', '--version');
  t.is(version.exitCode, 0, version.stderr);
  const checked = await run('netwalld', '--check');
  t.is(checked.exitCode, 0, checked.stderr);
  t.is(await left(), '');
});

test.serial('nor does the daemon, and it hands none of it on', async (t) => {
  await world().daemon.start({ under: ['/usr/bin/env', '-C', '/run/hostile', ...assignments({ LD_PRELOAD: LIBRARY })] });
  t.is(await left(), '');
  const pid = `${world().daemon.pid()}`;
  const environment = (await world().exec('/bin/sh', ['-c', `tr '\\0' '\\n' </proc/${pid}/environ`])).stdout;
  for (const name of [...Object.keys(hostile), 'LD_PRELOAD']) t.false(environment.includes(`${name}=`), name);
  const { stdout: maps } = await world().exec('/bin/cat', [`/proc/${pid}/maps`]);
  t.regex(maps, /dist\/lib\/node/);
  t.notRegex(maps, /libthread_db|hostile/);
});
