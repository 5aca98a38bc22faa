import test from 'ava';
import * as fc from 'fast-check';
import { type Config, DEFAULT_CONFIG, parseConfig } from '../../src/config/config.ts';
import { formatProblem } from '../../src/policy/problem.ts';

const path = '/etc/netwall/netwalld.yaml';

const defaults: Config = {
  policyDirs: ['/etc/netwall.d', '/run/netwall.d', '/usr/lib/netwall.d'],
  stateDir: '/var/lib/netwall',
  runtimeDir: '/run/netwall',
  bootFile: '/etc/netwall/boot.nft',
  table: 'netwall',
  nft: '/usr/sbin/nft',
  reconcileInterval: 30_000,
  dns: { servers: [], timeout: 2000, tries: 3, minTtl: 5000, maxTtl: 3_600_000, hold: 600_000, maxStale: 86_400_000, requireAd: false, refuseWith: 'refused' },
  guardMark: 0x2000_0000,
  metrics: { listen: null },
  log: { level: 'info', format: 'json' },
};

test('nothing said: the defaults of the design', (t) => {
  t.deepEqual(DEFAULT_CONFIG, defaults);
  for (const text of ['', '\n# nothing\n', '---\n', '{}', 'dns: {}\nmetrics: {}\nlog: {}\n', 'metrics: { listen: null }\n', 'metrics: { listen: }\n', 'dns: { servers: [] }']) {
    t.deepEqual(parseConfig(path, text), { config: defaults, problems: [] }, text);
  }
});

test('everything said', (t) => {
  const text = `
policy_dirs: [/srv/policies]
state_dir: /srv/state
runtime_dir: /srv/run
boot_file: /srv/boot.nft
table: my_wall
nft: /opt/nft/bin/nft
reconcile_interval: 1m
dns:
  servers: [9.9.9.9, "udp://[::1]:5353", tls://9.9.9.9#dns.quad9.net]
  timeout: 500ms
  tries: 2
  min_ttl: 1s
  max_ttl: 2h
  hold: 0s
  max_stale: 7d
  require_ad: true
  refuse_with: nxdomain
guard:
  mark: "0x00000400"
metrics:
  listen: "[::1]:9477"
log: { level: debug, format: pretty }
`;
  t.deepEqual(parseConfig(path, new TextEncoder().encode(text)), {
    config: {
      policyDirs: ['/srv/policies'],
      stateDir: '/srv/state',
      runtimeDir: '/srv/run',
      bootFile: '/srv/boot.nft',
      table: 'my_wall',
      nft: '/opt/nft/bin/nft',
      reconcileInterval: 60_000,
      dns: {
        servers: [
          { transport: 'udp', address: '9.9.9.9', port: 53, serverName: null },
          { transport: 'udp', address: '::1', port: 5353, serverName: null },
          { transport: 'tls', address: '9.9.9.9', port: 853, serverName: 'dns.quad9.net' },
        ],
        timeout: 500,
        tries: 2,
        minTtl: 1000,
        maxTtl: 7_200_000,
        hold: 0,
        maxStale: 604_800_000,
        requireAd: true,
        refuseWith: 'nxdomain',
      },
      guardMark: 0x400,
      metrics: { listen: { address: '::1', port: 9477 } },
      log: { level: 'debug', format: 'pretty' },
    },
    problems: [],
  });
});

