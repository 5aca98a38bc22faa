import test from 'ava';
import { explain } from '../../src/control/explain.ts';
import { address, confinements } from '../ruleset/policies.ts';

const POLICY = `service: webapp
match: { user: 1001 }
dns: none
egress:
  allow:
    - to: [api.example.com, 10.0.0.0/8]
      ports: [443, 8000-8010, 53/udp]
  deny:
    - to: 10.9.0.0/16
ingress:
  allow:
    - { from: 10.0.0.0/8, ports: [8080] }
`;
const policies = confinements(POLICY, { nameservers: [], addresses: { 'api.example.com': ['93.184.215.14'] } });
const addressesOf = (name: string) => policies.flatMap(({ addresses }) => addresses.get(name) ?? []);
const ask = (destination: string, who = 'webapp', { inbound = false, offline = false } = {}) => {
  const answer = explain({ who, destination, inbound, offline }, policies, addressesOf, null);
  return answer.ok ? answer.report : answer.error;
};

test('what is allowed names the line', (t) => {
  t.like(ask('api.example.com:443'), { verdict: 'allow', address: '93.184.215.14', suggestion: null, rule: { line: 6, column: 12 } });
  t.like(ask('10.1.2.3:8005'), { verdict: 'allow', rule: { line: 6 } });
});

test('the deny line is named', (t) => {
  t.like(ask('10.9.1.1:443'), { verdict: 'refuse', rule: { line: 9 } });
});

const REFUSED: readonly [destination: string, suggestion: RegExp][] = [
  ['10.1.2.3:22', /^under egress\.allow add: - \{ to: 10\.1\.2\.3, ports: \[22\] \}, or run: netwallctl allow webapp 10\.1\.2\.3 22 --write; the closest entry is .*10\.0\.0\.0\/8.*:6:29, which allows ports \[443, 8000-8010, 53\/udp\]$/],
  ['10.1.2.3/icmp', /ports: \[icmp\] \}, or run: netwallctl allow webapp 10\.1\.2\.3 icmp --write; the closest entry is .*10\.0\.0\.0\/8/],
  ['api.example.com:22', /add: - \{ to: api\.example\.com, ports: \[22\] \}, or run: netwallctl allow webapp api\.example\.com 22 --write; the closest entry is .*api\.example\.com.*:6:12, which allows ports/],
  ['www.example.com:443', /add: - \{ to: www\.example\.com, ports: \[443\] \}, or run: netwallctl allow webapp www\.example\.com 443 --write; the closest entry is .*api\.example\.com.*:6:12$/],
  ['www.example.com:22', /add: - \{ to: www\.example\.com, ports: \[22\] \}, or run: netwallctl allow webapp www\.example\.com 22 --write$/],
  ['example.org:443', /add: - \{ to: example\.org, ports: \[443\] \}, or run: .*$/],
  ['192.0.2.1:443', /add: - \{ to: 192\.0\.2\.1, ports: \[443\] \}, or run: .*$/],
  ['[2001:db8::1]:53/udp', /add: - \{ to: "2001:db8::1", ports: \[53\/udp\] \}, or run: netwallctl allow webapp 2001:db8::1 53\/udp --write$/],
  ['www.example.com', /ports: \[443\] \}, or run: /],
  ['localhost:80', /^"localhost" is not a full domain name: write 127\.0\.0\.0\/8 and ::1$/],
];
for (const [destination, suggestion] of REFUSED) {
  test(`refused: ${destination}`, (t) => {
    const report = ask(destination);
    t.like(report, { verdict: 'refuse' });
    t.regex(typeof report === 'string' ? report : (report.suggestion ?? ''), suggestion);
  });
}

