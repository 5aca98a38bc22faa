/** A policy from what a service did: the same run passes under it, and nothing else does. */
import test from 'ava';
import { controlSocket } from './control.ts';
import { quickDns } from './daemon.ts';
import { link } from './plan.ts';
import { check, passes, worldFor } from './sentences.ts';
import { until } from './until.ts';

const world = worldFor(test, async (made) => {
  await made.internet.zone({
    'api.partner.net': { addresses: ['45.64.30.1', '45.64.30.2'], ttl: 60 },
    'a.cdn.net': { addresses: ['45.64.31.1'], ttl: 60 },
    'b.cdn.net': { addresses: ['45.64.31.2'], ttl: 60 },
    'c.cdn.net': { addresses: ['45.64.31.3'], ttl: 60 },
    'db.corp.net': { addresses: ['10.20.0.5'], ttl: 60 },
    'old.partner.net': { addresses: ['45.64.32.1'], ttl: 60 },
  });
  await made.policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\nmode: audit\ndns: none\n');
  await made.policy('billing.yaml', 'service: billing\nmatch: { user: billing }\negress:\n  allow:\n    - { to: [old.partner.net, "*.cdn.net"], ports: [443] }\n  deny:\n    - to: 91.200.66.0/24\n');
  await made.daemon.start({ config: { dns: quickDns } });
});

/** What the service does on every day of its life. */
async function run(): Promise<readonly string[]> {
  const webapp = world().as('webapp');
  const results: string[] = [];
  const note = (what: string, result: unknown) => results.push(`${what}: ${typeof result === 'string' ? result : JSON.stringify(result)}`);
  for (const name of ['api.partner.net', 'a.cdn.net', 'b.cdn.net', 'c.cdn.net', 'db.corp.net']) {
    const addresses = await webapp.resolve(name);
    note(name, addresses);
    for (const address of typeof addresses === 'string' ? [] : addresses) note(`${name} ${address}`, (await webapp.tcp(address, name === 'db.corp.net' ? 5432 : 443)).result);
  }
  note('an address', (await webapp.tcp('91.200.5.5', 8443)).result);
  note('UDP', (await webapp.udp('91.200.5.6', 5000)).result);
  note('IPv6', (await webapp.tcp('2a0f:9400::5', 443)).result);
  note('ping', (await webapp.ping('91.200.5.7')).result);
  const server = await webapp.listen({ protocol: 'tcp', address: '0.0.0.0', port: 8080 });
  note('inbound', (await world().internet.client.tcp(link.host.v4, 8080)).result);
  await server.close();
  return results;
}

const learn = (service: string, ...more: string[]) => {
  const child = world().spawn(`${world().repository}/dist/netwallctl`, ['--socket', controlSocket, 'learn', service, '--for', '10m', ...more]);
  let [output, said] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    watched: () => until('it is watched', async () => said.includes('may do what it likes'), 10_000),
    over: async () => {
      child.kill('SIGINT');
      return until('the policy is printed', async () => child.exitCode !== null && output, 10_000);
    },
  };
};

