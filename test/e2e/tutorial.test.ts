/**
 * docs/tutorial.md, done: its files are written and its commands run as they stand there, beside a real PostgreSQL, nginx and Node application, and what
 * they print is what the page says. In what it says, `…` is anything, and a line of nothing else any lines. Blocks of another kind than `console` and
 * `yaml PATH` are not run: they are about systemd and installing, which this world does not have.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { worldFor } from './sentences.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/tutorial.md', import.meta.url)), 'utf8');

type Step = { readonly kind: 'run'; readonly command: string; readonly says: readonly string[]; readonly line: number } | { readonly kind: 'write'; readonly path: string; readonly text: string; readonly line: number };

/** Commands begin with `$ `, and go on where a line ends with a backslash; what follows is what they print. */
function stepsOf(text: string): readonly Step[] {
  const steps: Step[] = [];
  for (const found of text.matchAll(/^```(console|yaml (\S+))\n([^]*?)^```$/gm)) {
    const [, kind = '', path, body = ''] = found;
    const line = text.slice(0, found.index).split('\n').length + 1;
    if (path !== undefined) {
      steps.push({ kind: 'write', path, text: body, line });
      continue;
    }
    if (kind !== 'console') continue;
    let current: { command: string; says: string[]; line: number } | null = null;
    for (const [index, content] of body.replace(/\n$/, '').split('\n').entries()) {
      if (current?.command.endsWith('\\') === true) current.command = `${current.command.slice(0, -1)} ${content.trim()}`;
      else if (content.startsWith('$ ')) {
        if (current !== null) steps.push({ kind: 'run', ...current });
        current = { command: content.slice(2), says: [], line: line + index };
      } else current?.says.push(content);
    }
    if (current !== null) steps.push({ kind: 'run', ...current });
  }
  return steps;
}

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
function patternOf(says: readonly string[]): RegExp {
  const lines = says.map((line) => (line.trim() === '…' ? '(?:[^\\n]*\\n)*?' : `${line.trimEnd().split('…').map(literal).join('[^\\n]*')}[ ]*\\n`));
  return new RegExp(`^${lines.join('')}$`);
}

/** What `ps`, `sed` and the like are to find; and the programs under test. */
const environment = (world: World) => `export PATH=${world.repository}/dist:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb HOME=/root; cd /root; `;

const NGINX = `user www-data; worker_processes 1; pid /run/nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /run/nginx-body; proxy_temp_path /run/nginx-proxy; fastcgi_temp_path /run/nginx-f; uwsgi_temp_path /run/nginx-u; scgi_temp_path /run/nginx-s;
  server { listen 80; location / { proxy_pass http://127.0.0.1:3000; } }
}
`;
/** Asks its database, and somebody on the internet. */
const APPLICATION = `import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { connect } from 'node:net';
const visits = () => new Promise((done) => execFile('/usr/bin/psql', ['-h', '127.0.0.1', '-U', 'webapp', '-d', 'shop', '-Atqc', "insert into visits default values; select count(*) from visits"], { timeout: 3000 }, (error, text) => done(error ? 'no database' : 'visit ' + text.trim())));
const partner = () => new Promise((done) => {
  const socket = connect({ host: 'api.partner.net', port: 443, timeout: 3000 });
  for (const event of ['error', 'timeout']) socket.on(event, () => { socket.destroy(); done('no payments'); });
  socket.on('connect', () => { socket.destroy(); done('payments work'); });
});
createServer(async (_, response) => response.end((await visits()) + ', ' + (await partner()) + '\\n')).listen(3000, '127.0.0.1');
`;

async function servers(world: World): Promise<void> {
  const shell = async (script: string, who = 'root') => {
    const { exitCode, stdout, stderr } = await world.exec('/bin/sh', ['-c', `${environment(world)}${who === 'root' ? script : `exec setpriv --reuid ${who} --regid ${who} --init-groups sh -c ${JSON.stringify(script)}`}`], { timeout: 60_000 });
    if (exitCode !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
  };
  const postgres = '/usr/lib/postgresql/15/bin';
  await shell('mkdir -p /root /run/pg && chown postgres /run/pg && mount -t tmpfs netwall-root /root');
  await shell(`${postgres}/initdb -D /run/pg/data -A trust -E UTF8 --locale C.UTF-8 >/dev/null`, 'postgres');
  await world.host.write('/run/nginx.conf', NGINX);
  await world.host.write('/run/app.mjs', APPLICATION);
  world.spawn('/usr/bin/setpriv', ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', `${postgres}/postgres`, '-D', '/run/pg/data', '-k', '/run/pg', '-h', '127.0.0.1']);
  world.spawn(`${world.repository}/.cache/nginx/nginx`, ['-c', '/run/nginx.conf', '-g', 'daemon off;', '-p', '/run']);
  world.spawn(`${world.repository}/node_modules/.bin/node`, ['/run/app.mjs'], 'webapp');
  await until('PostgreSQL answers', async () => (await world.exec(`${postgres}/pg_isready`, ['-h', '127.0.0.1'])).exitCode === 0, 30_000);
  await shell(`psql -h 127.0.0.1 -qc 'create user webapp' -c 'create database shop owner webapp' && psql -h 127.0.0.1 -U webapp -d shop -qc 'create table visits (id serial)'`, 'postgres');
  await until('the shop is open', async () => (await world.exec('/usr/bin/curl', ['-s', 'http://127.0.0.1/'])).stdout.includes('payments work'), 30_000);
}

const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'api.partner.net': { addresses: ['45.64.30.1', '45.64.30.2'], ttl: 60 }, 'evil.net': { addresses: ['91.200.66.6'], ttl: 60 } });
  await servers(made);
  await made.daemon.start({ config: { dns: quickDns } });
});

const steps = stepsOf(page);

test('there is something to do', (t) => {
  t.true(steps.length > 30, `${steps.length}`);
});

test.serial('the tutorial, step by step', async (t) => {
  t.timeout(170_000);
  for (const step of steps) {
    if (step.kind === 'write') {
      await world().host.write(step.path, step.text);
      continue;
    }
    const { stdout } = await world().exec('/bin/bash', ['-c', `${environment(world())}{ ${step.command}\n} 2>&1`], { timeout: 60_000 });
    const said = stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`;
    if (process.env['TUTORIAL_SHOW'] !== undefined) t.log(`${step.line}: $ ${step.command}\n${said}`);
    else t.regex(said.replaceAll(/[ ]+$/gm, ''), patternOf(step.says), `docs/tutorial.md:${step.line}: ${step.command}`);
  }
});
