import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { addPermission, type Edit } from '../../src/policy/edit.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { readPermission } from '../../src/policy/permission.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { corpusFiles } from './corpus.ts';

type Options = { readonly inbound?: boolean; readonly private?: boolean; readonly comment?: string };

function edit(text: string, words: string, { inbound = false, private: isPrivate = false, comment }: Options = {}): Edit {
  const permission = readPermission(words.split(' '), { inbound, private: isPrivate });
  if (!permission.ok) throw new Error(permission.fault);
  const { groups } = parsePolicyFile('a.yaml', text);
  return addPermission({ path: 'a.yaml', text, service: 'a', permission: permission.value, comment: comment ?? null, groups: new Map(groups.map((group) => [group.name, group])) });
}

const HEAD = 'service: a\nmatch: { user: a }\n';
const under = (entries: string) => `${HEAD}egress:\n  allow:\n${entries}`;

/** `before` and `after` are what follows HEAD, unless they have a service of their own. */
const cases: readonly (readonly [title: string, words: string, before: string, after: string, options?: Options])[] = [
  ['no section', 'x.com 443', HEAD, `${HEAD}egress:\n  allow:\n    - to: x.com\n      ports: [443]\n`],
  ['no section, no newline at the end', 'x.com 443', HEAD.trimEnd(), `${HEAD}egress:\n  allow:\n    - to: x.com\n      ports: [443]`],
  ['no section, inbound', 'any 80', HEAD, `${HEAD}ingress:\n  allow:\n    - ports: [80]\n`, { inbound: true }],
  ['no section, indented by four', 'x.com 443', 'service: a\nmatch:\n    user: a\n', 'service: a\nmatch:\n    user: a\negress:\n    allow:\n        - to: x.com\n          ports: [443]\n'],
  ['no section, lists at the key', 'x.com 443', 'service: a\nmatch:\n  user:\n  - a\n', 'service: a\nmatch:\n  user:\n  - a\negress:\n  allow:\n  - to: x.com\n    ports: [443]\n'],
  ['no section, a comment at the end', 'x.com 443', `${HEAD}\n# the end\n`, `${HEAD}egress:\n  allow:\n    - to: x.com\n      ports: [443]\n\n# the end\n`],
  ['a section without allow', 'x.com 443', `${HEAD}egress:\n  deny:\n    - to: y.com # never\n`, `${HEAD}egress:\n  deny:\n    - to: y.com # never\n  allow:\n    - to: x.com\n      ports: [443]\n`],
  ['an empty section', 'x.com 443', `${HEAD}egress: {}  # nothing yet\nmode: audit\n`, `${HEAD}egress:  # nothing yet\n  allow:\n    - to: x.com\n      ports: [443]\nmode: audit\n`],
  ['an empty list', 'x.com 443', `${HEAD}egress:\n  allow: []  # nothing yet\n  deny: []\n`, `${HEAD}egress:\n  allow:  # nothing yet\n    - to: x.com\n      ports: [443]\n  deny: []\n`],
  ['a section of nothing', 'x.com 443', `${HEAD}egress:   # nothing yet\nmode: audit\n`, `${HEAD}egress:   # nothing yet\n  allow:\n    - to: x.com\n      ports: [443]\nmode: audit\n`],
  ['a section of null', 'x.com 443', `${HEAD}egress: null\n`, `${HEAD}egress:\n  allow:\n    - to: x.com\n      ports: [443]\n`],
  ['a list of nothing', 'x.com 443', `${HEAD}egress:\n  allow:\n  deny:\n    - to: y.com\n`, `${HEAD}egress:\n  allow:\n    - to: x.com\n      ports: [443]\n  deny:\n    - to: y.com\n`],
  ['a list of null in braces', 'x.com 443', `${HEAD}egress: { allow: }\n`, `${HEAD}egress: { allow: [{ to: x.com, ports: [443] }] }\n`],
  ['an empty list in braces', 'x.com 443', `${HEAD}egress: {allow: []}\n`, `${HEAD}egress: {allow: [{to: x.com, ports: [443]}]}\n`],
  ['a list with only a comment in it', 'x.com 443', `${HEAD}egress:\n  allow: [ # nothing\n  ]\n`, `${HEAD}egress:\n  allow: [ { to: x.com, ports: [443] } # nothing\n  ]\n`],

  ['entries of lines', 'x.com 443', under('    - to: y.com\n      ports: [80]\n'), under('    - to: y.com\n      ports: [80]\n    - to: x.com\n      ports: [443]\n')],
  ['entries of lines, several of all', 'x.com 10.0.0.0/8 @g 443 53/udp', `${under('    - to: y.com\n      ports: 80\n')}---\ngroups: { g: [z.com] }\n`, `${under('    - to: y.com\n      ports: 80\n    - to: [x.com, 10.0.0.0/8, "@g"]\n      ports: [443, 53/udp]\n')}---\ngroups: { g: [z.com] }\n`],
  ['ports that are no list', 'x.com 443', under('    - to: y.com\n      ports: 80\n'), under('    - to: y.com\n      ports: 80\n    - to: x.com\n      ports: 443\n')],
  ['destinations that are a list of one', 'x.com 443', under('    - to: [y.com]\n      ports: [80]\n'), under('    - to: [y.com]\n      ports: [80]\n    - to: [x.com]\n      ports: [443]\n')],
  ['ports first, a wide dash', 'x.com 443', under('    -   ports: [ 80 ]\n        to: y.com\n'), under('    -   ports: [ 80 ]\n        to: y.com\n    -   ports: [ 443 ]\n        to: x.com\n')],
  ['lists of lines', 'x.com z.com 443', under('    - to:\n        - y.com\n      ports:\n        - 80\n'), under('    - to:\n        - y.com\n      ports:\n        - 80\n    - to:\n        - x.com\n        - z.com\n      ports:\n        - 443\n')],
  ['entries in braces', 'x.com 443', under('    - {to: y.com, ports: 80}\n'), under('    - {to: y.com, ports: 80}\n    - {to: x.com, ports: 443}\n')],
  ['quotes as before', 'x.com 443', under("    - to: 'y.com'\n      ports: [80]\n"), under("    - to: 'y.com'\n      ports: [80]\n    - to: 'x.com'\n      ports: [443]\n")],
  ['a wildcard and IPv6 are quoted', '*.x.com 2001:db9::1 443', under('    - { to: y.com, ports: [80] }\n'), under('    - { to: y.com, ports: [80] }\n    - { to: ["*.x.com", "2001:db9::1"], ports: [443] }\n')],
  ['private', 'x.com 443', under('    - to: y.com\n      ports: [443]\n'), under('    - to: y.com\n      ports: [443]\n    - to: x.com\n      ports: [443]\n      private: true\n'), { private: true }],
  ['comments everywhere', 'x.com 443', `# top\n${under('    # before\n    - to: y.com # beside\n      # within\n      ports: [80] # at the end\n      # its own\n    # of the list\n  # of the section\n# the end\n')}`, `# top\n${under('    # before\n    - to: y.com # beside\n      # within\n      ports: [80] # at the end\n      # its own\n    - to: x.com\n      ports: [443]\n    # of the list\n  # of the section\n# the end\n')}`],
  ['a comment of its own', 'x.com 443', under('    - to: y.com\n      ports: [443]\n'), under('    - to: y.com\n      ports: [443]\n    - to: x.com  # for reports, #12\n      ports: [443]\n'), { comment: 'for reports, #12' }],
  ['no newline at the end', 'x.com 443', under('    - to: y.com\n      ports: [80]'), under('    - to: y.com\n      ports: [80]\n    - to: x.com\n      ports: [443]')],
  ['CRLF', 'x.com 443', under('    - to: y.com\n      ports: [80]\n').replaceAll('\n', '\r\n'), under('    - to: y.com\n      ports: [80]\n    - to: x.com\n      ports: [443]\n').replaceAll('\n', '\r\n')],
  ['a byte order mark', 'x.com 443', `\ufeff${under('    - to: y.com\n      ports: [80]\n')}`, `\ufeff${under('    - to: y.com\n      ports: [80]\n    - to: x.com\n      ports: [443]\n')}`],
  ['tabs between values', 'x.com 443', under('    - to:\ty.com\t# tab\n      ports: [80,\t81]\n'), under('    - to:\ty.com\t# tab\n      ports: [80,\t81]\n    - to: x.com\n      ports: [443]\n')],
  ['folded text', 'x.com 443', under('    - ports: 80\n      to: >-\n        y.com\n\n  deny: []\n'), under('    - ports: 80\n      to: >-\n        y.com\n    - ports: 443\n      to: x.com\n\n  deny: []\n')],

  ['lists in brackets on one line', 'x.com 443', `${HEAD}egress: { allow: [{ to: y.com, ports: 80 }] }\n`, `${HEAD}egress: { allow: [{ to: y.com, ports: 80 }, { to: x.com, ports: 443 }] }\n`],
  ['… with a comma at the end', 'x.com 443', `${HEAD}egress: { allow: [ {to: y.com, ports: [80]}, ] }\n`, `${HEAD}egress: { allow: [ {to: y.com, ports: [80]}, {to: x.com, ports: [443]}, ] }\n`],
  ['… in several lines', 'x.com 443', `${HEAD}egress:\n  allow: [\n    { to: y.com, ports: 80 }, # one\n    { to: z.com, ports: 81 } # two\n  ]\n`, `${HEAD}egress:\n  allow: [\n    { to: y.com, ports: 80 }, # one\n    { to: z.com, ports: 81 }, # two\n    { to: x.com, ports: 443 }  # three\n  ]\n`, { comment: 'three' }],
  ['… in several lines, a comma at the end', 'x.com 443', `${HEAD}egress:\n  allow: [\n    { to: y.com, ports: 80 },\n  ]\n`, `${HEAD}egress:\n  allow: [\n    { to: y.com, ports: 80 },\n    { to: x.com, ports: 443 },\n  ]\n`],
  ['JSON', 'x.com 443 53/udp', '{\n  "service": "a",\n  "match": { "user": "a" }\n}\n', '{\n  "service": "a",\n  "match": { "user": "a" },\n  "egress": { "allow": [{ "to": "x.com", "ports": [443, "53/udp"] }] }\n}\n'],
  ['JSON with entries', 'x.com 443', '{"service":"a","match":{"user":"a"},"egress":{"allow":[{"to":"y.com","ports":[80]}]}}', '{"service":"a","match":{"user":"a"},"egress":{"allow":[{"to":"y.com","ports":[80]}, {"to": "x.com", "ports": [443]}]}}'],
  ['quoted keys', 'x.com 443', '"service": "a"\n"match": {"user": "a"}\n"egress":\n  "allow":\n    - "to": "y.com"\n      "ports": [80]\n', '"service": "a"\n"match": {"user": "a"}\n"egress":\n  "allow":\n    - "to": "y.com"\n      "ports": [80]\n    - to: "x.com"\n      ports: [443]\n'],

  ['the same destination: a port more', 'y.com 443', under('    - to: y.com # API\n      ports: [80] # plain\n'), under('    - to: y.com # API\n      ports: [80, 443] # plain\n')],
  ['… as text becomes a list', 'y.com 443 53/udp', under('    - to: y.com\n      ports: 80 # plain\n'), under('    - to: y.com\n      ports: [80, 443, 53/udp] # plain\n')],
  ['… in lines', 'y.com 443', under('    - to: y.com\n      ports:\n      -  80 # plain\n'), under('    - to: y.com\n      ports:\n      -  80 # plain\n      -  443\n')],
  ['… in any order', 'z.com y.com 443', under('    - to: [y.com, z.com]\n      ports: [80]\n'), under('    - to: [y.com, z.com]\n      ports: [80, 443]\n')],
  ['the same ports: a destination more', 'x.com 443 80', under('    - to: y.com # API\n      ports: [80, 443]\n'), under('    - to: [y.com, x.com] # API\n      ports: [80, 443]\n')],
  ['… in a list', '*.x.com 80', under('    - {to: [y.com , z.com], ports: 80}\n'), under('    - {to: [y.com , z.com, "*.x.com"], ports: 80}\n')],
  ['… in a list of lines', '10.0.0.0/8 80', under('    - to:\n        - y.com # one\n          # of one\n        - z.com\n      ports: 80\n'), under('    - to:\n        - y.com # one\n          # of one\n        - z.com\n        - 10.0.0.0/8\n      ports: 80\n')],
  ['… in quotes', 'x.com 80', under('    - to: ["y.com"]\n      ports: 80\n'), under('    - to: ["y.com", "x.com"]\n      ports: 80\n')],
  ['… inbound', '10.1.0.0/16 80', `${HEAD}ingress:\n  allow:\n    - ports: [80]\n      from: 10.0.0.0/16\n`, `${HEAD}ingress:\n  allow:\n    - ports: [80]\n      from: [10.0.0.0/16, 10.1.0.0/16]\n`, { inbound: true }],
  ['the same place, which is anywhere: a port more', 'any 443', `${HEAD}ingress:\n  allow:\n    - ports: [80]\n`, `${HEAD}ingress:\n  allow:\n    - ports: [80, 443]\n`, { inbound: true }],
  ['an entry that is private is not the same', 'x.com 80', under('    - to: y.com\n      ports: [80]\n      private: true\n'), under('    - to: y.com\n      ports: [80]\n      private: true\n    - to: x.com\n      ports: [80]\n')],
  ['only what is missing', 'y.com x.com 80', under('    - to: y.com\n      ports: [80, 81]\n'), under('    - to: y.com\n      ports: [80, 81]\n    - to: x.com\n      ports: [80]\n')],

  ['the document it is in', 'x.com 443', 'service: b\nmatch: { user: b }\n---\n# second\nservice: a\nmatch: { user: a }\n...\n---\nservice: c\nmatch: { user: c }\n', 'service: b\nmatch: { user: b }\n---\n# second\nservice: a\nmatch: { user: a }\negress:\n  allow:\n    - to: x.com\n      ports: [443]\n...\n---\nservice: c\nmatch: { user: c }\n'],
  ['an entry that is an alias is left alone', 'y.com 443', under('    - &e { to: y.com, ports: [80] }\n    - *e\n'), under('    - &e { to: y.com, ports: [80] }\n    - *e\n    - { to: y.com, ports: [443] }\n')],
  ['a list that is used elsewhere is left alone', 'x.com 80', under('    - to: &l [y.com, z.com]\n      ports: 80\n  deny:\n    - { to: *l, ports: 81 }\n'), under('    - to: &l [y.com, z.com]\n      ports: 80\n    - to: x.com\n      ports: 80\n  deny:\n    - { to: *l, ports: 81 }\n')],
  ['an anchor that nobody uses is no matter', 'x.com 80', under('    - to: &l [y.com, z.com]\n      ports: 80\n'), under('    - to: &l [y.com, z.com, x.com]\n      ports: 80\n')],
  ['a service that is an alias', 'x.com 443', 'match: { user: &a a }\nservice: *a\n', 'match: { user: &a a }\nservice: *a\negress:\n  allow:\n    - to: x.com\n      ports: [443]\n'],
];