test('a name that dns: filtered does not look up is refused, whatever its addresses would pass by', (t) => {
  const wide = (more = '') => confinements(`service: webapp\nmatch: { user: 1001 }\n${more}egress:\n  allow:\n    - { to: 0.0.0.0/0, ports: [443] }\n    - { to: "*.good.com", ports: [443] }\n  deny:\n    - to: "*.evil.com"\n    - to: bad.good.com\n`, {});
  const asked = (destination: string, more?: string, addresses: readonly string[] = []) => {
    const known = addresses.map((text) => ({ family: 4 as const, value: BigInt(text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)) }));
    const answer = explain({ who: 'webapp', destination, inbound: false, offline: false }, wide(more), () => known, null);
    return answer.ok ? answer.report : answer.error;
  };
  const passes = 'its address itself would pass by 0.0.0.0/0';
  t.like(asked('x.evil.com:443'), { verdict: 'refuse', rule: { line: 8 }, reason: `denied by *.evil.com, so the name is not looked up; ${passes}` });
  t.like(asked('bad.good.com:443'), { verdict: 'refuse', rule: { line: 9 } });
  t.like(asked('unlisted.org:443'), { verdict: 'refuse', rule: null, reason: `unlisted.org is not listed, and dns: filtered looks up no other names; ${passes}` });
  t.like(asked('unlisted.org:443', '', ['45.64.7.1']), { verdict: 'refuse', reason: `unlisted.org is not listed, and dns: filtered looks up no other names; ${passes}` });
  t.like(asked('fine.good.com:443'), { verdict: 'allow' });
  t.like(asked('45.64.7.1:443'), { verdict: 'allow' });
  t.like(asked('unlisted.org:443', 'mode: audit\n'), { verdict: 'allow' });
});

test('an IPv4 address in the form of IPv6 is judged as what leaves', (t) => {
  t.like(ask('[::ffff:10.1.2.3]:443'), { verdict: 'allow', address: '10.1.2.3' });
  t.like(ask('[::ffff:10.9.1.1]:443'), { verdict: 'refuse', address: '10.9.1.1' });
  t.like(ask('[::ffff:10.1.2.3]:8080', 'webapp', { inbound: true }), { verdict: 'allow' });
});

test('who is not governed passes, who is nobody is an error', (t) => {
  t.like(ask('192.0.2.1:443', '4711'), { verdict: 'allow', service: null });
  t.is(ask('192.0.2.1:443', 'nobody-there'), '"nobody-there" is no service, user, group or uid');
});

test('who may connect in', (t) => {
  const inbound = { inbound: true };
  t.like(ask('10.1.2.3:8080', 'webapp', inbound), { verdict: 'allow', direction: 'in', rule: { line: 12 }, reason: 'allowed from 10.0.0.0/8' });
  t.like(ask('10.1.2.3:8081', 'webapp', inbound), { verdict: 'refuse', rule: null, reason: 'no ingress entry allows 10.1.2.3 to port 8081/tcp', suggestion: 'under ingress.allow add: - { from: 10.1.2.3, ports: [8081] }, or run: netwallctl allow webapp 10.1.2.3 8081 --inbound --write' });
  t.like(ask('11.1.2.3:8080', 'webapp', inbound), { verdict: 'refuse' });
  t.is(ask('api.example.com:8080', 'webapp', inbound), '"api.example.com" is no address: --inbound asks who may connect in, which DNS says nothing of');
  // what may go out says nothing of who may come in
  t.like(ask('10.1.2.3:443', 'webapp', inbound), { verdict: 'refuse' });
});

test('without the daemon a listed name is what it says, also where nobody knows an address', (t) => {
  const offline = confinements(POLICY, { nameservers: [], addresses: {} });
  const answer = (destination: string) => {
    const found = explain({ who: 'webapp', destination, inbound: false, offline: true }, offline, () => [], null);
    return found.ok ? found.report : found.error;
  };
  t.like(answer('api.example.com:443'), { verdict: 'allow', address: null, rule: { line: 6 }, reason: 'allowed by api.example.com, once its addresses are known' });
  t.like(answer('api.example.com:22'), { verdict: 'refuse' });
  t.like(answer('www.example.com:443'), { verdict: 'refuse' });
  t.like(answer('10.1.2.3:443'), { verdict: 'allow' });
});

