/** netwallctl and the JSON it speaks. Titles name the exit code that is expected. */
import test from 'ava';
import { quickDns } from './daemon.ts';
import { explanationShape, statusShape } from './report-shapes.ts';
import { check, worldFor } from './sentences.ts';
import { always, until } from './until.ts';

const webapp = `service: webapp
match:
  user: webapp
dns: system
egress:
  allow:
    - to: api.partner.net
      ports: [443]
    - to: [45.64.0.0/16, "2a0f:9400::/32"]
      ports: [443, 123/udp]
    - to: [45.65.0.1]
      ports: [icmp]
  deny:
    - to: 45.64.9.0/24
ingress:
  allow:
    - ports: [8080]
---
service: worker
match:
  user: worker
mode: audit
dns: none
---
service: loner
match:
  user: loner
mode: block
dns: none
`;

const bad = webapp.replace('egress:', 'egres:');

const world = worldFor(test, async (world) => {
  await world.internet.zone({ 'api.partner.net': { addresses: ['91.200.7.1'], ttl: 30 } });
  await world.policy('webapp.yaml', webapp);
});

test.serial('5: no daemon', async (t) => {
  const { exitCode, stderr } = await world().ctl(['status']);
  t.is(exitCode, 5);
  t.is(stderr.trim().split('\n').length, 1);
  t.is((await world().ctl(['reload'])).exitCode, 5);
});

test.serial('check needs no daemon and no privilege: 0 of a good file', async (t) => {
  const { exitCode, stdout, stderr } = await world().ctl(['check', '/etc/netwall.d/webapp.yaml'], { who: 'stranger' });
  t.is(exitCode, 0, `${stdout}${stderr}`);
});

test.serial('4: check of a bad file, with its place, the source line and a hint', async (t) => {
  await world().host.write('/etc/candidate/bad.yaml', bad);
  const { exitCode, stdout, stderr } = await world().ctl(['check', '/etc/candidate/bad.yaml'], { who: 'stranger' });
  t.is(exitCode, 4);
  t.regex(`${stdout}${stderr}`, /bad\.yaml:5:1: error: /);
  t.regex(`${stdout}${stderr}`, /egres:/);
  t.regex(`${stdout}${stderr}`, /did you mean .?egress/i);
  t.is((await world().ctl(['check', '/etc/candidate'])).exitCode, 4);
});

test.serial('2: usage', async (t) => {
  for (const args of [['no-such-command'], ['status', '--no-such-option'], ['explain'], []]) {
    t.is((await world().ctl(args)).exitCode, 2, args.join(' '));
  }
});

test.serial('0: help says what there is', async (t) => {
  const { exitCode, stdout } = await world().ctl(['--help']);
  t.is(exitCode, 0);
  for (const command of ['status', 'check', 'diff', 'reload', 'explain', 'unload']) t.true(stdout.includes(command), command);
});

test.serial('status --json has the documented shape', async (t) => {
  await world().daemon.start({ config: { dns: quickDns, reconcile_interval: '1h' } });
  await until('the name is resolved', async () => (await world().domain('webapp', 'api.partner.net')).state === 'resolved');
  await check(t, world(), ['webapp', 'tcp', '45.64.0.10', 443], 'passes');
  await check(t, world(), ['webapp', 'tcp', '45.65.0.1', 443], 'is refused');
  const { json, exitCode, stdout } = await world().ctl(['status', '--json']);
  t.is(exitCode, 0, stdout);
  const status = statusShape.parse(json);
  t.is(status.state, 'enforcing');
  t.deepEqual(status.services.map(({ service, mode, state }) => `${service} ${mode} ${state}`).toSorted(), ['loner block active', 'webapp enforce active', 'worker audit active']);
  const service = status.services.find((candidate) => candidate.service === 'webapp');
  t.like(service, { source: { file: '/etc/netwall.d/webapp.yaml', line: 1 }, uids: [20001], gids: [], message: null });
  t.deepEqual(service?.names.map(({ name, addresses }) => [name, addresses]), [['api.partner.net', ['91.200.7.1']]]);
  t.true((service?.counters.packets ?? 0) > 0);
  t.true((service?.counters.deniedPackets ?? 0) > 0);
});