for (const [title, words, before, after, options] of cases) {
  test(`${title}: ${words}`, (t) => {
    const edited = edit(before, words, options);
    if (edited.kind === 'invalid') t.log(edited.problems.map((problem) => formatProblem(problem, edited.text)).join('\n'));
    t.like(edited, { kind: 'edited', text: after });
  });
}

const allowed: readonly (readonly [title: string, words: string, entries: string, lines: readonly number[], options?: Options])[] = [
  ['the very same', 'y.com 443', '    - to: y.com\n      ports: [443]\n', [5]],
  ['a larger network', '10.1.0.0/16 443', '    - to: 10.0.0.0/8\n      ports: [443]\n', [5]],
  ['a wildcard', 'api.y.com 443', '    - to: "*.y.com"\n      ports: [443]\n', [5]],
  ['a wider wildcard', '*.api.y.com 443', '    - to: "*.y.com"\n      ports: [443]\n', [5]],
  ['a range of ports', 'y.com 8001-8003 8009', '    - to: y.com\n      ports: [8000-8010]\n', [5]],
  ['ranges of two entries', 'y.com 80-90', '    - to: y.com\n      ports: [80-85]\n    - to: y.com\n      ports: [86-99]\n', [5, 7]],
  ['every protocol', 'y.com 53/udp icmp 443', '    - to: y.com\n      ports: any\n', [5]],
  ['a group', '10.1.2.3 443', '    - to: "@g"\n      ports: [443]\n---\ngroups: { g: [10.1.0.0/16] }\n', [5]],
  ['a group by its members', '@g 443', '    - to: [10.0.0.0/8, 11.0.0.0/8]\n      ports: [443]\n---\ngroups: { g: [10.1.0.0/16, 11.1.0.0/16] }\n', [5, 5]],
];
for (const [title, words, entries, lines, options] of allowed) {
  test(`already allowed by ${title}: ${words}`, (t) => {
    const edited = edit(under(entries), words, options);
    t.is(edited.kind, 'allowed');
    t.deepEqual(edited.kind === 'allowed' && edited.by.map(({ at }) => at.line), lines);
  });
}

