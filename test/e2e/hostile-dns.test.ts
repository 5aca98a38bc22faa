/** A service with `dns: filtered` and name servers that lie, break and stall: what the service is told, what the kernel opens, what is reported. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { decode } from 'dns-packet';
import { labels, message, name, opt, query, questionOf, record, u16 } from '../dns/bytes.ts';
import type { ClientAnswer, ClientQuestion } from './dns-client.ts';
import { type Expected, here, hostileCases, REBINDING } from './hostile-cases.ts';
import { accountOf, spareServers } from './plan.ts';
import { repository } from './namespace.ts';
import { createWorld, type World } from './world.ts';

const anywhere = '8.8.8.8';

let world: World;
let ask: (transport: 'udp' | 'tcp', bytes: Uint8Array, to?: string) => Promise<Buffer | null>;
/** Names that reached the hostile server. */
const reached: string[] = [];

const policy = `service: webapp
match: { user: webapp }
egress:
  allow:
    - to: ["*.hostile.net", exact.partner.net]
      ports: [443]
---
service: strict
match: { user: billing }
dns: none
`;

test.before(async () => {
  world = await createWorld();
  const hostile = world.spawnOnInternet(process.execPath, [fileURLToPath(new URL('hostile-server.ts', import.meta.url)), spareServers.main, spareServers.other]);
  const lines = createInterface({ input: hostile.stdout ?? process.stdin });
  await once(lines, 'line');
  lines.on('line', (line) => reached.push(line));
  await world.policy('webapp.yaml', policy);
  await world.daemon.start({ config: { dns: { servers: [spareServers.main], timeout: '600ms', tries: 2, min_ttl: '1s', hold: '10m', max_ttl: '1h' } } });
  const client = world.spawn(process.execPath.replace(repository, world.repository), [`${world.repository}/test/e2e/dns-client.ts`], 'webapp');
  const waiting = new Map<number, (answer: Buffer | null) => void>();
  createInterface({ input: client.stdout ?? process.stdin }).on('line', (line) => {
    const { id, answer }: ClientAnswer = JSON.parse(line);
    waiting.get(id)?.(answer === null ? null : Buffer.from(answer, 'base64'));
  });
  let last = 0;
  ask = (transport, bytes, to = anywhere) =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      client.stdin?.write(`${JSON.stringify({ id: last, server: to, transport, query: Buffer.from(bytes).toString('base64'), timeout: 4000 } satisfies ClientQuestion)}\n`);
    });
});
test.after.always(() => world.destroy());

const TYPES: Readonly<Record<string, number>> = { A: 1, CNAME: 5, MX: 15, TXT: 16, AAAA: 28, SRV: 33, UNKNOWN_65: 65 };

/** An answer as another implementation reads it. */
function seen(bytes: Buffer | null) {
  if (bytes === null) return { rcode: -1, addresses: [], types: [], ttl: 0, ede: null, truncated: false };
  const packet = decode(bytes);
  const answers = packet.answers ?? [];
  const option = (packet.additionals ?? []).flatMap((additional) => (additional.type === 'OPT' ? additional.options : [])).find(({ code }) => `${code}` === '15');
  const data: unknown = option !== undefined && 'data' in option ? option.data : null;
  return {
    rcode: bytes.readUInt16BE(2) & 15,
    addresses: answers.flatMap((answer) => (answer.type === 'A' || answer.type === 'AAAA' ? [answer.data] : [])).toSorted(),
    types: answers.map(({ type }) => TYPES[type] ?? 0),
    ttl: Math.max(0, ...answers.map((answer) => ('ttl' in answer ? (answer.ttl ?? 0) : 0))),
    ede: data instanceof Buffer ? data.readUInt16BE(0) : null,
    truncated: (bytes.readUInt16BE(2) & 0x0200) !== 0,
  };
}

/** Addresses that the kernel lets the service reach on port 443. */
async function opened(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const set of ['user_egress4', 'user_egress6']) {
    const { stdout } = await world.exec('/usr/sbin/nft', ['-n', 'list', 'set', 'inet', 'netwall', set]);
    for (const [, uid, address, port] of stdout.matchAll(/(\d+) \. (\S+) \. 6 \. (\d+)/g)) if (uid === String(accountOf('webapp').uid) && port === '443' && address !== undefined) found.add(address);
  }
  return found;
}

