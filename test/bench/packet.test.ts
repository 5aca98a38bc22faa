/** What the generator's line means; the walls that others would write; the policies that are measured. */
import test from 'ava';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { parseLoad } from '../../bench/packet-output.ts';
import { partsOf, stepNames, stepText } from '../../bench/packet-parts.ts';
import { permission, wideFiles } from '../../bench/packet-plan.ts';
import { establishedText, iptablesText, linearText, setText } from '../../bench/packet-walls.ts';
import { policyText } from '../../bench/policies.ts';

test('a line of packet-client', (t) => {
  t.deepEqual(parseLoad('1200 0.500000 0.400000 2.500 10.250\n'), { total: 1200, seconds: 0.5, cpuSeconds: 0.4, median: 2.5, p99: 10.25 });
});

for (const text of ['', '1 2 3 4', '1 2 3 4 5 6', 'udp: Operation not permitted']) {
  test(`no line of packet-client: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseLoad(text), { message: /packet-client said/ });
  });
}

const lines = (text: string, pattern: RegExp): string[] => text.split('\n').filter((line) => pattern.test(line));

const walls: readonly [what: string, text: string, pattern: RegExp, found: readonly string[]][] = [
  ['iptables asks for one user after the other', iptablesText([7, 8]), /OUTPUT .*owner/, ['-A OUTPUT -m owner --uid-owner 7 -j u7', '-A OUTPUT -m owner --uid-owner 8 -j u8']],
  ['iptables refuses the rest', iptablesText([7]), /REJECT/, ['-A u7 -j REJECT']],
  ['iptables is told to take it', iptablesText([]), /COMMIT|filter/, ['*filter', 'COMMIT']],
  ['nft asks for one user after the other', linearText([7, 8]), /skuid/, ['meta skuid 7 goto u7', 'meta skuid 8 goto u8']],
  ['nft judges every packet', linearText([7]), /established/, []],
  ['nft lets go on what has begun', linearText([7], { established: true }), /established/, ['ct state established accept']],
  ['one user may begin', establishedText(7), /skuid/, ['meta skuid 7 ip daddr 91.200.0.1 th dport { 443, 500 } accept']],
  ['sets are asked once', setText([7, 8]), /^meta skuid/, ['meta skuid . ip daddr . meta l4proto . th dport @allowed accept', 'meta skuid @governed reject']],
  ['everybody is in the set', setText([7, 8]), /element .* governed/, ['add element inet wall governed { 7, 8 }']],
];
for (const [what, text, pattern, found] of walls) test(what, (t) => t.deepEqual(lines(text, pattern), found));

const policies: readonly [what: string, text: string][] = [
  ['one of many', policyText(0, { addresses: 10 }) + permission],
  ...wideFiles(30_000).map((text, index): [string, string] => [`a file of many addresses: ${index}`, text]),
];
for (const [what, text] of policies) {
  test(`a policy that netwalld takes: ${what}`, (t) => {
    const { problems } = parsePolicyFile('bench.yaml', Buffer.from(text));
    t.deepEqual(problems.map(({ message }) => message), []);
  });
}

test('each step has one part more than the one before', (t) => {
  const texts = stepNames.map((name) => stepText(name, 7));
  t.deepEqual(texts.map((text) => lines(text, /^type .* hook/).length), [1, 1, 3, 3, 4, 5]);
  t.deepEqual(texts.map((text) => lines(text, /^meta |^ct /).length), [1, 2, 5, 6, 6, 6]);
});

test('what a part costs is what it takes more than the part before', (t) => {
  const series = (name: string, nanoseconds: number) => ({ name, samples: [1e9 / nanoseconds] });
  const found = partsOf(series('nothing', 1000), [series('a', 1200), series('b', 1250)], series('all', 1300));
  t.deepEqual(found.map(({ what, value }) => [what, value]), [
    ['of a datagram: nothing', 1000],
    ['of a datagram: a', 200],
    ['of a datagram: b', 50],
    ['of a datagram: the rest of all', 50],
  ]);
});
