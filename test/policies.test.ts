/** The example policies: each parses, all can be installed together, and each does what its comments promise. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { type Address, parseAddress } from '../src/net/address.ts';
import { parsePolicyFile } from '../src/policy/parse.ts';
import { buildPolicySet, type PolicyFile } from '../src/policy/policy-set.ts';
import { listedNames } from '../src/policy/rule.ts';
import { confine, type Confinement } from '../src/ruleset/confinement.ts';
import { type Packet, verdict } from '../src/ruleset/verdict.ts';

const directory = new URL('../policies/', import.meta.url);
const files: readonly PolicyFile[] = readdirSync(directory)
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((name) => {
    const text = readFileSync(new URL(name, directory), 'utf8');
    return { name, path: `policies/${name}`, hash: name, text, parsed: parsePolicyFile(`policies/${name}`, text), refusals: [] };
  });

/** Every account exists, each with an id of its own. */
const accounts = new Map<string, number>();
function idOf(kind: string, name: string): number {
  const account = `${kind} ${name}`;
  const id = accounts.get(account) ?? 2000 + accounts.size;
  accounts.set(account, id);
  return id;
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.fault}`);
  return parsed.value;
}

const set = buildPolicySet(files, new Map(), idOf);
const names = [...new Set(set.services.flatMap(({ linked }) => (linked === null ? [] : listedNames(linked))))].sort();
/** What DNS says on the day of the test: one public address for each listed name, IPv4 and IPv6 in turn. */
const dns = new Map(names.map((name, index) => [name, address(index % 2 === 0 ? `45.64.7.${index + 1}` : `2a0f:9400:7::${index + 1}`)]));
const NAMESERVER = '10.0.0.53';

const confinements: readonly Confinement[] = set.services.flatMap(({ linked, kind, subjects }) => {
  if (linked === null) return [];
  const ids = subjects.map(({ id }) => (typeof id === 'number' ? id : idOf(kind, id)));
  const addresses = new Map(listedNames(linked).flatMap((name) => (dns.has(name) ? [[name, [dns.get(name) ?? address('::')]] as const] : [])));
  return [confine(linked, { ids, nameservers: [address(NAMESERVER)], addresses, dnsPort: 5300 })];
});

test('there are at least ten examples', (t) => {
  t.true(files.length >= 10);
});

for (const { name, parsed } of files) {
  test(`parses without a problem: ${name}`, (t) => {
    t.deepEqual(parsed.problems, []);
    t.true(parsed.policies.length > 0);
  });
}

test('all of them can be installed together', (t) => {
  t.deepEqual(set.badFiles, []);
  t.deepEqual(set.services.filter(({ standing }) => standing !== 'good'), []);
});

/** `audit`: nothing allows it, and it passes. `to`: the service begins; `from`: somebody connects to a port of the service. */
type Outcome = 'accept' | 'refuse' | 'audit';
type Sentence = readonly [service: string, way: 'to' | 'from', protocol: 'tcp' | 'udp' | 'icmp', peer: string, port: number, outcome: Outcome];
const METADATA = '169.254.169.254';
const METADATA6 = 'fd00:ec2::254';
const SOMEWHERE = '93.184.215.14';
const SOMEWHERE6 = '2a00:1450:4001::200e';

const sentences: readonly Sentence[] = [
  ['node-app', 'to', 'tcp', 'api.stripe.com', 443, 'accept'],
  ['node-app', 'to', 'tcp', 'api.github.com', 443, 'accept'],
  ['node-app', 'to', 'tcp', 'api.github.com', 22, 'refuse'],
  ['node-app', 'to', 'udp', 'api.stripe.com', 443, 'refuse'],
  ['node-app', 'to', 'tcp', '10.20.0.10', 5432, 'accept'],
  ['node-app', 'to', 'tcp', '10.20.0.11', 5432, 'refuse'],
  ['node-app', 'to', 'udp', NAMESERVER, 53, 'accept'],
  ['node-app', 'to', 'tcp', 'github.com', 443, 'refuse'],
  ['node-app', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['node-app', 'from', 'tcp', '127.0.0.1', 3000, 'accept'],
  ['node-app', 'from', 'tcp', '10.20.0.10', 3000, 'refuse'],

  ['backup', 'to', 'tcp', 's3.eu-central-1.amazonaws.com', 443, 'accept'],
  ['backup', 'to', 'tcp', 's3.eu-central-1.amazonaws.com', 80, 'refuse'],
  ['backup', 'to', 'tcp', SOMEWHERE, 443, 'refuse'],
  ['backup', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['backup', 'from', 'tcp', '127.0.0.1', 8000, 'refuse'],

  ['postgresql', 'from', 'tcp', '10.20.0.40', 5432, 'accept'],
  ['postgresql', 'from', 'tcp', '::1', 5432, 'accept'],
  ['postgresql', 'from', 'tcp', '10.20.1.40', 5432, 'refuse'],
  ['postgresql', 'from', 'tcp', SOMEWHERE, 5432, 'refuse'],
  ['postgresql', 'to', 'tcp', '10.20.0.40', 5432, 'refuse'],
  ['postgresql', 'to', 'udp', NAMESERVER, 53, 'refuse'],
  ['postgresql', 'to', 'tcp', METADATA, 80, 'refuse'],

  ['nginx', 'from', 'tcp', SOMEWHERE, 443, 'accept'],
  ['nginx', 'from', 'tcp', SOMEWHERE6, 80, 'accept'],
  ['nginx', 'from', 'udp', SOMEWHERE, 443, 'accept'],
  ['nginx', 'from', 'tcp', SOMEWHERE, 8080, 'refuse'],
  ['nginx', 'to', 'tcp', '127.0.0.1', 3000, 'accept'],
  ['nginx', 'to', 'tcp', '127.0.0.1', 5432, 'refuse'],
  ['nginx', 'to', 'tcp', SOMEWHERE, 443, 'refuse'],
  ['nginx', 'to', 'tcp', METADATA, 80, 'refuse'],

  ['ci-runner', 'to', 'tcp', 'github.com', 443, 'accept'],
  ['ci-runner', 'to', 'tcp', 'objects.githubusercontent.com', 443, 'accept'],
  ['ci-runner', 'to', 'tcp', 'deb.debian.org', 80, 'accept'],
  ['ci-runner', 'to', 'tcp', 'github.com', 80, 'refuse'],
  ['ci-runner', 'to', 'tcp', '10.20.0.10', 5432, 'refuse'],
  ['ci-runner', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['ci-runner', 'from', 'tcp', SOMEWHERE, 22, 'refuse'],

  ['mail', 'from', 'tcp', SOMEWHERE, 25, 'accept'],
  ['mail', 'from', 'tcp', '10.1.2.3', 587, 'accept'],
  ['mail', 'from', 'tcp', SOMEWHERE, 587, 'refuse'],
  ['mail', 'to', 'tcp', SOMEWHERE, 25, 'accept'],
  ['mail', 'to', 'tcp', SOMEWHERE6, 587, 'accept'],
  ['mail', 'to', 'udp', NAMESERVER, 53, 'accept'],
  ['mail', 'to', 'tcp', '10.1.2.3', 25, 'refuse'],
  ['mail', 'to', 'tcp', SOMEWHERE, 443, 'refuse'],
  ['mail', 'to', 'tcp', METADATA, 25, 'refuse'],
  ['mail', 'to', 'tcp', METADATA6, 25, 'refuse'],

  ['prometheus', 'to', 'tcp', '10.99.1.2', 9100, 'accept'],
  ['prometheus', 'to', 'tcp', '127.0.0.1', 9090, 'accept'],
  ['prometheus', 'to', 'tcp', '10.99.1.2', 22, 'refuse'],
  ['prometheus', 'to', 'tcp', SOMEWHERE, 9100, 'refuse'],
  ['prometheus', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['prometheus', 'from', 'tcp', '10.20.0.40', 9090, 'accept'],
  ['prometheus', 'from', 'tcp', '10.20.0.41', 9090, 'refuse'],

  ['chrony', 'to', 'udp', SOMEWHERE, 123, 'accept'],
  ['chrony', 'to', 'udp', SOMEWHERE6, 123, 'accept'],
  ['chrony', 'to', 'udp', NAMESERVER, 53, 'accept'],
  ['chrony', 'to', 'tcp', SOMEWHERE, 123, 'refuse'],
  ['chrony', 'to', 'udp', '192.168.1.1', 123, 'refuse'],
  ['chrony', 'to', 'udp', METADATA, 123, 'refuse'],
  ['chrony', 'from', 'udp', SOMEWHERE, 123, 'refuse'],

  ['tunnel', 'to', 'tcp', '198.51.100.7', 22, 'accept'],
  ['tunnel', 'to', 'tcp', '127.0.0.1', 8080, 'accept'],
  ['tunnel', 'to', 'tcp', '198.51.100.7', 443, 'refuse'],
  ['tunnel', 'to', 'tcp', '198.51.100.8', 22, 'refuse'],
  ['tunnel', 'to', 'udp', NAMESERVER, 53, 'refuse'],
  ['tunnel', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['tunnel', 'from', 'tcp', '198.51.100.7', 22, 'refuse'],
  ['tunnel', 'from', 'tcp', '127.0.0.1', 8080, 'refuse'],

  ['crawler', 'to', 'tcp', SOMEWHERE, 443, 'accept'],
  ['crawler', 'to', 'tcp', SOMEWHERE6, 80, 'accept'],
  ['crawler', 'to', 'udp', NAMESERVER, 53, 'accept'],
  ['crawler', 'to', 'tcp', METADATA, 80, 'refuse'],
  ['crawler', 'to', 'tcp', METADATA6, 80, 'refuse'],
  ['crawler', 'to', 'tcp', '172.31.255.255', 443, 'refuse'],
  ['crawler', 'to', 'tcp', '172.32.0.0', 443, 'accept'],
  ['crawler', 'to', 'tcp', '127.0.0.1', 80, 'refuse'],
  ...['168.63.129.16', '100.100.100.200', '192.0.0.192', '100.64.0.1', '198.18.0.1', 'fec0::1', 'fe80::1', '64:ff9b::a9fe:a9fe', '64:ff9b::a00:1', '64:ff9b::c0a8:101', '64:ff9b::7f00:1', '64:ff9b::6464:64c8', '64:ff9b:1::a00:1'].map(
    (inside) => ['crawler', 'to', 'tcp', inside, 80, 'refuse'] as const,
  ),
  ['crawler', 'to', 'tcp', '64:ff9b::808:808', 443, 'accept'],
  ['crawler', 'to', 'tcp', SOMEWHERE, 22, 'refuse'],

  ['unbound', 'to', 'udp', SOMEWHERE, 53, 'accept'],
  ['unbound', 'to', 'tcp', SOMEWHERE6, 53, 'accept'],
  ['unbound', 'to', 'tcp', SOMEWHERE, 443, 'refuse'],
  ['unbound', 'to', 'udp', METADATA, 53, 'refuse'],
  ['unbound', 'to', 'udp', METADATA6, 53, 'refuse'],
  ['unbound', 'from', 'udp', '10.4.5.6', 53, 'accept'],
  ['unbound', 'from', 'tcp', '::1', 53, 'accept'],
  ['unbound', 'from', 'udp', SOMEWHERE, 53, 'refuse'],

  ['legacy-app', 'to', 'tcp', '10.20.3.4', 8005, 'accept'],
  ['legacy-app', 'from', 'tcp', '10.9.9.9', 8081, 'accept'],
  ['legacy-app', 'to', 'tcp', SOMEWHERE, 443, 'audit'],
  ['legacy-app', 'to', 'icmp', '10.20.3.4', 0, 'audit'],
  ['legacy-app', 'to', 'tcp', METADATA, 80, 'audit'],
];

const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 } as const;
const EPHEMERAL = 40_000;

/** The first packet that the service sends: a SYN, or the SYN-ACK of an answer. */
function firstPacket([service, way, protocol, peer, port]: Sentence): Packet {
  const confinement = confinements.find((one) => one.service === service);
  const id = confinement?.ids[0];
  if (confinement === undefined || id === undefined) throw new Error(`no example for "${service}"`);
  return {
    uid: confinement.kind === 'user' ? id : 60_000,
    gid: confinement.kind === 'group' ? id : 60_000,
    remote: dns.get(peer) ?? address(peer),
    protocol: PROTOCOLS[protocol],
    remotePort: way === 'to' ? port : EPHEMERAL,
    localPort: way === 'to' ? EPHEMERAL : port,
    direction: way === 'to' ? 'original' : 'reply',
    syn: protocol === 'tcp',
  };
}

for (const sentence of sentences) {
  const [service, way, protocol, peer, port, outcome] = sentence;
  test(`${service}: ${way} ${peer} ${port}/${protocol}: ${outcome}`, (t) => {
    const { action, audited, confinement } = verdict(confinements, firstPacket(sentence));
    t.is(confinement?.service, service);
    t.is(audited ? 'audit' : action, outcome);
  });
}

test('of every example at least two refusals are tried, one of them the metadata address', (t) => {
  for (const { service } of set.services) {
    const refused = sentences.filter(([one, , , , , outcome]) => one === service && outcome !== 'accept');
    t.true(refused.length >= 2, service);
    t.true(refused.some(([, way, , peer]) => way === 'to' && peer === METADATA), service);
  }
});