const refused: readonly (readonly [text: string, place: string, message: RegExp, hint?: RegExp])[] = [
  ['tabel: x', '1:1', /unknown key "tabel"/, /did you mean "table"\?/],
  ['timeout: 2s', '1:1', /unknown key "timeout"/, /"timeout" belongs under "dns"/],
  ['level: debug', '1:1', /unknown key "level"/, /"level" belongs under "log"/],
  ['dns: { timout: 2s }', '1:8', /unknown key "timout"/, /did you mean "timeout"\?/],
  ['dns: { server: [9.9.9.9] }', '1:8', /unknown key "server"/, /did you mean "servers"\?/],
  ['dns:', '1:1', /expected a mapping, found nothing/, /remove the key/],
  ['dns: system', '1:6', /expected a mapping, found "system"/],
  ['policy_dirs: /etc/netwall.d', '1:14', /expected a list, found "\/etc\/netwall\.d"/, /write a list/],
  ['policy_dirs: []', '1:14', /the list is empty/, /at least one directory/],
  ['policy_dirs: [/a, /b, /a]', '1:23', /"\/a" is listed twice/, /remove one/],
  ['policy_dirs: [/a, netwall.d]', '1:19', /"netwall\.d" is not an absolute path/, /begin it with "\/"/],
  ['state_dir: ~/state', '1:12', /is not an absolute path/, /begin it/],
  ['state_dir: ""', '1:12', /the path is not an absolute path/, /begin it/],
  ['state_dir: /', '1:12', /root directory/, /a place of its own/],
  ['state_dir: /var/../etc', '1:12', /is not a plain path/, /without "\."/],
  ['state_dir: /var/./lib', '1:12', /is not a plain path/, /without "\."/],
  ['state_dir: /var//lib', '1:12', /is not a plain path/, /without "\."/],
  ['state_dir: /var/lib/', '1:12', /is not a plain path/, /without "\."/],
  ['state_dir: "/var/a\\0b"', '1:12', /characters that cannot be seen/],
  [`state_dir: /${'a'.repeat(4095)}`, '1:12', /has 4096 bytes, the most is 4095/],
  [`runtime_dir: /${'a'.repeat(94)}`, '1:14', /has 95 bytes, the most is 94/],
  [`runtime_dir: /${'ä'.repeat(47)}`, '1:14', /has 95 bytes, the most is 94/],
  ['nft: nft', '1:6', /is not an absolute path/, /begin it/],
  ['table: 1st', '1:8', /"1st" cannot name a table/, /the first a letter/],
  ['table: my-wall', '1:8', /"my-wall" cannot name a table/, /letters, digits and "_"/],
  [`table: ${'a'.repeat(33)}`, '1:8', /cannot name a table/, /at most 32/],
  ['table: "a b; flush ruleset"', '1:8', /cannot name a table/],
  ['table: policy', '1:8', /a word of nft's own language/, /another name/],
  ['table: true', '1:8', /expected text, found true/, /quote it/],
  ['reconcile_interval: 30', '1:21', /"30" is not a duration/, /did you mean 30s\?/],
  ['reconcile_interval: 10ms', '1:21', /10ms is too short/, /1s to 1d/],
  ['reconcile_interval: [30s]', '1:21', /found a list/],
  ['dns: { servers: 9.9.9.9 }', '1:17', /expected a list, found "9\.9\.9\.9"/, /write a list: \[9\.9\.9\.9\]/],
  ['dns: { servers: [9.9.9.9, dns.google] }', '1:27', /"dns\.google" is not an IP address/, /names cannot be looked up/],
  [`dns: { servers: [${'9.9.9.9, '.repeat(17)}] }`, '1:17', /the list has more than 16 items/],
  ['dns: { timeout: 10m }', '1:17', /"10m" is too long/, /50ms to 1m/],
  ['dns: { tries: 0 }', '1:15', /0 is out of bounds: the least is 1/],
  ['dns: { tries: 11 }', '1:15', /11 is out of bounds: the most is 10/],
  ['dns: { tries: three }', '1:15', /expected a number, found "three"/],
  ['dns: { tries: 1.5 }', '1:15', /expected a number, found "1\.5"/],
  ['dns: { tries: 0x3 }', '1:15', /expected a number, found "0x3"/],
  ['dns: { min_ttl: 2h }', '1:17', /"min_ttl" \(2h\) is longer than "max_ttl" \(1h\)/, /lower the one/],
  ['dns:\n  min_ttl: 10s\n  max_ttl: 9s\n', '2:12', /"min_ttl" \(10s\) is longer than "max_ttl" \(9s\)/, /lower the one/],
  ['dns: { hold: 2h, max_stale: 1h }', '1:14', /"hold" \(2h\) is longer than "max_stale" \(1h\)/, /lower the one/],
  ['metrics: { listen: 9477 }', '1:20', /./],
  ['metrics: { listen: localhost:9477 }', '1:20', /is not an IP address/, /write an IP address/],
  ['metrics: { listen: 0.0.0.0:9477 }', '1:20', /"0\.0\.0\.0:9477" is not a loopback address/, /write 127\.0\.0\.1:9477/],
  ['metrics: { listen: "[2001:db8::7]:9477" }', '1:20', /is not a loopback address/],
  ['log: { level: verbose }', '1:15', /expected trace, debug, info, warn, error or fatal, found "verbose"/],
  ['log: { level: INFO }', '1:15', /found "INFO"/, /did you mean info\?/],
  ['log: { format: text }', '1:16', /expected json or pretty/],
  ['- table: x', '1:1', /expected a mapping, found a list/, /"key: value"/],
  ['table: a\n---\ntable: b\n', '3:1', /a second document/, /"---"/],
  ['table: a\ntable: b\n', '2:1', /key "table" is given twice/],
  ['table: [a', '1:10', /not valid YAML: the list that "\[" begins is not closed/],
  ['table: !t a', '1:8', /the YAML tag "!t" is not allowed/],
  ['table: \u0000', '1:8', /the character U\+0000 is not allowed/],
];

for (const [text, place, message, hint] of refused) {
  test(`refused: ${encodeURI(text).slice(0, 60)} at ${place}`, (t) => {
    const { config, problems } = parseConfig(path, text);
    const [first] = problems;
    const shown = problems.map((problem) => formatProblem(problem, text)).join('\n');
    t.is(problems.length, 1, shown);
    t.is(first?.severity, 'error');
    t.deepEqual(first?.at, { file: path, line: Number(place.split(':')[0]), column: Number(place.split(':')[1]) }, shown);
    t.regex(first?.message ?? '', message);
    if (hint !== undefined) t.regex(first?.hint ?? '', hint);
    t.deepEqual(config, defaults);
  });
}

test('several mistakes are reported at once, by place', (t) => {
  const { problems } = parseConfig(path, 'log: { level: loud }\ntable: ip\ndns: { tries: 0, hold: 1 }\n');
  t.deepEqual(problems.map(({ at }) => `${at.line}:${at.column}`), ['1:15', '2:8', '3:15', '3:24']);
});

test('no text makes it throw, and what it accepts is in bounds', (t) => {
  const piece = fc.constantFrom(
    '\n', '\n  ', ': ', '[', ']', '{', '}', ', ', '- ', '"', 'dns', 'servers', 'timeout', 'tries', 'min_ttl', 'max_ttl', 'hold', 'max_stale', 'table', 'state_dir', 'policy_dirs', 'metrics', 'listen', 'log', 'level', '/var',
    '9.9.9.9', 'tls://1.1.1.1#a.example', '30s', '10m', '7d', '0', '3', 'x', 'debug', '127.0.0.1:9477', '&a ', '*a', '\t', '\u001b', 'reconcile_interval: 5s\n', 'dns:\n  hold: 1h\n', 'table: t\n',
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const { config, problems } = parseConfig(path, pieces.join(''));
      if (problems.length > 0) {
        t.deepEqual(config, defaults);
        return;
      }
      accepted += 1;
      const { dns, reconcileInterval, table } = config;
      t.true(dns.minTtl <= dns.maxTtl && dns.hold <= dns.maxStale && dns.tries >= 1 && Number.isInteger(reconcileInterval) && reconcileInterval >= 1000);
      t.regex(table, /^[a-zA-Z][a-zA-Z0-9_]{0,31}$/);
    }),
    { numRuns: 3000 },
  );
  t.true(accepted > 0);
});