test('already allowed from anywhere', (t) => {
  t.like(edit(`${HEAD}ingress:\n  allow:\n    - ports: [80]\n`, '10.0.0.0/8 80', { inbound: true }), { kind: 'allowed', by: { 0: { at: { line: 5 } } } });
  t.is(edit(`${HEAD}ingress:\n  allow:\n    - from: 10.0.0.0/8\n      ports: [80]\n`, 'any 80', { inbound: true }).kind, 'edited');
});

const missing: readonly (readonly [title: string, words: string, entries: string, options?: Options])[] = [
  ['another port', 'y.com 444', '    - to: y.com\n      ports: [443]\n'],
  ['another protocol', 'y.com 443/udp', '    - to: y.com\n      ports: [443, icmp]\n'],
  ['every protocol', 'y.com any', '    - to: y.com\n      ports: [any/tcp, any/udp, icmp]\n'],
  ['the domain above the wildcard', 'y.com 443', '    - to: "*.y.com"\n      ports: [443]\n'],
  ['a wildcard, of which a name is', '*.y.com 443', '    - to: api.y.com\n      ports: [443]\n'],
  ['a larger network', '10.0.0.0/8 443', '    - to: 10.0.0.0/9\n      ports: [443]\n'],
  ['private', 'y.com 443', '    - to: y.com\n      ports: [443]\n', { private: true }],
];
for (const [title, words, entries, options] of missing) test(`not allowed yet: ${title}`, (t) => t.is(edit(under(entries), words, options).kind, 'edited'));

