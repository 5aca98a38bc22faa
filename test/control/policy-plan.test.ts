/** What a change of policies is said to be. */
import test from 'ava';
import { planText } from '../../src/cli/plan-text.ts';
import { lines, plan, situation, type Texts } from './plans.ts';

const webapp = (egress: string, more = '') => ({ 'webapp.yaml': `service: webapp\nmatch: { user: webapp }\n${more}${egress}` });
const allow = (...entries: string[]) => `egress:\n  allow:\n${entries.map((entry) => `    - { ${entry} }\n`).join('')}`;
const deny = (...entries: string[]) => `  deny:\n${entries.map((entry) => `    - { ${entry} }\n`).join('')}`;
const inbound = (...entries: string[]) => `ingress:\n  allow:\n${entries.map((entry) => `    - { ${entry} }\n`).join('')}`;

const SAME: readonly (readonly [title: string, before: Texts, after: Texts])[] = [
  ['other order of entries', webapp(allow('to: 10.1.0.0/16, ports: [443]', 'to: a.example.com, ports: [80]')), webapp(allow('to: a.example.com, ports: [80]', 'to: 10.1.0.0/16, ports: [443]'))],
  ['one entry as two', webapp(allow('to: [10.1.0.0/16, a.example.com], ports: [443, 53/udp]')), webapp(allow('to: 10.1.0.0/16, ports: [443]', 'to: a.example.com, ports: [53/udp, 443]', 'to: 10.1.0.0/16, ports: [53/udp]'))],
  ['a comment', webapp(allow('to: 10.1.0.0/16, ports: [443]')), webapp(`# why\n${allow('to: 10.1.0.0/16, ports: [443]')}`)],
  ['a CIDR as its halves', webapp(allow('to: 10.2.0.0/16, ports: [443]')), webapp(allow('to: [10.2.128.0/17, 10.2.0.0/17], ports: [443]'))],
  ['everything as two halves, IPv6', webapp(allow('to: "::/0", ports: [any]')), webapp(allow('to: ["::/1", "8000::/1"], ports: [any/tcp, any/udp]', 'to: ["8000::/1", "::/1"], ports: [any]'))],
  ['a port range as two', webapp(allow('to: 10.1.0.0/16, ports: [8000-8010]')), webapp(allow('to: 10.1.0.0/16, ports: [8006-8010, 8000-8005]'))],
  ['a deny of what is not allowed', webapp(allow('to: 10.1.0.0/16, ports: [443]')), webapp(allow('to: 10.1.0.0/16, ports: [443]') + deny('to: 10.9.0.0/16'))],
  ['a deny of what the guard drops', webapp(allow('to: a.example.com, ports: [443]')), webapp(allow('to: a.example.com, ports: [443]') + deny('to: 169.254.169.254'))],
  ['what a deny cuts out, not listed', webapp(allow('to: 10.1.0.0/16, ports: [443]') + deny('to: 10.1.128.0/17')), webapp(allow('to: 10.1.0.0/17, ports: [443]'))],
  ['a name that a wildcard covers', webapp(allow('to: "*.example.com", ports: [443]')), webapp(allow('to: ["*.example.com", a.example.com, "*.b.example.com"], ports: [443]'))],
  ['a name that a wildcard still covers, removed', webapp(allow('to: ["*.example.com", a.b.example.com], ports: [443]')), webapp(allow('to: "*.example.com", ports: [443]'))],
  ['a group instead of its members', webapp(allow('to: [10.0.0.0/8, a.example.com], ports: [443]')), { ...webapp(allow('to: "@internal", ports: [443]')), 'groups.yaml': 'groups: { internal: [a.example.com, 10.0.0.0/8] }\n' }],
  ['defaults written out', webapp(''), webapp('egress: { allow: [], deny: [] }\n', 'mode: enforce\ndns: filtered\n')],
  ['inbound: the same sources otherwise', webapp(inbound('from: [10.0.0.0/9, 10.128.0.0/9], ports: [8080]')), webapp(inbound('from: 10.0.0.0/8, ports: [8080]'))],
  ['inbound: anywhere, written out', webapp(inbound('ports: [8080]')), webapp(inbound('from: 0.0.0.0/0, ports: [8080]', 'from: "::/0", ports: [8080]'))],
  ['another file name', webapp(allow('to: 10.1.0.0/16, ports: [443]')), { 'a.yaml': webapp(allow('to: 10.1.0.0/16, ports: [443]'))['webapp.yaml'] }],
  ['in mode block: other entries', webapp(allow('to: 10.1.0.0/16, ports: [443]'), 'mode: block\n'), webapp(allow('to: a.example.com, ports: [80]'), 'mode: block\n')],
];
for (const [title, before, after] of SAME) {
  test(`no difference: ${title}`, (t) => {
    t.deepEqual(plan(before, after), []);
    t.deepEqual(plan(after, before), []);
  });
}