const isOf = (number: number) => (address: string) => address.startsWith(`45.65.${number}.`) || address.startsWith(`2a0f:9400:${number.toString(16)}::`);
const nameOf = (number: number) => `c${number}.hostile.net`;

async function judge(t: { is: (a: unknown, b: unknown, m?: string) => void; deepEqual: (a: unknown, b: unknown, m?: string) => void; true: (a: boolean, m?: string) => void }, number: number, answer: Buffer | null, expected: Expected) {
  const found = seen(answer);
  t.is(found.rcode, expected.rcode, 'rcode');
  t.is(found.truncated, expected.truncated ?? false, 'truncated');
  t.deepEqual(found.addresses, [...(expected.addresses ?? found.addresses)].toSorted(), 'addresses');
  if (expected.types !== undefined) t.deepEqual(found.types, expected.types, 'record types');
  if (expected.ede !== undefined) t.is(found.ede, expected.ede, 'extended error');
  if (expected.ttl !== undefined) t.true(found.ttl <= expected.ttl, `TTL ${found.ttl}`);
  const kernel = await opened();
  t.deepEqual([...kernel].filter(isOf(number)).toSorted(), [...(expected.opened ?? expected.addresses ?? [])].filter(isOf(number)).toSorted(), 'what the kernel opened');
  t.deepEqual([...kernel].filter((address) => /^(?:10|127|169|192|172|100|0|22|25|24|198)\.|^(?:::|f|64:|2002:|2001:|100:)/.test(address)), [], 'special-use addresses in the kernel');
}

hostileCases.forEach(({ title, type = 1, transport = 'udp', expected }, number) => {
  test.serial(title, async (t) => {
    const answer = await ask(transport, query(name(nameOf(number)), type));
    await judge(t, number, answer, expected);
    if (number !== REBINDING) return;
    await sleep(100);
    const again = seen(await ask('udp', query(name(nameOf(number)), type)));
    t.deepEqual([again.rcode, again.addresses, again.ede], [0, [], 17]);
    t.false((await opened()).has('127.0.0.1'));
  });
});

test.serial('what was taken out is reported, per name and as a drift', async (t) => {
  await sleep(2500);
  const { names } = await world.service('webapp');
  for (const [number, { title, expected }] of hostileCases.entries()) {
    if (expected.guarded === undefined) continue;
    const guarded = names.find((one) => one.name === nameOf(number))?.guarded ?? [];
    t.deepEqual([...guarded].toSorted(), [...expected.guarded].toSorted(), title);
  }
  const { drift } = await world.status();
  t.true(drift.open.some(({ kind, detail }) => kind === 'name' && detail.includes('169.254.169.254')));
});

test.serial('there are at least 60 of them', (t) => t.true(hostileCases.length >= 60));