const denied: readonly (readonly [title: string, words: string, entries: string, line: number])[] = [
  ['a network', '10.1.2.3 443', '    - to: 10.1.0.0/16\n', 5],
  ['one of several', 'x.com y.com 80 443', '    - to: y.com\n      ports: [443]\n', 5],
  ['a wildcard', 'api.y.com 443', '    - to: "*.y.com"\n', 5],
];
for (const [title, words, entries, line] of denied) {
  test(`denied: ${title}`, (t) => t.like(edit(`${HEAD}egress:\n  deny:\n${entries}`, words), { kind: 'denied', by: { at: { line } } }));
}

test('what is denied in part is allowed, and said', (t) => {
  t.like(edit(`${HEAD}egress:\n  deny:\n    - to: 10.9.0.0/16\n    - to: 11.0.0.0/8\n`, '10.0.0.0/8 443'), { kind: 'edited', except: { length: 1, 0: { at: { line: 5 } } } });
  t.like(edit(`${HEAD}egress:\n  deny:\n    - to: y.com\n      ports: [25]\n`, '*.com.y.com y.com 1-100'), { kind: 'edited', except: { length: 1 } });
});

const byHand: readonly (readonly [title: string, text: string, reason: RegExp, options?: Options])[] = [
  ['a section that is an alias', `${HEAD}ingress: &s { allow: [] }\negress: *s\n`, /"egress" is the YAML alias \*s/],
  ['a list that is used elsewhere', `${HEAD}egress:\n  allow: &l\n    - { to: y.com, ports: [80] }\n  deny: *l\n`, /"allow" is used elsewhere by the YAML alias \*l/],
  ['a section that is used elsewhere', `${HEAD}egress: &s {}\ningress: *s\n`, /"egress" is used elsewhere/],
  ['a comment within one line', `${HEAD}egress: { allow: [{ to: y.com, ports: [80] }] }\n`, /comment has no place/, { comment: 'why' }],
  ['a comment of two lines', HEAD, /comment holds/, { comment: 'why\n- to: 0.0.0.0/0' }],
];
for (const [title, text, reason, options] of byHand) {
  test(`left to people: ${title}`, (t) => {
    const edited = edit(text, 'x.com 443', options);
    t.is(edited.kind, 'by hand');
    t.regex(edited.kind === 'by hand' ? edited.reason : '', reason);
    t.true(edited.kind === 'by hand' && edited.lines.length > 0);
  });
}

