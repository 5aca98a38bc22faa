import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { Learning, type Observed } from '../../src/daemon/learning.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { buildPolicySet } from '../../src/policy/policy-set.ts';
import { address } from '../ruleset/policies.ts';

const policySet = (text: string) => buildPolicySet([{ name: 'a.yaml', path: '/a.yaml', hash: text, text, parsed: parsePolicyFile('/a.yaml', text), refusals: [] }], new Map(), () => null);
const WEBAPP = 'service: webapp\nmatch: { user: 1001 }\n';

function setUp() {
  const seen: { flows: Observed['flows'] } = { flows: [] };
  const is = { installed: policySet(WEBAPP) };
  const enforced: string[] = [];
  const learning = new Learning({
    observe: async () => {
      await sleep(5);
      return { flows: seen.flows, queries: [] };
    },
    enforce: async () => {
      enforced.push(learning.active.map(({ service }) => service).join());
    },
    policyOf: (name) => is.installed.services.find(({ service }) => service === name)?.linked?.policy ?? null,
    beside: ({ service, at }) => (at.file === '/a.yaml' ? is.installed.services.map((entry) => entry.service).filter((name) => name !== service) : []),
    onChange: () => {},
  });
  const policy = is.installed.services[0]?.linked?.policy;
  if (policy === undefined) throw new Error('no policy');
  return { learning, seen, is, enforced, policy };
}
const flow = (to: string, packets: number): Observed['flows'][number] => ({ direction: 'out', address: address(to), protocol: 'tcp', port: 443, packets, names: [], denied: false });

test('what was there before does not count, what was forgotten in between counts anew', async (t) => {
  const { learning, seen, policy } = setUp();
  seen.flows = [flow('45.64.7.1', 5), flow('45.64.7.2', 5), flow('45.64.7.3', 9)];
  t.true(await learning.start(policy, 60_000, false));
  seen.flows = [flow('45.64.7.1', 5), flow('45.64.7.2', 8), flow('45.64.7.3', 2), flow('45.64.7.4', 1)];
  const { policy: text = '' } = (await learning.stop('webapp')) ?? {};
  t.regex(text ?? '', /45\.64\.7\.2 {2}# 3 packets[^]*45\.64\.7\.3 {2}# 2 packets[^]*45\.64\.7\.4 {2}# 1 packet/);
  t.notRegex(text ?? '', /45\.64\.7\.1/);
  await learning.close();
});

test('who is blocked by the policy of now stays blocked', async (t) => {
  const { learning, policy } = setUp();
  await learning.start(policy, 60_000, false);
  const modes = (text: string) => learning.over(policySet(text).services).map(({ linked }) => linked?.policy.mode);
  t.deepEqual(modes(WEBAPP), ['audit']);
  t.deepEqual(modes(`${WEBAPP}mode: block\n`), ['block']);
  await learning.close();
});

test('two at once are one', async (t) => {
  const { learning, policy, enforced } = setUp();
  t.deepEqual(await Promise.all([learning.start(policy, 60_000, false), learning.start(policy, 1000, false)]), [true, false]);
  const [first, second] = await Promise.all([learning.stop('webapp'), learning.stop('webapp')]);
  t.deepEqual(first, second);
  t.deepEqual(enforced, ['webapp', '']);
  t.true(await learning.start(policy, 60_000, false));
  t.deepEqual(learning.active.map(({ service }) => service), ['webapp']);
  await learning.close();
});

test('what is printed is what is installed by then, with what was seen', async (t) => {
  const { learning, seen, is, policy } = setUp();
  await learning.start(policy, 60_000, false);
  seen.flows = [flow('45.64.7.4', 1)];
  is.installed = policySet(`${WEBAPP}egress:\n  deny:\n    - to: 45.64.66.0/24\n`);
  t.regex((await learning.stop('webapp'))?.policy ?? '', /to: 45\.64\.7\.4[^]*deny:\n {4}- to: \[45\.64\.66\.0\/24\] {2}# as before/);
  await learning.close();
});

test('what else its file holds by then is noted', async (t) => {
  const { learning, is, policy } = setUp();
  for (const [also, noted] of [['', false], ['---\nservice: billing\nmatch: { user: 1002 }\n', true]] as const) {
    is.installed = policySet(`${WEBAPP}${also}`);
    await learning.start(policy, 60_000, false);
    const { policy: text = '' } = (await learning.stop('webapp')) ?? {};
    t.is(/^# \/a\.yaml also holds billing: /m.test(text ?? ''), noted);
  }
  await learning.close();
});
