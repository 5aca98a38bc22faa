/** What people see: top in a pipe and on a terminal, the details of a service, times, and nothing that a terminal would obey. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { quickDns } from './daemon.ts';
import { controlSocket } from './control.ts';
import { check, worldFor } from './sentences.ts';
import { until } from './until.ts';

const policy = `service: webapp
match: { user: webapp }
dns: system
egress:
  allow:
    - to: [api.partner.net, 45.64.0.0/16]
      ports: [443]
    - to: 45.65.0.0/24
      ports: [8000-8010/udp]
ingress:
  allow:
    - ports: [8080]
---
service: worker
match: { user: [worker, billing] }
mode: audit
dns: none
egress: { allow: [{ to: 45.64.0.0/16, ports: [443] }] }
`;

const world = worldFor(test, async (world) => {
  await world.internet.zone({ 'api.partner.net': { addresses: ['91.200.7.1', '91.200.7.2'], ttl: 300 } });
  await world.policy('webapp.yaml', policy);
  await world.daemon.start({ config: { dns: quickDns } });
  await until('the name is resolved', async () => (await world.domain('webapp', 'api.partner.net')).state === 'resolved');
});

const ESCAPE = '\u001B';
const ctlPath = () => `${world().repository}/dist/netwallctl`;
const utf8 = { LC_ALL: 'C.UTF-8' };

type Destination = { readonly direction: string; readonly to: string; readonly protocol: string; readonly port: string | null; readonly packets: number; readonly elements: number };
const destinations = async (service: string): Promise<readonly Destination[]> => JSON.parse((await world().ctl(['status', service, '--json'])).stdout).services[0].destinations;

test.serial('status SERVICE says what went where, by policy entry', async (t) => {
  await check(t, world(), ['webapp', 'tcp', '91.200.7.1', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '91.200.7.2', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.64.1.1', 443], 'passes');
  await check(t, world(), ['webapp', 'udp', '45.65.0.9', 8003], 'passes');
  await check(t, world(), ['billing', 'tcp', '45.64.1.1', 443], 'passes');
  const of = await destinations('webapp');
  const find = (to: string) => of.find((one) => one.to === to);
  t.like(find('api.partner.net'), { direction: 'out', protocol: 'tcp', port: '443', elements: 2 });
  t.like(find('45.64.0.0/16'), { direction: 'out', protocol: 'tcp', port: '443', elements: 1 });
  t.like(find('45.65.0.0/24'), { direction: 'out', protocol: 'udp', port: '8000-8010', packets: 1 });
  for (const to of ['api.partner.net', '45.64.0.0/16']) t.true((find(to)?.packets ?? 0) > 0, to);
  t.true(of.some(({ direction, port }) => direction === 'in' && port === '8080'));
  // two users, one entry
  t.like((await destinations('worker')).find(({ to }) => to === '45.64.0.0/16'), { elements: 2 });
});

test.serial('status SERVICE: whom it matches, ages of names, and that service alone', async (t) => {
  const { json } = await world().ctl(['status', 'webapp', '-o', 'json']);
  t.like(json, { serviceCount: 2, services: { 0: { service: 'webapp', match: { kind: 'user', names: ['webapp'] } } } });
  const [{ names }] = JSON.parse(JSON.stringify(json)).services;
  t.deepEqual(names[0].ages.map(({ address }: { readonly address: string }) => address).toSorted(), ['91.200.7.1', '91.200.7.2']);
  t.true(names[0].lastSeenSecondsAgo >= 0 && names[0].nextLookUpInSeconds >= 0);
  const { stdout } = await world().ctl(['status', 'webapp'], { env: utf8 });
  t.regex(stdout, /match: user webapp \(uid 20001\), mode: enforce/);
  t.regex(stdout, /api\.partner\.net {2}resolved, seen \d+ \w+ ago, again in \d+ \w+ {2}91\.200\.7\.1/);
  t.regex(stdout, /→ api\.partner\.net +443\/tcp +[1-9]/);
  t.false(stdout.includes('worker'));
  t.is((await world().ctl(['status', 'nobody'])).exitCode, 1);
});

test.serial('status -o wide: sources, DNS modes, guard', async (t) => {
  const { stdout } = await world().ctl(['status', '-o', 'wide']);
  t.regex(stdout, /^SERVICE .* LAST ERROR$/m);
  t.regex(stdout, /^webapp .* system +\/etc\/netwall\.d\/webapp\.yaml:1/m);
  t.regex(stdout, /^guard: held$/m);
});

test.serial('top -n 2 in a pipe: two tables, no escapes', async (t) => {
  const flow = setInterval(() => void world().as('webapp').udp('45.65.0.9', 8003, { timeout: 300 }).catch(() => {}), 100);
  const { exitCode, stdout, stderr } = await world().ctl(['top', '-n', '2', '--interval', '500ms'], { env: utf8 });
  clearInterval(flow);
  t.is(exitCode, 0, stderr);
  t.is(stdout.match(/^SERVICE +MODE +PACKETS\/S/gm)?.length, 2, stdout);
  t.false(stdout.includes(ESCAPE));
  t.regex(stdout, /^webapp +enforce +[1-9]/m);
  // of the busiest services the destinations come with the second table
  t.regex(stdout, /→ 45\.65\.0\.0\/24 8000-8010\/udp/);
});

test.serial('top SERVICE --json: a line for each look, rates of that service and its destinations', async (t) => {
  const flow = setInterval(() => void world().as('webapp').udp('45.65.0.9', 8003, { timeout: 300 }).catch(() => {}), 50);
  const refused = setInterval(() => void world().as('webapp').udp('91.200.9.9', 1, { timeout: 300 }).catch(() => {}), 50);
  const { stdout } = await world().ctl(['top', 'webapp', '-n', '3', '--json']);
  clearInterval(flow);
  clearInterval(refused);
  const lines = stdout.split('\n').map((line) => JSON.parse(line));
  t.is(lines.length, 3);
  for (const line of lines) t.deepEqual(line.services.map(({ service }: { readonly service: string }) => service), ['webapp']);
  const last = lines.at(-1);
  t.true(last.services[0].packetsPerSecond > 0);
  t.true(last.services[0].deniedPerSecond > 0);
  t.true(last.destinations.find(({ to }: Destination) => to === '45.65.0.0/24').packetsPerSecond > 0);
});

test.serial('however many look on, the gates are read once', async (t) => {
  const at = (await Promise.all(Array.from({ length: 8 }, () => world().exec('/usr/bin/curl', ['-s', '--unix-socket', controlSocket, 'http://x/v1/traffic?maxAge=5000'])))).map(({ stdout }) => JSON.parse(stdout).at);
  t.is(new Set(at).size, 1);
});

test.serial('top of nobody, and for no time at all', async (t) => {
  t.is((await world().ctl(['top', 'nobody', '-n', '1'])).exitCode, 1);
  t.is((await world().ctl(['top', '-n', '0'])).exitCode, 2);
  t.is((await world().ctl(['top', '--interval', '1ms'])).exitCode, 2);
});

/** Runs a command on a pseudo-terminal; what is written to it are keys. */
const onTerminal = (command: string, size = 'rows 24 cols 80'): { readonly child: ChildProcess; readonly seen: () => string; readonly ended: Promise<unknown> } => {
  const child = world().spawn('/usr/bin/script', ['-qec', `stty ${size}; unset NO_COLOR CLICOLOR CLICOLOR_FORCE; TERM=xterm LC_ALL=C.UTF-8 ${command}; echo "exit code $?"; stty -a`, '/dev/null']);
  let seen = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (seen += text));
  return { child, seen: () => seen, ended: once(child, 'close') };
};