const ONE = allow('to: 10.1.0.0/16, ports: [443]');
const NAME = allow('to: a.example.com, ports: [443]');

type Row = readonly [title: string, before: Texts, after: Texts, lines: readonly string[]];
const CHANGES: readonly Row[] = [
  ['a network more', webapp(ONE), webapp(allow('to: [10.1.0.0/16, 10.2.0.0/16], ports: [443]')), ['+ egress 10.2.0.0/16 tcp 443']],
  ['a network less', webapp(allow('to: [10.1.0.0/16, 10.2.0.0/16], ports: [443]')), webapp(ONE), ['- egress 10.2.0.0/16 tcp 443']],
  ['a wider network: what is new of it', webapp(ONE), webapp(allow('to: 10.0.0.0/15, ports: [443]')), ['+ egress 10.0.0.0/16 tcp 443']],
  ['ports more', webapp(ONE), webapp(allow('to: 10.1.0.0/16, ports: [443, 8000-8010, 53/udp]')), ['+ egress 10.1.0.0/16 tcp 8000-8010, udp 53']],
  ['a port moved', webapp(ONE), webapp(allow('to: 10.1.0.0/16, ports: [8443]')), ['+ egress 10.1.0.0/16 tcp 8443', '- egress 10.1.0.0/16 tcp 443']],
  ['every protocol', webapp(''), webapp(allow('to: 10.1.0.0/16, ports: [any]')), ['+ egress 10.1.0.0/16 any']],
  ['every other port', webapp(ONE), webapp(allow('to: 10.1.0.0/16, ports: [any/tcp, icmp]')), ['+ egress 10.1.0.0/16 tcp 0-442,444-65535, icmp']],
  ['a deny over an allowed block: exactly that part', webapp(ONE), webapp(ONE + deny('to: 10.1.9.0/24')), ['- egress 10.1.9.0/24 tcp 443 (denied)']],
  ['a deny that reaches farther than what is allowed', webapp(ONE), webapp(ONE + deny('to: 10.0.0.0/8, ports: [400-500]')), ['- egress 10.1.0.0/16 tcp 443 (denied)']],
  ['a deny removed', webapp(ONE + deny('to: 10.1.9.0/24')), webapp(ONE), ['+ egress 10.1.9.0/24 tcp 443 (no longer denied)']],
  ['a deny of a name over networks', webapp(ONE), webapp(ONE + deny('to: bad.example.com')), ['- egress bad.example.com tcp 443 (denied where it leads into an allowed network)']],
  ['a deny of a listed name', webapp(NAME), webapp(NAME + deny('to: a.example.com, ports: [443]')), ['- egress a.example.com tcp 443 (denied)']],
  ['a deny of where names may lead', webapp(NAME), webapp(NAME + deny('to: 45.64.0.0/16')), ['- egress listed names at 45.64.0.0/16 tcp 443 (denied)']],
  ['a name more', webapp(''), webapp(NAME), ['+ egress a.example.com tcp 443']],
  ['a name less', webapp(NAME), webapp(''), ['- egress a.example.com tcp 443']],
  ['a port of a name less', webapp(allow('to: a.example.com, ports: [80, 443]')), webapp(NAME), ['- egress a.example.com tcp 80']],
  ['a wildcard over a name: it is said of the wildcard', webapp(NAME), webapp(allow('to: ["*.example.com"], ports: [443]')), ['+ egress *.example.com tcp 443 (not a.example.com)']],
  ['names new below a new wildcard', webapp(''), webapp(allow('to: ["*.example.com", a.example.com, "*.b.example.com"], ports: [443]')), ['+ egress *.example.com tcp 443']],
  ['a name instead of its wildcard', webapp(allow('to: "*.example.com", ports: [443]')), webapp(NAME), ['- egress *.example.com tcp 443 (not a.example.com)']],
  ['other ports of a name below a wildcard', webapp(''), webapp(allow('to: "*.example.com", ports: [443]', 'to: a.example.com, ports: [80]')), ['+ egress *.example.com tcp 443', '+ egress a.example.com tcp 80']],
  ['a wildcard within a wildcard, part of it listed before', webapp(allow('to: x.b.example.com, ports: [443]')), webapp(allow('to: ["*.example.com", "*.b.example.com"], ports: [443]')), ['+ egress *.example.com tcp 443 (not x.b.example.com)']],
  ['a wildcard over a name that had some of it', webapp(allow('to: a.example.com, ports: [1-400]')), webapp(allow('to: "*.example.com", ports: [1-1000]')), ['+ egress *.example.com tcp 1-1000 (not a.example.com)', '+ egress a.example.com tcp 401-1000']],
  ['a deny of a name that is listed, and may lead into a listed network', webapp(allow('to: [45.64.0.0/16, a.example.com], ports: [443]')), webapp(allow('to: [45.64.0.0/16, a.example.com], ports: [443]') + deny('to: a.example.com')), ['- egress a.example.com tcp 443 (denied)']],
  ['a private network less says all of what names had there', webapp(allow('to: [10.0.0.0/8, a.example.com], ports: [443]')), webapp(NAME), ['- egress 10.0.0.0/8 tcp 443']],
  ['private: true', webapp(NAME), webapp(allow('to: a.example.com, ports: [443], private: true')), ['+ egress a.example.com tcp 443 (may now resolve to private addresses)']],
  ['private: true of one port', webapp(allow('to: a.example.com, ports: [80, 443], private: true')), webapp(allow('to: a.example.com, ports: [443]', 'to: a.example.com, ports: [80], private: true')), ['- egress a.example.com tcp 443 (may no longer resolve to private addresses)']],
  ['a name that may be private, new', webapp(''), webapp(allow('to: a.example.com, ports: [443], private: true')), ['+ egress a.example.com tcp 443 (may resolve to private addresses)']],
  ['a private network admits names there', webapp(NAME), webapp(allow('to: a.example.com, ports: [443]', 'to: 10.2.0.0/16, ports: [22]')), ['+ egress 10.2.0.0/16 tcp 22', '+ egress listed names at 10.2.0.0/16 tcp 443 (may now resolve to private addresses)']],
  ['inbound', webapp(inbound('from: 10.0.0.0/8, ports: [8080]')), webapp(inbound('from: 10.0.0.0/8, ports: [8080, 8081]')), ['+ ingress from 10.0.0.0/8 tcp 8081']],
  ['inbound, from anywhere', webapp(''), webapp(inbound('ports: [8080]')), ['+ ingress from 0.0.0.0/0 tcp 8080', '+ ingress from ::/0 tcp 8080']],
  ['mode block: nothing of it is left', webapp(`${NAME}${inbound('from: 10.0.0.0/8, ports: [80]')}`), webapp(NAME + inbound('from: 10.0.0.0/8, ports: [80]'), 'mode: block\n'), ['- egress a.example.com tcp 443', '- ingress from 10.0.0.0/8 tcp 80']],
  ['a group grows, in another file', { ...webapp(allow('to: "@lan", ports: [443]')), 'g.yaml': 'groups: { lan: [10.0.0.0/8] }\n' }, { ...webapp(allow('to: "@lan", ports: [443]')), 'g.yaml': 'groups: { lan: [10.0.0.0/8, 192.168.0.0/16] }\n' }, ['+ egress 192.168.0.0/16 tcp 443']],
  ['a service more', {}, webapp(ONE), ['+ egress 10.1.0.0/16 tcp 443', '- egress anything else (user webapp had no policy before)', '- ingress anything else (user webapp had no policy before)']],
  ['an audited service more refuses nothing', {}, webapp(ONE, 'mode: audit\n'), ['+ egress 10.1.0.0/16 tcp 443']],
  ['a service less', webapp(ONE), {}, ['+ egress anything (user webapp has no policy any more)', '+ ingress anything (user webapp has no policy any more)']],
  ['a number instead of the name', webapp(ONE), { 'webapp.yaml': webapp(ONE)['webapp.yaml'].replace('user: webapp', 'user: 1001') }, []],
  ['a user more', webapp(ONE), { 'webapp.yaml': webapp(ONE)['webapp.yaml'].replace('user: webapp', 'user: [helper, webapp]') }, ['- egress anything else (user helper had no policy before)', '- ingress anything else (user helper had no policy before)']],
];
for (const [title, before, after, expected] of CHANGES) {
  test(title, (t) => {
    const found = plan(before, after);
    t.is(found.length, 1);
    t.deepEqual(lines(found), expected);
  });
}

