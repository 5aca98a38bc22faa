/** Would it pass, and what does the kernel know of it: with the daemon, and by the files alone. */
import test from 'ava';
import { quickDns } from './daemon.ts';
import { link } from './plan.ts';
import { worldFor } from './sentences.ts';

const world = worldFor(test, async (made) => {
  await made.internet.zone({ 'api.partner.net': { cname: 'edge.cdn.net' }, 'edge.cdn.net': { addresses: ['45.64.30.1'], ttl: 60 } });
  await made.policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\negress:\n  allow:\n    - { to: [api.partner.net, 45.64.0.0/24], ports: [443] }\ningress:\n  allow:\n    - ports: [8080]\n');
  await made.daemon.start({ config: { dns: quickDns } });
});
const explain = async (...args: string[]) => {
  const { exitCode, stdout, stderr } = await world().ctl(['explain', ...args]);
  return { exitCode, stdout, stderr };
};

test.serial('a name: its addresses, age, alias, and what passed', async (t) => {
  t.deepEqual(await world().as('webapp').resolve('api.partner.net'), ['45.64.30.1']);
  t.is((await world().as('webapp').tcp('45.64.30.1', 443)).result, 'connected');
  const { exitCode, stdout } = await explain('webapp', 'api.partner.net:443');
  t.is(exitCode, 0);
  t.regex(stdout, /^allow: allowed by api\.partner\.net\n {2}\/etc\/netwall\.d\/webapp\.yaml:5:14\n {2}address: 45\.64\.30\.1\n {2}name: api\.partner\.net, alias of edge\.cdn\.net, in an answer \d+ s ago: 45\.64\.30\.1\n {2}passed: [1-9]\d* packets, \d+ B$/m);
  t.regex((await explain('webapp', '45.64.30.1:443')).stdout, /name: api\.partner\.net, alias of/);
});

test.serial('what was refused is counted as well', async (t) => {
  await world().as('webapp').tcp('91.200.1.1', 22);
  const { exitCode, stdout } = await explain('webapp', '91.200.1.1:22');
  t.is(exitCode, 6);
  t.regex(stdout, /^refuse: nothing listed allows 91\.200\.1\.1 port 22\/tcp\n[^]*recorded: 1 packets, \d+ B/);
});

test.serial('by a network', async (t) => {
  await world().as('webapp').tcp('45.64.0.9', 443);
  t.regex((await explain('webapp', '45.64.0.9:443')).stdout, /allowed by 45\.64\.0\.0\/24[^]*passed: [1-9]/);
});

test.serial('inbound', async (t) => {
  t.is((await explain('webapp', `${link.internet.v4}:8080`, '--inbound')).exitCode, 0);
  const refused = await explain('webapp', `${link.internet.v4}:8081`, '--inbound');
  t.is(refused.exitCode, 6);
  t.regex(refused.stdout, /no ingress entry allows[^]*ingress\.allow/);
});

test.serial('a user whom the policy of a group refuses, and the group', async (t) => {
  await world().policy('builders.yaml', 'service: builders\nmatch: { group: ci }\n');
  await world().ctl(['reload']);
  t.not((await world().as('runner').tcp('91.200.1.1', 22)).result, 'connected');
  for (const who of ['runner', '20011', 'ci', 'builders']) t.is((await explain(who, '91.200.1.1:22')).exitCode, 6, who);
  t.is((await explain('helper', '91.200.1.1:22')).exitCode, 0);
});

test.serial('a listed name with a private address, and what to do; no port is no reason to open all', async (t) => {
  await world().internet.zone({ 'api.partner.net': { addresses: ['10.20.0.5'], ttl: 1 } });
  await world().ctl(['resolve', 'api.partner.net']);
  const { exitCode, stdout } = await explain('webapp', '10.20.0.5:443');
  t.is(exitCode, 6);
  t.regex(stdout, /api\.partner\.net is listed at .*webapp\.yaml:5, but 10\.20\.0\.5 is private use \(RFC 1918\), and no name may lead there unasked[^]*hint: if that is meant: private: true/);
  await world().internet.zone({ 'api.partner.net': { addresses: ['45.64.30.1'], ttl: 60 } });
  await world().ctl(['resolve', 'api.partner.net']);
  t.regex((await explain('webapp', '45.64.0.9')).stdout, /ask with a port; the closest entry is 45\.64\.0\.0\/24 .*, which allows ports \[443\]/);
});

test.serial('by the files alone', async (t) => {
  const same = async (destination: string, ...more: string[]) => {
    const [asked, read] = [await explain('webapp', destination, '--json', ...more), await explain('webapp', destination, '--json', '--offline', ...more)];
    t.is(read.exitCode, asked.exitCode, destination);
    t.deepEqual(JSON.parse(read.stdout).rule, JSON.parse(asked.stdout).rule, destination);
  };
  for (const destination of ['api.partner.net:443', 'api.partner.net:80', '45.64.0.1:443', '91.200.1.1:443', 'other.net:443']) await same(destination);
  await same(`${link.internet.v4}:8080`, '--inbound');
  await world().daemon.stop();
  const { exitCode, stdout, stderr } = await explain('webapp', '45.64.0.1:443');
  t.is(exitCode, 0);
  t.regex(stderr, /does not answer: this is what the installed files say/);
  t.regex(stdout, /allowed by 45\.64\.0\.0\/24/);
  t.is((await explain('20001', '91.200.1.1:443')).exitCode, 6);
});