test.serial('round trip: the same run passes under the learnt policy, and what was not done does not', async (t) => {
  const learning = learn('webapp');
  await learning.watched();
  const before = await run();
  t.true(before.every((line) => /connected|echoed|replied|\["/.test(line)), before.join('\n'));
  const policy = await learning.over();
  t.regex(policy, /- to: api\.partner\.net {2}# \d+ packets, 45\.64\.30\.[12] 45\.64\.30\.[12]\n {6}ports: \[443\]/);
  t.regex(policy, /- to: a\.cdn\.net/);
  t.regex(policy, /- to: db\.corp\.net {2}#.*\n {6}ports: \[5432\]\n {6}private: true/);
  t.notRegex(policy, /mode:|dns:|\*\./);

  await world().policy('webapp.yaml', policy);
  t.is((await world().ctl(['reload'])).exitCode, 0);
  const service = (await world().status()).services.find((one) => one.service === 'webapp');
  t.is(service?.mode, 'enforce');
  t.deepEqual(await run(), before);
  await check(t, world(), ['webapp', 'tcp', '91.200.5.5', 8444], 'is refused');
  await check(t, world(), ['webapp', 'tcp', '91.200.5.8', 8443], 'is refused');
  t.is(await world().as('webapp').resolve('old.partner.net'), 'EREFUSED');
});

test.serial('a service that is enforced: let loose, added to, enforced again; its flows go on', async (t) => {
  t.deepEqual(await world().as('billing').resolve('a.cdn.net'), ['45.64.31.1']);
  const flow = await world().as('billing').open('tcp', '45.64.31.1', 443);
  await check(t, world(), ['billing', 'tcp', '91.200.7.7', 443], 'is refused');
  const learning = learn('billing', '--wildcards');
  await learning.watched();
  t.is((await flow.exchange()).result, 'echoed');
  t.true(await passes(world(), ['billing', 'tcp', '91.200.7.7', 443]));
  t.true(await passes(world(), ['billing', 'tcp', '91.200.66.1', 443]));
  t.regex((await world().ctl(['status'])).stdout, /billing may do what it likes/);
  const boots = [await world().host.read('/etc/netwall/boot.nft')];
  const policy = await learning.over();
  boots.push(await world().host.read('/etc/netwall/boot.nft'));
  t.regex(policy, /# Seen, and not below: 91\.200\.66\.1 443 \(\d+ packets\): a deny entry is against it/);
  t.regex(policy, /to: \[old\.partner\.net, "\*\.cdn\.net"\] {2}# as before/);
  t.regex(policy, /to: 91\.200\.7\.7/);
  t.is((await flow.exchange()).result, 'echoed');
  await check(t, world(), ['billing', 'tcp', '91.200.7.7', 443], 'is refused');
  t.true(boots.every((text) => text.includes('20002" : goto user_enforce')));
  await flow.close();
});

test.serial('who is shut meanwhile is shut, and what boots is what is installed', async (t) => {
  const learning = learn('webapp');
  await learning.watched();
  await world().policy('worker.yaml', 'service: worker\nmatch: { user: worker }\n');
  await until('it is in what boots', async () => (await world().host.read('/etc/netwall/boot.nft')).includes('20003" : goto user_enforce'), 10_000);
  t.true((await world().host.read('/etc/netwall/boot.nft')).includes('20001" : goto user_enforce'));
  t.true(await passes(world(), ['webapp', 'tcp', '91.200.77.7', 443]));
  await world().policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\nmode: block\n');
  await world().ctl(['reload']);
  await check(t, world(), ['webapp', 'tcp', '91.200.77.7', 443], 'is refused');
  await learning.over();
});

test.serial('a daemon that is killed meanwhile comes back to what is installed', async (t) => {
  const learning = learn('billing');
  await learning.watched();
  t.true(await passes(world(), ['billing', 'tcp', '91.200.7.7', 443]));
  await world().daemon.kill();
  await world().daemon.start({ config: { dns: quickDns } });
  await check(t, world(), ['billing', 'tcp', '91.200.7.7', 443], 'is refused');
  t.deepEqual((await world().status()).learning, []);
});

test.serial('what cannot be', async (t) => {
  const refused = async (args: readonly string[], exit: number, error: RegExp) => {
    const { exitCode, stderr } = await world().ctl(['learn', ...args]);
    t.is(exitCode, exit);
    t.regex(stderr, error);
  };
  await refused(['nobody', '--for', '1s'], 1, /no service "nobody": give it a policy first/);
  await refused(['billing', '--for', 'soon'], 2, /duration/);
  await refused(['billing', '--stop'], 1, /is not watched/);
  await world().ctl(['block', 'billing']);
  await refused(['billing', '--for', '1s'], 1, /is blocked/);
  await world().ctl(['unblock', 'billing']);
});

test.serial('written to a file, and never over one', async (t) => {
  const file = '/run/learnt.yaml';
  t.is((await world().ctl(['learn', 'billing', '--for', '1s', '--write', file])).exitCode, 0);
  t.regex(await world().host.read(file), /^# Learnt by netwalld/);
  const again = await world().ctl(['learn', 'billing', '--for', '1s', '--write', file]);
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /exists/);
});