const ENTER = `${ESCAPE}[?1049h`;
const LEAVE = `${ESCAPE}[?1049l`;

test.serial('top on a terminal: the alternate screen, s sorts, q leaves everything as it was', async (t) => {
  const { child, seen, ended } = onTerminal(`${ctlPath()} top`);
  await until('a table', async () => seen().includes('webapp'), 15_000);
  t.true(seen().includes(ENTER));
  t.regex(seen(), /by packets/);
  child.stdin?.write('s');
  await until('another order', async () => seen().includes('by bytes'));
  child.stdin?.write('q');
  await ended;
  t.regex(seen(), /exit code 0/);
  t.true(seen().lastIndexOf(LEAVE) > seen().lastIndexOf('SERVICE'));
  t.regex(seen(), / icanon[\s\S]* echo /, 'the terminal is no longer raw');
});

for (const [signal, code] of [['SIGINT', 0], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
  test.serial(`top ends with ${signal}: the terminal is put back`, async (t) => {
    const { seen, ended } = onTerminal(`sh -c 'echo pid $$; exec ${ctlPath()} top'`);
    await until('a table', async () => seen().includes('webapp'), 15_000);
    process.kill(pidIn(seen()), signal);
    await ended;
    t.regex(seen(), new RegExp(`exit code ${code}`));
    t.true(seen().includes(LEAVE));
    t.regex(seen(), / icanon/);
  });
}
test.serial('top follows the size of the terminal at once', async (t) => {
  const { child, seen, ended } = onTerminal(`sh -c '(sleep 2; stty -F /dev/tty cols 30) & exec ${ctlPath()} top --interval 30s'`);
  await until('a screen', async () => seen().includes('q quit'), 15_000);
  await until('a narrower one', async () => /netwallctl top {2}[^\r\n]*…/.test(seen()), 10_000);
  child.stdin?.write('q');
  await ended;
  t.regex(seen(), /exit code 0/);
});

/** The namespaces of a world share the machine's process ids. */
const pidIn = (seen: string): number => {
  const pid = Number(/pid (\d+)/.exec(seen)?.[1]);
  if (!(pid > 1)) throw new Error(`no process id in ${seen}`);
  return pid;
};

test.serial('a narrow terminal: columns go, nothing is wider than it', async (t) => {
  const { seen, ended } = onTerminal(`${ctlPath()} status`, 'rows 24 cols 40');
  await ended;
  const text = seen().replaceAll(new RegExp(String.raw`${ESCAPE}\[\d+m`, 'g'), '');
  const rows = text.split('\r\n').filter((line) => /^(SERVICE|webapp|worker) /.test(line));
  t.true(rows.length >= 3, text);
  for (const row of rows) t.true(row.length <= 40, row);
  t.regex(text, /^SERVICE +STATE +MODE.*DENIED/m);
  t.notRegex(text, /WHO/);
  const wide = onTerminal(`${ctlPath()} status -o wide`, 'rows 24 cols 40');
  await wide.ended;
  t.regex(wide.seen(), /LAST ERROR/);
});

test.serial('colours: on a terminal, unless told otherwise, and never in a pipe unless told so', async (t) => {
  const coloured = async (command: string) => {
    const { seen, ended } = onTerminal(command);
    await ended;
    return seen().includes(`${ESCAPE}[`);
  };
  t.true(await coloured(`${ctlPath()} status`));
  t.false(await coloured(`env NO_COLOR=1 ${ctlPath()} status`));
  t.false(await coloured(`env TERM=dumb ${ctlPath()} status`));
  t.false(await coloured(`${ctlPath()} status --color never`));
  t.false((await world().ctl(['status'])).stdout.includes(ESCAPE));
  t.true((await world().ctl(['status', '--color', 'always'])).stdout.includes(ESCAPE));
  t.true((await world().ctl(['status'], { env: { NO_COLOR: '', CLICOLOR_FORCE: '1' } })).stdout.includes(ESCAPE));
});

test.serial('events -f tells at once, and how long ago', async (t) => {
  const told: string[] = [];
  const following = world().spawn(ctlPath(), ['events', '-f']);
  createInterface({ input: following.stdout ?? process.stdin }).on('line', (line) => told.push(line));
  await until('what happened before', async () => told.length > 0);
  const before = told.length;
  const start = performance.now();
  await world().nft('flush ruleset');
  await until('the repair', async () => told.slice(before).some((line) => line.includes('the table is gone')), 10_000);
  const took = performance.now() - start;
  t.log(`${Math.round(took)} ms after nft began`);
  t.regex(told.find((line) => line.includes('the table is gone')) ?? '', /^ *(now|\d+ s ago) {2}drift-repaired/);
  following.kill();
});

test.serial('times: relative, --utc, --time local', async (t) => {
  const first = async (...args: string[]) => (await world().ctl(['drift', ...args])).stdout.split('\n')[1] ?? '';
  t.regex(await first(), /^(now|\d+ (s|min) ago) /);
  t.regex(await first('--utc'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /);
  t.regex(await first('--time', 'utc'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /);
  t.regex(await first('--time', 'local'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /);
  t.is((await world().ctl(['drift', '--time', 'sidereal'])).exitCode, 2);
});

test.serial('the name of a program cannot speak to the terminal', async (t) => {
  // whoever changes the table chooses what the kernel knows it by
  const name = `${ESCAPE}[2J${ESCAPE}]0;x`;
  await world().exec('/bin/sh', ['-c', 'cp /usr/sbin/nft "/run/$0"', name]);
  // more than once: nft monitor, which tells who it was, now and then breaks down
  await until(
    'it is known',
    async () => {
      await world().exec(`/run/${name}`, ['add element inet netwall user_egress4 { 20001 . 91.200.66.6 . tcp . 443 }']);
      await sleep(300);
      return (await world().ctl(['drift', '--json'])).stdout.includes('[2J');
    },
    20_000,
  );
  for (const args of [['drift'], ['events'], ['status', '-o', 'wide'], ['drift', '--json'], ['drift', '--color', 'always']]) {
    const { stdout } = await world().ctl(args, { env: utf8 });
    t.notRegex(stdout, new RegExp(String.raw`${ESCAPE}(?!\[\d+m)`), args.join(' '));
    t.true(stdout.includes('\\u001b') || args[0] === 'status', args.join(' '));
  }
});

test.serial('a reader that goes away is no error', async (t) => {
  const { stdout, stderr } = await world().exec('/bin/sh', ['-c', `${ctlPath()} events | head -n 1`]);
  t.not(stdout, '');
  t.is(stderr, '');
});

test.serial('the daemon goes while top looks on: the terminal is put back first, then it says so', async (t) => {
  const { seen, ended } = onTerminal(`${ctlPath()} top`);
  await until('a table', async () => seen().includes('webapp'), 15_000);
  await world().daemon.stop();
  await ended;
  t.regex(seen(), /exit code 5/);
  t.true(seen().indexOf('netwalld does not answer') > seen().lastIndexOf(LEAVE));
  t.regex(seen(), / icanon/);
});