const invalid: readonly (readonly [title: string, text: string, words: string, place: string])[] = [
  ['tabs that indent', `${HEAD}egress:\n\tallow: []\n`, 'x.com 443', '4:1'],
  ['a mistake elsewhere in the file', `${under('    - to: y.com\n      ports: [80]\n')}---\nservice: b\n`, 'x.com 443', '8:1'],
  ['a wildcard that nothing would resolve', `${HEAD}dns: system\n`, '*.x.com 443', '6:11'],
  ['no such service', 'service: b\nmatch: { user: b }\n', 'x.com 443', '1:1'],
];
for (const [title, text, words, place] of invalid) {
  test(`refused: ${title}`, (t) => {
    const edited = edit(text, words);
    t.is(edited.kind, 'invalid');
    t.is(edited.kind === 'invalid' && edited.problems.map(({ at }) => `${at.line}:${at.column}`)[0], place);
  });
}

test('what is too deep or too large to be read is refused, not tried', (t) => {
  for (const nonsense of ['x: '.concat('['.repeat(100_000)), `x: ${'y'.repeat(2 * 1024 * 1024)}`, 'x: *y', '']) {
    t.is(edit(`${HEAD}${nonsense === '' ? '\u0007' : nonsense}\n`, 'x.com 443').kind, 'invalid', nonsense.slice(0, 20));
  }
});