test.serial('GET /v1/status says the same', async (t) => {
  const status = await world().status();
  t.notThrows(() => statusShape.parse(status));
});

test.serial('status for people names every service; one can be asked for', async (t) => {
  const all = await world().ctl(['status']);
  t.is(all.exitCode, 0);
  for (const service of ['webapp', 'worker', 'loner']) t.true(all.stdout.includes(service));
  t.false(all.stdout.includes('\u001B['), 'no colour without a terminal');
  const one = await world().ctl(['status', 'worker']);
  t.true(one.stdout.includes('worker'));
  t.false(one.stdout.includes('loner'));
});

test.serial('0: what completion asks for', async (t) => {
  const services = async (who: 'root' | 'stranger', ...words: string[]) => world().ctl(['__complete', 'services', '--', ...words], { who });
  t.like(await services('root', 'status', ''), { exitCode: 0, stdout: 'webapp\nworker\nloner', stderr: '' });
  // not permitted, or nobody there: nothing is offered, and nothing is said into the line that is being typed
  t.like(await services('stranger', 'status', ''), { exitCode: 0, stdout: '', stderr: '' });
  t.like(await services('root', '--socket', '/run/none.sock', 'status', ''), { exitCode: 0, stdout: '', stderr: '' });
});

test.serial('0: schema and completion need no daemon and no privilege; what is built is what they print', async (t) => {
  const shipped = async (file: string) => (await world().exec('cat', [`${world().repository}/dist/${file}`])).stdout;
  for (const kind of ['policy', 'config']) {
    const { exitCode, stdout } = await world().ctl(['--socket', '/run/none.sock', 'schema', kind], { who: 'stranger' });
    t.is(exitCode, 0);
    t.is(stdout, await shipped(`${kind}.schema.json`));
  }
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { exitCode, stdout } = await world().ctl(['completion', shell], { who: 'stranger' });
    t.is(exitCode, 0);
    t.true(stdout.includes('unblock'), shell);
  }
  t.is((await world().ctl(['completion', 'tcsh'])).exitCode, 2);
  for (const page of ['netwall.d.5', 'netwallctl.8', 'netwalld.8', 'netwalld.yaml.5']) t.regex(await shipped(`man/${page}`), /^\.TH /m, page);
});

type Question = readonly [title: string, args: readonly string[], exitCode: 0 | 6, verdict: 'allow' | 'refuse' | 'audit', line: number | null];

const questions: readonly Question[] = [
  ['an address of a listed network', ['webapp', '45.64.0.10:443'], 0, 'allow', 9],
  ['… of IPv6', ['webapp', '[2a0f:9400::10]:443'], 0, 'allow', 9],
  ['… by UDP', ['webapp', '45.64.0.10:123/udp'], 0, 'allow', 9],
  ['… at another port', ['webapp', '45.64.0.10:80'], 6, 'refuse', null],
  ['a listed name', ['webapp', 'api.partner.net:443'], 0, 'allow', 7],
  ['an address that a listed name has', ['webapp', '91.200.7.1:443'], 0, 'allow', 7],
  ['an unlisted address', ['webapp', '91.200.7.2:443'], 6, 'refuse', null],
  ['a denied address', ['webapp', '45.64.9.9:443'], 6, 'refuse', 14],
  ['an audited service', ['worker', '91.200.7.2:443'], 0, 'audit', null],
  ['a blocked service', ['loner', '45.64.0.10:443'], 6, 'refuse', null],
];

for (const [title, args, exitCode, verdict, line] of questions) {
  test.serial(`${exitCode}: explain ${title}: ${args.join(' ')}`, async (t) => {
    const answer = await world().ctl(['explain', ...args, '--json']);
    t.is(answer.exitCode, exitCode, answer.stdout + answer.stderr);
    const explanation = explanationShape.parse(answer.json);
    t.like(explanation, { verdict, service: args[0] ?? '' });
    if (line !== null) t.like(explanation.rule, { file: '/etc/netwall.d/webapp.yaml', line });
    if (verdict === 'refuse' && line === null) t.is(explanation.rule, null);
  });
}

