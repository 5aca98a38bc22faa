import test from 'ava';
import { DesiredState } from '../../src/daemon/desired.ts';
import { Explainer } from '../../src/daemon/explainer.ts';
import type { Owner } from '../../src/host/accounts.ts';
import { HostError } from '../../src/host/host-error.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { buildPolicySet } from '../../src/policy/policy-set.ts';
import { UNKNOWN } from '../../src/resolve/address-book.ts';
import { PassiveDns } from '../../src/resolve/passive-dns.ts';
import { resolvePrincipals } from '../../src/resolve/principals.ts';
import { address } from '../ruleset/policies.ts';

/** The first is not valid; what it names is blocked under the same name as the second. */
const FILES = {
  'a.yaml': 'service: webapp\nmatch: { user: 1003 }\nmode: blok\n',
  'b.yaml': `service: webapp
match: { user: 1001 }
egress:
  allow:
    - { to: 45.64.7.1, ports: [443] }
    - { to: "*.example.com", ports: [443] }
---
service: other
match: { user: 1002 }
mode: audit
egress:
  allow:
    - { to: [db.example.com, listed.example.com], ports: [443] }
`,
};
/** What "other" has of DNS. */
const BOOK: Readonly<Record<string, readonly string[]>> = { 'db.example.com': ['45.64.7.5'], 'listed.example.com': ['45.64.7.1'] };

function setUp() {
  const files = Object.entries(FILES).map(([name, text]) => ({ name, path: `/${name}`, hash: name, text, parsed: parsePolicyFile(`/${name}`, text), refusals: [] }));
  const { services } = buildPolicySet(files, new Map(), () => null);
  const book = new Map(Object.entries(BOOK).map(([name, texts]) => [name, { ...UNKNOWN, current: texts.map(address) }]));
  const entry = (domain: string) => book.get(domain) ?? UNKNOWN;
  const states = new DesiredState().compute({
    services,
    principals: resolvePrincipals(services, () => null),
    nameservers: [],
    addressesOf: (domain) => entry(domain).current,
    seenBy: () => new Map(),
    dnsPortOf: () => null,
    blocks: { since: () => null },
    options: { addressTimeout: 600 },
  });
  const counted: string[] = [];
  const waiting: ((owner: Owner | null) => void)[] = [];
  const explainer = new Explainer({
    services: () => states,
    entry,
    passive: new PassiveDns(),
    ownerOf: (who) => (who === 'slow' ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(null)),
    nft: {
      countElement: async (set, key) => {
        counted.push(`${set} ${key}`);
        return { packets: 1, bytes: 1 };
      },
    },
  });
  return { counted, waiting, explain: (who: string, destination: string) => explainer.explain({ who, destination, inbound: false }) };
}

const COUNTED: readonly [what: string, who: string, destination: string, verdict: string, counted: readonly string[]][] = [
  ['allowed by an element of its own', '1001', '45.64.7.1:443', 'allow', ['user_egress4 1001 . 45.64.7.1 . tcp . 443']],
  ['… that another service knows a name for', '1001', 'listed.example.com:443', 'allow', ['user_egress4 1001 . 45.64.7.1 . tcp . 443']],
  ['allowed, but without an element until it asks', '1001', 'db.example.com:443', 'allow', []],
  ['refused', '1001', '45.64.7.9:443', 'refuse', ['user_denied4 1001 . 45.64.7.9 . tcp . 443']],
  ['refused by name', '1001', 'db.example.com:22', 'refuse', ['user_denied4 1001 . 45.64.7.5 . tcp . 22']],
  ['let pass by an audit', 'other', '45.64.7.9:443', 'audit', ['user_denied4 1002 . 45.64.7.9 . tcp . 443']],
  ['not governed', '4711', '45.64.7.9:443', 'allow', []],
];
for (const [what, who, destination, expected, keys] of COUNTED) {
  test(`what is counted: ${what}`, async (t) => {
    const { explain, counted } = setUp();
    const answer = await explain(who, destination);
    t.deepEqual([answer.ok ? answer.report.verdict : answer.error, counted], [expected, keys]);
    t.deepEqual(answer.ok ? answer.report.counters : null, keys.length === 0 ? null : { packets: 1, bytes: 1 });
  });
}

test('at most 32 questions at a time', async (t) => {
  const { explain, waiting } = setUp();
  const asked = Array.from({ length: 32 }, () => explain('slow', '45.64.7.1:443'));
  for (const who of ['slow', 'webapp']) await t.throwsAsync(explain(who, '45.64.7.1:443'), { instanceOf: HostError, message: /^explain: 32 questions are under way already/ });
  waiting.shift()?.(null);
  t.like(await asked[0], { ok: false });
  t.like(await explain('1001', '45.64.7.1:443'), { ok: true }, 'one was answered');
  for (const answer of waiting) answer({ uid: 1001, gid: null });
  t.deepEqual(new Set((await Promise.all(asked.slice(1))).map(({ ok }) => ok)), new Set([true]));
  t.like(await explain('1001', '45.64.7.1:443'), { ok: true });
});
