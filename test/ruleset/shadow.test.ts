import test from 'ava';
import { shadows } from '../../src/ruleset/shadow.ts';
import { createNamespace } from '../kernel/namespace.ts';

const OWN = { name: 'netwall', mark: null };
const base = (name: string, hook: string, rest: string, rules = '', type = 'filter') => `chain ${name} {\ntype ${type} hook ${hook} ${rest}\n${rules}\n}`;

const CASES: readonly [what: string, ruleset: string, found: readonly RegExp[]][] = [
  ['nothing at all', '', []],
  ['our own tables', `table inet netwall {\n${base('output', 'output', 'priority 0; policy drop;')}\n}\ntable inet netwall_guard {\n${base('o', 'output', 'priority 5; policy drop;')}\n}`, []],
  ['a table of another family of our name', `table ip netwall {\n${base('o', 'output', 'priority 0; policy drop;')}\n}`, [/^table ip netwall, chain o .*drops by default/]],
  ['one that accepts', `table inet f {\n${base('o', 'output', 'priority 0; policy accept;', 'tcp dport 22 accept')}\n}`, []],
  ['policy drop on the way in', `table inet f {\n${base('i', 'input', 'priority 0; policy drop;')}\n}`, [/chain i \(hook input\) drops by default/]],
  ['rules that drop on the way in are an ordinary firewall', `table inet f {\n${base('i', 'input', 'priority 0; policy accept;', 'tcp dport 22 drop')}\n}`, []],
  ['a rule that rejects', `table ip f {\n${base('o', 'output', 'priority 0; policy accept;', 'tcp dport 25 reject')}\n}`, [/^table ip f, chain o \(hook output\) has rules that drop or reject/]],
  ['one in a chain that is come to by way of another', `table ip f {\nchain deep {\ndrop\n}\nchain sub {\ngoto deep\n}\n${base('o', 'postrouting', 'priority 0; policy accept;', 'tcp dport 25 jump sub')}\n}`, [/chain o \(hook postrouting\)/]],
  ['one in a verdict map', `table ip f {\n${base('o', 'output', 'priority 0; policy accept;', 'tcp dport vmap { 25 : drop, 80 : accept }')}\n}`, [/chain o/]],
  ['one that nobody comes to', `table ip f {\nchain sub {\ndrop\n}\n${base('o', 'output', 'priority 0; policy accept;')}\n}`, []],
  ['forwarding is not ours', `table ip f {\n${base('o', 'forward', 'priority 0; policy drop;')}\n}`, []],
  ['DNS turned earlier', `table ip f {\n${base('n', 'output', 'priority -150; policy accept;', 'udp dport 53 redirect to :5353', 'nat')}\n}`, [/DNS queries before netwalld/]],
  ['turned later', `table ip f {\n${base('n', 'output', 'priority 0; policy accept;', 'udp dport 53 redirect to :5353', 'nat')}\n}`, []],
  ['not tracked', `table ip f {\n${base('r', 'output', 'priority -300; policy accept;', 'udp dport 53 notrack')}\n}`, [/connection tracking off/]],
];
for (const [what, ruleset, found] of CASES) {
  test(`shadow: ${what}`, async (t) => {
    const namespace = await createNamespace();
    t.teardown(() => namespace.remove());
    if (ruleset !== '') await namespace.apply(ruleset);
    const sentences = shadows(JSON.parse(await namespace.nft('-t', '-j', 'list', 'ruleset')), OWN);
    t.is(sentences.length, found.length, sentences.join('\n'));
    for (const [index, pattern] of found.entries()) t.regex(sentences[index] ?? '', pattern);
  });
}

test('what is no listing shadows nothing', (t) => {
  for (const listing of [null, {}, { nftables: null }, { nftables: [null, 1, {}, { chain: null }, { rule: {} }] }]) t.deepEqual(shadows(listing, OWN), []);
});