test.serial('explain agrees with the kernel and tells people what to write', async (t) => {
  const { exitCode, stdout } = await world().ctl(['explain', 'webapp', '91.200.9.9:443']);
  t.is(exitCode, 6);
  t.true(stdout.includes('91.200.9.9'));
  await check(t, world(), ['webapp', 'tcp', '91.200.9.9', 443], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '91.200.7.1', 443], 'passes');
});

test.serial('0: diff, when kernel and files agree', async (t) => {
  const { exitCode, stdout } = await world().ctl(['diff']);
  t.is(exitCode, 0, stdout);
});

test.serial('3: diff, when the kernel was changed behind the daemon', async (t) => {
  const foreign = '91.200.66.6';
  // changes are repaired as they happen, unless the daemon does not hear of them
  const childrenOf = async (pid: string) => (await world().exec('/usr/bin/pgrep', ['-P', pid])).stdout.trim().split('\n').filter(Boolean);
  for (const child of await childrenOf(`${world().daemon.pid()}`)) {
    for (const pid of await childrenOf(child)) {
      if ((await world().exec('/bin/cat', [`/proc/${pid}/cmdline`])).stdout.includes('monitor')) process.kill(Number(pid), 'SIGSTOP');
    }
  }
  await world().nft(`add element inet netwall user_egress4 { 20001 . ${foreign} . tcp . 443 }`);
  const { exitCode, stdout } = await world().ctl(['diff']);
  t.is(exitCode, 3);
  t.true(stdout.includes(foreign), stdout);
});

test.serial('0: reload repairs it and prints the generation', async (t) => {
  const { exitCode, stdout } = await world().ctl(['reload']);
  t.is(exitCode, 0);
  t.regex(stdout, new RegExp(`\\b${(await world().status()).generation}\\b`));
  await check(t, world(), ['webapp', 'tcp', '91.200.66.6', 443], 'is refused');
  t.is((await world().ctl(['diff'])).exitCode, 0);
});

test.serial('reload waits until an edit is enforced', async (t) => {
  await world().policy('webapp.yaml', webapp.replace('45.64.0.0/16', '45.64.0.0/16, 91.200.8.0/24'));
  t.is((await world().ctl(['reload'])).exitCode, 0);
  await check(t, world(), ['webapp', 'tcp', '91.200.8.1', 443], 'passes');
});

test.serial('4: reload of a bad edit, which changes nothing', async (t) => {
  await world().policy('webapp.yaml', bad);
  const { exitCode, stdout, stderr } = await world().ctl(['reload']);
  t.is(exitCode, 4, `${stdout}${stderr}`);
  t.regex(`${stdout}${stderr}`, /webapp\.yaml:5:1/);
  await check(t, world(), ['webapp', 'tcp', '91.200.8.1', 443], 'passes');
});

test.serial('3: status, while a drift is open', async (t) => {
  const { exitCode, json } = await world().ctl(['status', '--json']);
  t.is(exitCode, 3);
  const status = statusShape.parse(json);
  t.true(status.drift.open.some(({ kind }) => kind === 'file'));
  t.is(status.services.find(({ service }) => service === 'webapp')?.state, 'stale');
});

test.serial('0: status, when it is put right', async (t) => {
  await world().policy('webapp.yaml', webapp);
  t.is((await world().ctl(['reload'])).exitCode, 0);
  t.is((await world().ctl(['status'])).exitCode, 0);
});

test.serial('7: others may neither read nor write', async (t) => {
  for (const command of ['status', 'reload', 'unload']) t.is((await world().ctl([command], { who: 'stranger' })).exitCode, 7, command);
  await check(t, world(), ['webapp', 'tcp', '91.200.9.9', 443], 'is refused');
});

test.serial('unload removes the wall and it stays removed', async (t) => {
  const { exitCode, stderr } = await world().ctl(['unload']);
  t.is(exitCode, 0, stderr);
  t.notRegex(await world().nft('list tables'), /netwall/);
  await check(t, world(), ['webapp', 'tcp', '91.200.9.9', 443], 'passes');
  await check(t, world(), ['loner', 'udp', '91.200.9.9', 1], 'passes');
  await always('no table comes back', async () => !(await world().nft('list tables')).includes('netwall'), 3000);
});