test('what is said of the policy as a whole', (t) => {
  t.like(plan(webapp(ONE), webapp(ONE, 'mode: audit\ndns: none\n'))[0], { change: 'changed', mode: { before: 'enforce', after: 'audit' }, dns: { before: 'filtered', after: 'none' }, principals: null, allows: [], refuses: [] });
  t.like(plan({}, webapp(ONE))[0], { change: 'added', mode: { before: null, after: 'enforce' }, principals: { before: [], after: ['user webapp'] } });
  t.like(plan(webapp(ONE), {})[0], { change: 'removed', mode: { before: 'enforce', after: null }, refuses: [] });
  t.like(plan(webapp(ONE), { 'webapp.yaml': webapp(ONE)['webapp.yaml'].replace('user:', 'group:') })[0], { principals: { before: ['user webapp'], after: ['group webapp'] } });
});

test('a service under a new name is compared with what it was', (t) => {
  const [found, ...others] = plan(webapp(ONE), { 'shop.yaml': webapp(allow('to: [10.1.0.0/16, 10.2.0.0/16], ports: [443]'))['webapp.yaml'].replace('service: webapp', 'service: shop') });
  t.deepEqual(others, []);
  t.like(found, { service: 'shop', formerly: 'webapp', change: 'changed', principals: null });
  t.deepEqual(lines(found === undefined ? [] : [found]), ['+ egress 10.2.0.0/16 tcp 443']);
});

