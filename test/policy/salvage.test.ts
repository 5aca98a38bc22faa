import test from 'ava';
import { parsePolicyFile } from '../../src/policy/parse.ts';

/** Who a refused file still names: `service: kind id, id`, with the place of the document. */
function salvaged(text: string | Uint8Array): string[] {
  const { problems, salvage } = parsePolicyFile('policy.yaml', text);
  if (!problems.some(({ severity }) => severity === 'error')) return ['not refused'];
  return salvage.map(({ service, kind, subjects, at }) => `${at.line}:${at.column} ${service ?? '?'}: ${kind} ${subjects.map(({ id }) => JSON.stringify(id)).join(', ')}`);
}

const cases: readonly (readonly [title: string, text: string, salvage: readonly string[]])[] = [
  ['an unknown key', 'service: webapp\nmatch: { user: [webapp, 1001] }\nfoo: 1\n', ['1:1 webapp: user "webapp", 1001']],
  ['a group', 'service: ci\nmatch: { group: ci }\nmode: blok\n', ['1:1 ci: group "ci"']],
  ['a good document beside a bad one', 'service: a\nmatch: { user: a }\n---\nservice: b\nmatch: { user: b }\nmode: x\n', ['1:1 a: user "a"', '4:1 b: user "b"']],
  ['both kinds', 'service: a\nmatch: { user: a, group: [b, c] }\n', ['1:1 a: user "a"', '1:1 a: group "b", "c"']],
  ['a bad name among good ones', 'service: a\nmatch: { user: [a, "17", { x: y }, ~, b, a] }\n', ['1:1 a: user "a", "b"']],
  ['a misspelt match', 'service: a\nmacth: { user: a }\n', ['1:1 a: user "a"']],
  ['a misspelt user', 'service: a\nmatch: { users: a }\n', ['1:1 a: user "a"']],
  ['a user outside of match', 'service: a\nuser: a\n', ['1:1 a: user "a"']],
  ['a misspelt service', 'servise: a\nmatch: { user: a }\n', ['1:1 a: user "a"']],
  ['no service', 'match: { user: a }\n', ['1:1 ?: user "a"']],
  ['a bad service', 'service: A B\nmatch: { user: a }\n', ['1:1 ?: user "a"']],
  ['a number for a service', 'service: 17\nmatch: { user: a }\n', ['1:1 17: user "a"']],
  ['a service and nobody', 'service: a\n', ['1:1 a: user ']],
  ['a key twice', 'service: a\nmatch: { user: a }\nmatch: { user: b }\n', ['1:1 a: user "a"']],
  ['a tag', 'service: a\nmatch: !x { user: a }\n', ['1:1 a: user "a"']],
  ['an alias', 'service: a\nmatch: { user: &u [a, b] }\nx: *u\n', ['1:1 a: user "a", "b"']],
  ['an alias to nothing', 'service: a\nmatch: { user: [*u, b] }\n', ['1:1 a: user "b"']],
  ['something not closed', 'service: a\nmatch: { user: a }\negress: { allow: [\n', ['1:1 a: user "a"']],
  ['something not closed in the match itself', 'service: a\nmatch: { user: [a, b\n', ['1:1 a: user "a", "b"']],
  ['a tab', 'service: a\nmatch:\n  user: a\n\tmode: audit\n', ['1:1 a: user "a"']],
  ['a control character', 'service: a\nmatch: { user: a }\n# \u0007\n', ['1:1 a: user "a"']],
  ['a file that is too deep', `service: a\nmatch: { user: a }\nx: ${'['.repeat(5000)}`, ['1:1 a: user "a"']],
  ['a text', 'webapp\n', []],
  ['a list', '- webapp\n', []],
  ['groups', 'groups: { a: [x] }\n', []],
  ['groups that are a list', 'groups: [a]\n', []],
  ['groups beside a policy', 'service: a\nmatch: { user: a }\n---\ngroups: { a: [x] }\n', ['1:1 a: user "a"']],
  ['groups in a policy', 'service: a\nmatch: { user: a }\ngroups: { b: 10.0.0.0/8 }\n', ['1:1 a: user "a"']],
  ['a good file', 'service: a\nmatch: { user: a }\n', ['not refused']],
];

for (const [title, text, salvage] of cases) test(`salvage: ${title}`, (t) => t.deepEqual(salvaged(text), salvage));

test('salvage: bytes that are no UTF-8', (t) => {
  t.deepEqual(salvaged(Buffer.from('service: a\nmatch: { user: a }\n# \xff\n', 'latin1')), ['1:1 a: user "a"']);
});

test('salvage: too large a file', (t) => {
  t.deepEqual(salvaged(`service: a\nmatch: { user: a }\n${'#'.repeat(1024 * 1024)}`), []);
});

test('salvage is bounded', (t) => {
  const { salvage } = parsePolicyFile('policy.yaml', `service: a\nmatch:\n  user:\n${Array.from({ length: 3000 }, (_, index) => `  - u${index}\n`).join('')}mode: x\n`);
  t.is(salvage[0]?.subjects.length, 1000);
});