const REFUSED = 5;
const asking: readonly (readonly [title: string, bytes: Uint8Array, rcode: number | null, ede?: number | null])[] = [
  ['a name that is not listed', query(name('evil.example')), REFUSED, 15],
  ['… by a client without EDNS', query(name('evil.example'), 1, { edns: false }), REFUSED, null],
  ['the parent of a wildcard', query(name('hostile.net')), REFUSED, 15],
  ['a name that ends like a wildcard', query(name('xhostile.net')), REFUSED, 15],
  ['below a name that is listed exactly', query(name('a.exact.partner.net')), REFUSED, 15],
  ['a label with a dot in it', query(labels('c0.hostile', 'net')), REFUSED],
  ['one label that looks like the whole name', query(labels('exact.partner.net')), REFUSED],
  ['a label with a NUL', query(labels('c0\0', 'hostile', 'net')), REFUSED],
  ['a label with a Kelvin sign for a k', query(labels(Buffer.from('\u212a'), 'hostile', 'net')), REFUSED],
  ['the root', query(name('.'), 2), REFUSED],
  ['a reverse look-up', query(name('1.113.0.203.in-addr.arpa'), 12), REFUSED],
  ['class CHAOS', query(name(nameOf(0)), 16, { question: questionOf(name(nameOf(0)), 16, 3) }), REFUSED],
  ['NOTIFY', query(name(nameOf(0)), 6, { flags: 0x2100 }), 4],
  ['UPDATE', query(name(nameOf(0)), 6, { flags: 0x2900 }), 4],
  ['AXFR', query(name(nameOf(0)), 252), 4],
  ['two questions', query(name(nameOf(0)), 1, { question: Buffer.concat([questionOf(name(nameOf(0)), 1), questionOf(name(nameOf(0)), 1)]), counts: [2, 0, 0, 0] }), 1],
  ['no question', query(name(nameOf(0)), 1, { question: Buffer.alloc(0) }), 1],
  ['an answer section in a query', query(name(nameOf(0)), 1, { answers: [record(name('x.example'), 1, Buffer.alloc(4))] }), 1],
  ['two OPT records', query(name(nameOf(0)), 1, { additionals: [opt(), opt()] }), 1],
  ['EDNS version 1', query(name(nameOf(0)), 1, { additionals: [opt({ version: 1 })] }), 0],
  ['a payload of zero and an option nobody knows', query(name(nameOf(0)), 1, { additionals: [opt({ payload: 0, options: Buffer.concat([u16(65_001), u16(2), u16(7)]) })] }), 0],
  ['4 KB of noise', Buffer.concat([Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Buffer.alloc(4084, 0x3f)]), 1],
  ['a name of pointers', query(Buffer.from([0xc0, 12])), 1],
  ['a response', message({ id: 7, flags: 0x8180, question: questionOf(name(nameOf(0)), 1) }), null],
  ['less than a header', Buffer.from([1, 2, 3]), null],
];
for (const [title, bytes, rcode, ede] of asking) {
  test.serial(`asked: ${title}`, async (t) => {
    const answer = await ask('udp', bytes);
    if (rcode === null) return t.is(answer, null);
    const found = answer === null ? -1 : answer.readUInt16BE(2) & 15;
    t.is(found, rcode);
    if (ede !== undefined) t.is(seen(answer).ede, ede);
    return undefined;
  });
}

test.serial('EDNS version 1 is answered with BADVERS', async (t) => {
  const answer = await ask('udp', query(name(nameOf(0)), 1, { additionals: [opt({ version: 1 })] }));
  // the upper eight bits of the code are in the OPT record (RFC 6891 §6.1.3)
  t.is(answer?.at(-6), 1);
});

test.serial('whatever server is addressed, over UDP and TCP, IPv4 and IPv6', async (t) => {
  for (const to of ['8.8.8.8', '127.0.0.53', '127.0.0.1', '203.0.112.53', '::1', '2001:4860:4860::8888']) {
    for (const transport of ['udp', 'tcp'] as const) {
      const found = seen(await ask(transport, query(name(nameOf(0))), to));
      t.deepEqual(found.addresses, [here(0, 1)], `${transport} to ${to}`);
    }
  }
});

test.serial('upper-case names are listed too, and keep their letters', async (t) => {
  const answer = await ask('udp', query(name('C0.HosTile.NET')));
  t.deepEqual(seen(answer).addresses, [here(0, 1)]);
  t.is(answer?.subarray(13, 15).toString(), 'C0');
});

test.serial('a tunnel through names that are not listed carries nothing', async (t) => {
  const before = reached.length;
  for (let index = 0; index < 50; index += 1) {
    const answer = await ask(index % 2 === 0 ? 'udp' : 'tcp', query(name(`${index}${'x'.repeat(58)}.tunnel.example`), index % 3 === 0 ? 16 : 1));
    t.is((answer?.readUInt16BE(2) ?? 0) & 15, REFUSED);
  }
  t.deepEqual(reached.slice(before).filter((one) => one.includes('tunnel')), []);
});

test.serial('nothing that was refused has reached a name server, and status tells what it was', async (t) => {
  t.deepEqual(reached.filter((one) => !one.endsWith('.hostile.net') && one !== 'exact.partner.net'), []);
  t.regex(JSON.stringify(await world.service('webapp')), /"refusedNames":\[.*tunnel\.example/);
});

test.serial('a user with `dns: none` and one without a policy are not redirected', async (t) => {
  t.is(await world.as('billing').resolve('c0.hostile.net', { server: spareServers.main, timeout: 500 }), 'ECONNREFUSED');
  t.deepEqual(await world.as('stranger').resolve('c0.hostile.net', { server: spareServers.main, timeout: 1000 }), [here(0, 1)]);
});