const WILD = `service: webapp
match: { user: 1001 }
egress:
  allow:
    - { to: "*.example.com", ports: [443] }
  deny:
    - to: bad.example.com
`;
const LISTING = `service: other
match: { user: 1002 }
egress:
  allow:
    - { to: [db.example.com, bad.example.com, org.example.org], ports: [443], private: true }
`;
/** What "other" resolved is in the address book; "webapp" knows only what it asked for itself. */
function between(book: Readonly<Record<string, readonly string[]>>, sightings: Readonly<Record<string, readonly string[]>> = {}) {
  const all = [...confinements(WILD, { addresses: sightings }), ...confinements(LISTING, { addresses: book })];
  return (destination: string, who = 'webapp') => {
    const answer = explain({ who, destination, inbound: false, offline: false }, all, (name) => (book[name] ?? []).map(address), null);
    return answer.ok ? answer.report : answer.error;
  };
}

const BETWEEN: readonly [what: string, destination: string, leadsTo: string, expected: object][] = [
  ['a name that another service resolved and a wildcard covers', 'db.example.com:443', '45.64.7.1', { verdict: 'allow', rule: { line: 5 }, address: '45.64.7.1', reason: 'allowed by *.example.com' }],
  ['… at a port that it does not open', 'db.example.com:22', '45.64.7.1', { verdict: 'refuse', rule: null }],
  ['… at an address that the guard keeps out', 'db.example.com:443', '10.0.0.5', { verdict: 'refuse', rule: null, address: '10.0.0.5' }],
  ['… and a deny entry is against', 'bad.example.com:443', '45.64.7.2', { verdict: 'refuse', rule: { line: 7 }, reason: 'denied by bad.example.com' }],
  ['a name that another service resolved and nothing covers', 'org.example.org:443', '45.64.7.3', { verdict: 'refuse', rule: null }],
];
for (const [what, destination, leadsTo, expected] of BETWEEN) {
  test(`${what}: ${destination} at ${leadsTo}`, (t) => {
    const ask = between({ [destination.replace(/:.*/, '')]: [leadsTo] });
    for (const who of ['webapp', '1001']) t.like(ask(destination, who), expected, who);
  });
}

test('the guard is named where it keeps out what another service resolved', (t) => {
  const report = between({ 'db.example.com': ['10.0.0.5'] })('db.example.com:443');
  t.regex(typeof report === 'string' ? report : report.reason, /^\*\.example\.com is listed at .*:5, but 10\.0\.0\.5 is /);
});

test("whoever is asked about, by name or by uid, a service's own sightings come first", (t) => {
  const seen = between({ 'db.example.com': ['10.0.0.5'] }, { 'db.example.com': ['45.64.7.9'], 'own.example.com': ['45.64.7.8'] });
  for (const who of ['webapp', '1001']) {
    t.like(seen('own.example.com:443', who), { verdict: 'allow', address: '45.64.7.8' }, who);
    t.like(seen('db.example.com:443', who), { verdict: 'allow', address: '45.64.7.9' }, who);
  }
  t.like(seen('db.example.com:443', '1002'), { verdict: 'allow', address: '10.0.0.5', rule: { line: 5 } });
});

const ALIKE: readonly [plain: string, others: readonly string[]][] = [
  ['api.example.com:443', ['api.example.com.:443', 'API.Example.com:443', 'API.example.COM.:443']],
  ['api.example.com:22', ['api.example.com.:22', 'API.example.com:22']],
  ['www.example.com:443', ['www.example.com.:443', 'WWW.example.com.:443']],
  ['example.org', ['example.org.', 'Example.ORG']],
];
for (const [plain, others] of ALIKE) {
  test(`a final dot and capitals say nothing: ${plain}`, (t) => {
    for (const other of others) t.deepEqual(ask(other), ask(plain), other);
  });
}

test('who may not come in is not told of what may not go out', (t) => {
  const closed = { verdict: 'refuse', rule: null, reason: 'no ingress entry allows 10.9.1.1 to port 8081/tcp' };
  const report = ask('10.9.1.1:8081', 'webapp', { inbound: true });
  t.like(report, closed);
  t.regex(typeof report === 'string' ? report : (report.suggestion ?? ''), /^under ingress\.allow add: - \{ from: 10\.9\.1\.1, ports: \[8081\] \}/);
  t.like(ask('10.9.1.1:8080', 'webapp', { inbound: true }), { verdict: 'allow', rule: { line: 12 } });
});