const EXAMPLES = new URL('../../policies/', import.meta.url);
const NET = readPermission(['203.0.113.7', '65000'], { inbound: false, private: false });

test('every good file of the corpus and every example can be edited', (t) => {
  const examples = readdirSync(EXAMPLES).map((name) => ({ name, text: readFileSync(new URL(name, EXAMPLES), 'utf8') }));
  const corpus = corpusFiles('good').map(({ name, bytes }) => ({ name, text: Buffer.from(bytes).toString('utf8') }));
  let edits = 0;
  for (const { name, text } of [...corpus, ...examples]) {
    for (const { service } of parsePolicyFile(name, text).policies) {
      if (!NET.ok) throw new Error(NET.fault);
      const edited = addPermission({ path: name, text, service, permission: NET.value, comment: null, groups: new Map() });
      t.is(edited.kind, 'edited', `${name}: ${service}`);
      edits += 1;
    }
  }
  t.true(edits > 40, `${edits}`);
});

test('a bad file of the corpus is refused, unless it is the very gap that is filled', (t) => {
  const filled = corpusFiles('bad').filter(({ name, bytes }) => {
    if (!NET.ok) throw new Error(NET.fault);
    const text = Buffer.from(bytes).toString('utf8');
    if (!Buffer.from(text).equals(bytes)) return false; // text is what can be edited
    const services = ['webapp', 'a', ...parsePolicyFile(name, text).salvage.flatMap(({ service }) => service ?? [])];
    return services.some((service) => NET.ok && addPermission({ path: name, text, service, permission: NET.value, comment: null, groups: new Map() }).kind !== 'invalid');
  });
  t.deepEqual(filled.map(({ name }) => name), ['allow-null.yaml', 'egress-null.yaml']);
});