test('each line names the entry that makes the difference', (t) => {
  const [found] = plan(webapp(allow('to: 10.1.0.0/16, ports: [443]', 'to: 10.2.0.0/16, ports: [443]')), webapp(allow('to: 10.1.0.0/16, ports: [443]', 'to: 10.3.0.0/16, ports: [443]') + deny('to: 10.1.9.0/24')));
  t.deepEqual(found?.allows.map(({ to, rule: { line } }) => [to, line]), [['10.3.0.0/16', 6]]);
  t.deepEqual(found?.refuses.map(({ to, rule: { line } }) => [to, line]), [['10.2.0.0/16', 6], ['10.1.9.0/24', 8]]);
});

test('dns: system allows the nameservers', (t) => {
  const found = plan(webapp('', 'dns: none\n'), webapp('', 'dns: system\n'), situation({}, ['203.0.113.53']));
  t.deepEqual(lines(found), ['+ egress 203.0.113.53 tcp 53, udp 53']);
});

const KNOWN: readonly (readonly [title: string, before: Texts, after: Texts, lines: readonly string[]])[] = [
  ['a denied name takes the address of another', webapp(allow('to: a.example.com, ports: [443]')), webapp(allow('to: a.example.com, ports: [443]') + deny('to: c.example.com')), ['- egress 45.64.0.1 tcp 443 (address of a.example.com, c.example.com; denied)']],
  ['a name that is at a network still allowed', webapp(allow('to: [45.64.0.0/16, a.example.com], ports: [443]')), webapp(allow('to: 45.64.0.0/16, ports: [443]')), ['- egress a.example.com tcp 443']],
  ['an address of a name is nothing new with the name', webapp(''), webapp(NAME), ['+ egress a.example.com tcp 443']],
];
for (const [title, before, after, expected] of KNOWN) {
  test(`with addresses: ${title}`, (t) => {
    t.deepEqual(lines(plan(before, after, situation({ 'a.example.com': ['45.64.0.1'], 'c.example.com': ['45.64.0.1', '45.64.0.2'] }))), expected);
  });
}

test('for people: what is said of the whole, then line by line, then what ends', (t) => {
  const [found] = plan(webapp(ONE, 'mode: audit\n'), webapp(ONE + deny('to: 10.1.9.0/24')));
  if (found === undefined) throw new Error('nothing differs');
  const flow = { protocol: 'tcp', local: { address: '10.0.0.2', port: 41_234 }, remote: { address: '2001:db8::7', port: 443 }, uid: 1001, process: { pid: 812, name: 'nginx' } } as const;
  const report = { services: [{ ...found, ends: [flow, { ...flow, process: null }, { ...flow, process: { pid: 813, name: '\u001B[2J' } }] }], unchanged: ['billing'], notes: [] };
  t.is(
    planText(report, (_colour, text) => text),
    [
      'webapp: changed',
      '  mode: audit → enforce (what is not listed is refused)',
      '  - egress 10.1.9.0/24 tcp 443 (denied)  /etc/netwall.d/webapp.yaml:7',
      '  would end: tcp 10.0.0.2:41234 → [2001:db8::7]:443 (nginx[812])',
      '  would end: tcp 10.0.0.2:41234 → [2001:db8::7]:443 (uid 1001)',
      '  would end: tcp 10.0.0.2:41234 → [2001:db8::7]:443 (␛[2J[813])',
      '',
      'unchanged: billing',
    ].join('\n'),
  );
  t.is(planText({ services: [], unchanged: ['billing'], notes: [] }, (_colour, text) => text), 'no differences');
});
