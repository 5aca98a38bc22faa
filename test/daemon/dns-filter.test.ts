import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { decode } from 'dns-packet';
import { DnsFilter, type DnsFilterOptions } from '../../src/daemon/dns-filter.ts';
import type { ServiceState } from '../../src/daemon/desired.ts';
import type { ForwardOutcome } from '../../src/host/forward.ts';
import { HostError } from '../../src/host/host-error.ts';
import { formatAddress } from '../../src/net/address.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { linkPolicy } from '../../src/policy/rule.ts';
import { PassiveDns } from '../../src/resolve/passive-dns.ts';
import { Sightings } from '../../src/resolve/sightings.ts';
import { confine } from '../../src/ruleset/confinement.ts';
import { a, ipv4, message, name, opt, QNAME, query, questionOf, record, type Sections, svcb } from '../dns/bytes.ts';

const POLICY = `service: webapp
match: { user: 1001 }
egress:
  allow:
    - to: ["*.example.com", exact.example.net]
      ports: [443]
  deny:
    - to: bad.example.com
---
service: other
match: { user: 1002 }
egress:
  allow: [{ to: "*.example.com", ports: [443] }]
---
service: watched
match: { user: 1003 }
mode: audit
`;

function states(yaml: string): readonly ServiceState[] {
  return parsePolicyFile('/etc/netwall.d/test.yaml', yaml).policies.map((policy, index) => {
    const { linked } = linkPolicy(policy, new Map());
    const confinement = confine(linked, { ids: policy.subjects.map(({ id }) => Number(id)), nameservers: [], addresses: new Map(), dnsPort: 5300 + index });
    const entry = { service: policy.service, at: policy.at, standing: 'good', linked, kind: policy.kind, subjects: policy.subjects, problems: [] } as const;
    return { entry, principals: { ids: confinement.ids, missing: [] }, blockedSince: null, confinement, rulesets: [] };
  });
}

function start(reply: (asked: string, type: number) => ForwardOutcome | Promise<ForwardOutcome>, more: Partial<DnsFilterOptions> = {}) {
  const asked: string[] = [];
  const opened: string[] = [];
  const learnt: string[] = [];
  const sightings = new Sightings();
  let epoch = 0;
  const filter = new DnsFilter({
    forwarder: {
      ask: async ({ name: host, type }) => {
        asked.push(`${host} ${type}`);
        return reply(host, type);
      },
      close() {},
    },
    grant: async (wanted) => {
      for (const [principal, elements] of wanted) for (const { key } of elements) opened.push(`${principal}: ${key}`);
      return true;
    },
    epoch: () => epoch,
    catchUp: async () => true,
    learn: (domain, addresses) => learnt.push(`${domain} ${addresses.map(formatAddress).join(' ')}`),
    sightings,
    passive: new PassiveDns(),
    onSeen() {},
    limits: { minTtl: 1000, maxTtl: 60_000, hold: 10_000, maxStale: 60_000 },
    refusal: 'refused',
    addressTimeout: 600,
    ...more,
  });
  filter.serve(states(POLICY));
  return { filter, asked, opened, learnt, sightings, advance: () => (epoch += 1) };
}

const ok = (host: string, type: number, answers: readonly Uint8Array[], flags = 0x8180): ForwardOutcome => ({ kind: 'reply', bytes: message({ flags, question: questionOf(name(host), type), answers }) });
const good = (host: string, type: number) => ok(host, type, [a('45.64.7.1')]);
const rcode = (answer: Buffer | null) => (answer === null ? -1 : answer.readUInt16BE(2) & 15);
const isTruncated = (answer: Buffer | null) => ((answer?.[2] ?? 0) & 2) !== 0;
const addresses = (answer: Buffer | null) => (answer === null ? [] : (decode(answer).answers ?? []).flatMap((one) => (one.type === 'A' ? [one.data] : [])));
const askFor = (filter: DnsFilter, host: string, service = 'webapp', datagram = true) => Promise.resolve(filter.answer(service, query(name(host)), datagram));

test('a listed name is asked for, opened and answered, and not asked again while its TTL lasts', async (t) => {
  const { filter, asked, opened, sightings } = start(good);
  for (let count = 0; count < 3; count += 1) t.deepEqual(addresses(await askFor(filter, 'api.example.com')), ['45.64.7.1']);
  t.deepEqual(asked, ['api.example.com 1']);
  t.deepEqual(opened, ['user 1001: 1001 . 45.64.7.1 . tcp . 443']);
  t.deepEqual([...sightings.seenBy('webapp').keys()], ['api.example.com']);
  t.like(filter.statisticsOf('webapp')?.counts, { queries: 3, answered: 3, cached: 2, refused: 0 });
});

test('once anything may have left the kernel, an answer from the cache is opened anew', async (t) => {
  const { filter, opened, advance } = start(good);
  await askFor(filter, 'api.example.com');
  advance();
  await askFor(filter, 'api.example.com');
  await askFor(filter, 'api.example.com');
  t.is(opened.length, 2);
});

test('a name that is listed by itself is told to the address book', async (t) => {
  const { filter, learnt, sightings } = start(good);
  await askFor(filter, 'exact.example.net');
  t.deepEqual(learnt, ['exact.example.net 45.64.7.1']);
  t.is(sightings.seenBy('webapp').size, 0);
});

for (const host of ['example.org', 'example.com', 'bad.example.com', 'a.exact.example.net', 'x']) {
  test(`refused without a question: ${host}`, async (t) => {
    const { filter, asked, opened } = start(good);
    t.is(rcode(await askFor(filter, host)), 5);
    t.deepEqual([asked, opened], [[], []]);
    t.is(filter.statisticsOf('webapp')?.refusedNames[0]?.name, host);
  });
}

test('refused with NXDOMAIN where that is wanted', async (t) => {
  const { filter } = start(good, { refusal: 'nxdomain' });
  t.is(rcode(await askFor(filter, 'example.org')), 3);
});

test('mode audit lets every name through and records what is not listed', async (t) => {
  const { filter, opened } = start((host, type) => ok(host, type, [a('10.0.0.1'), a('45.64.7.1')]));
  t.deepEqual(addresses(await askFor(filter, 'example.org', 'watched')), ['10.0.0.1', '45.64.7.1']);
  t.deepEqual(opened, []);
  t.is(filter.statisticsOf('watched')?.refusedNames[0]?.name, 'example.org');
});

test('fifty at a time are one question', async (t) => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { filter, asked } = start(async (host, type) => {
    await gate;
    return good(host, type);
  });
  const answers = Array.from({ length: 50 }, (_, index) => askFor(filter, 'api.example.com', index % 2 === 0 ? 'webapp' : 'other'));
  release();
  for (const answer of await Promise.all(answers)) t.deepEqual(addresses(answer), ['45.64.7.1']);
  t.is(asked.length, 1);
});

test('the answer waits for the kernel', async (t) => {
  let open: (value: boolean) => void = () => {};
  const { filter } = start(good, { grant: () => new Promise((resolve) => (open = resolve)) });
  let answered = false;
  const answer = askFor(filter, 'api.example.com').then((bytes) => {
    answered = true;
    return bytes;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.false(answered);
  open(true);
  t.is(rcode(await answer), 0);
});

const KERNEL: readonly (readonly [what: string, grant: () => Promise<boolean>, enforced: boolean, doubts: readonly boolean[], code: number])[] = [
  ['ranges take a run of the reconciler', async () => false, true, [false], 0],
  ['… and without one there is no answer', async () => false, false, [false], 2],
  ['where nft refuses, the kernel is looked at', () => Promise.reject(new HostError('nft apply', 'no')), true, [true], 0],
  ['… and if that does not help, there is no answer', () => Promise.reject(new HostError('nft apply', 'no')), false, [true], 2],
];
for (const [what, grant, enforced, expected, code] of KERNEL) {
  test(what, async (t) => {
    const doubts: boolean[] = [];
    const { filter } = start(good, {
      grant,
      catchUp: async (doubt) => {
        doubts.push(doubt);
        return enforced;
      },
    });
    t.is(rcode(await askFor(filter, 'api.example.com')), code);
    t.deepEqual(doubts, expected);
  });
}

test('failures upstream are SERVFAIL, other codes are passed on, neither is kept', async (t) => {
  let outcome: ForwardOutcome = { kind: 'failure', reason: 'no answer', bytes: null };
  const { filter, asked } = start(() => outcome);
  t.is(rcode(await askFor(filter, 'api.example.com')), 2);
  outcome = { kind: 'failure', reason: 'REFUSED', bytes: message({ flags: 0x8185 }) };
  t.is(rcode(await askFor(filter, 'api.example.com')), 5);
  t.is(asked.length, 2);
  t.is(filter.statisticsOf('webapp')?.lastError, 'api.example.com: REFUSED');
});

test('a TTL of zero is not kept', async (t) => {
  const { filter, asked } = start((host, type) => ok(host, type, [a('45.64.7.1', QNAME, 0)]));
  await askFor(filter, 'api.example.com');
  await askFor(filter, 'api.example.com');
  t.is(asked.length, 2);
});

const FITTING: readonly (readonly [what: string, more: Sections & { readonly edns?: boolean }, room: number, least: number, most: number])[] = [
  ['without EDNS', { edns: false }, 512, 20, 30],
  ['with EDNS', {}, 1232, 70, 80],
  ['with DO', { additionals: [opt({ dnssecOk: true })] }, 1232, 0, 0],
];
for (const [what, more, room, least, most] of FITTING) {
  test(`what does not fit a datagram is truncated, and carries the first records; over TCP it is whole: ${what}`, async (t) => {
    const { filter } = start((host, type) => ok(host, type, [a('45.64.7.1'), ...Array.from({ length: 100 }, (_, index) => a(`45.64.8.${index}`))]));
    const asked = query(name('api.example.com'), 1, more);
    const short = await filter.answer('webapp', asked, true);
    t.true(isTruncated(short) && (short?.length ?? 9999) <= room);
    const whole = addresses(await filter.answer('webapp', asked, false));
    t.is(whole.length, 101);
    const first = addresses(short);
    t.true(first.length >= least && first.length <= most, `${first.length}`);
    t.deepEqual(first, whole.slice(0, first.length));
  });
}

test('where only what goes with the answer does not fit, the answer is whole without it', async (t) => {
  const texts = Array.from({ length: 20 }, () => record(QNAME, 16, Buffer.alloc(100, 0x63)));
  for (const sections of [{ authorities: texts }, { additionals: texts }]) {
    const { filter } = start((host, type) => ({ kind: 'reply', bytes: message({ question: questionOf(name(host), type), answers: [a('45.64.7.1'), a('45.64.7.2')], ...sections }) }));
    const short = await askFor(filter, 'api.example.com');
    t.false(isTruncated(short));
    t.true((short?.length ?? 9999) < 200);
    t.deepEqual(addresses(short), ['45.64.7.1', '45.64.7.2']);
    t.true(((await askFor(filter, 'api.example.com', 'webapp', false))?.length ?? 0) > 2000);
  }
});

test('one service with many questions under way does not keep another from asking', async (t) => {
  const { filter } = start((host, type) => (host.startsWith('slow') ? new Promise(() => {}) : good(host, type)));
  for (let index = 0; index < 256; index += 1) void askFor(filter, `slow${index}.example.com`);
  t.is(rcode(await askFor(filter, 'slow-too.example.com')), 2);
  t.is(rcode(await askFor(filter, 'api.example.com', 'other')), 0);
  t.is(filter.statisticsOf('webapp')?.counts.limited, 1);
});

test('a policy that changes while a question is under way decides on the answer', async (t) => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { filter, opened } = start(async (host, type) => {
    await gate;
    return good(host, type);
  });
  const answer = askFor(filter, 'api.example.com');
  filter.serve(states(POLICY.replace('"*.example.com", exact', 'exact')));
  release();
  t.deepEqual(addresses(await answer), []);
  t.deepEqual(opened, []);
});

/** Questions that are answered one by one, the first with 45.64.7.1. */
function startHeld() {
  const held: (() => void)[] = [];
  const started = start(async (host, type) => {
    const answer = ok(host, type, [a(`45.64.7.${held.length + 1}`)]);
    await new Promise<void>((resolve) => held.push(resolve));
    return answer;
  });
  return { ...started, release: (index: number) => held[index]?.() };
}

const LEAVING: readonly (readonly [what: string, comesBack: boolean])[] = [
  ['left', false],
  ['left, and came back', true],
];
for (const [what, comesBack] of LEAVING) {
  test(`a policy that ${what} while a question is under way: refused`, async (t) => {
    const { filter, opened, sightings, release } = startHeld();
    const answer = askFor(filter, 'api.example.com');
    filter.serve([]);
    if (comesBack) filter.serve(states(POLICY));
    release(0);
    t.is(rcode(await answer), 5);
    t.deepEqual(opened, []);
    t.is(sightings.seenBy('webapp').size, 0);
    if (comesBack) t.deepEqual(addresses(await askFor(filter, 'api.example.com')), ['45.64.7.1'], 'who asks now is answered');
  });
}

test('what was asked before all was forgotten is for who asked, and is not kept', async (t) => {
  const { filter, asked, release } = startHeld();
  const before = askFor(filter, 'api.example.com');
  filter.forget();
  const after = askFor(filter, 'api.example.com');
  t.is(asked.length, 2);
  release(0);
  t.deepEqual(addresses(await before), ['45.64.7.1']);
  const shared = askFor(filter, 'api.example.com');
  t.is(asked.length, 2, 'the question that is under way is known still');
  release(1);
  for (const answer of [await after, await shared, await askFor(filter, 'api.example.com')]) t.deepEqual(addresses(answer), ['45.64.7.2']);
  t.is(asked.length, 2);
});

test('large answers are kept in bounded number, beside small ones', async (t) => {
  const { filter, asked } = start((host, type) => ok(host, type, Array.from({ length: host.startsWith('large') ? 100 : 1 }, (_, index) => a(`45.64.8.${index}`))));
  const askAll = async (kind: string, count: number) => {
    for (let index = 0; index < count; index += 1) await askFor(filter, `${kind}${index}.example.com`);
    return asked.splice(0).length;
  };
  t.is(await askAll('small', 1000), 1000);
  t.is(await askAll('large', 100), 100);
  t.is(await askAll('large', 100), 0);
  t.is(await askAll('large', 600), 500);
  t.is(await askAll('large', 100), 100);
  t.is(await askAll('small', 1000), 0);
});

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const KEPT: readonly [what: string, reply: (host: string, type: number) => ForwardOutcome][] = [
  ['as they came', good],
  ['without OPT', (host, type) => ({ kind: 'reply', bytes: message({ question: questionOf(name(host), type), answers: [a('45.64.7.1')], additionals: [opt()] }) })],
  ['put together anew', (host, type) => ok(host, type, [a('45.64.7.1'), a('10.0.0.1')])],
];
/** What is garbage is given back some time after a collection; what is kept stays, however long one looks. */
const leastOf = async (measure: () => number, enough: number): Promise<number> => {
  for (let look = 0; ; look += 1) {
    collect();
    const found = measure();
    if (found < enough || look === 40) return found;
    await sleep(50);
  }
};

for (const [what, reply] of KEPT) {
  test.serial(`answers that are kept take little more memory than they are long: ${what}`, async (t) => {
    const count = 2000;
    const { filter } = start(reply);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < count; index += 1) {
      t.is(rcode(await askFor(filter, `kept${index}.example.com`)), 0);
      // what goes on besides: it shares slabs with whatever is not copied
      for (let other = 0; other < 8; other += 1) Buffer.from('x'.repeat(3000));
    }
    const each = await leastOf(() => (process.memoryUsage().arrayBuffers - before) / count, 1000);
    t.true(each < 1000, `${each.toFixed(0)} octets each`);
    t.deepEqual(addresses(await askFor(filter, 'kept7.example.com')), ['45.64.7.1']);
  });
}

test('answers that are kept do not keep what was in force when they were given', async (t) => {
  const { filter } = start(good);
  const base = states(POLICY);
  const anew = () => base.map((state) => ({ ...state, confinement: { ...state.confinement } }));
  const old: WeakRef<object>[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    const now = anew();
    old.push(new WeakRef(now[0]?.confinement ?? {}));
    filter.serve(now);
    await askFor(filter, `n${turn}.example.com`);
  }
  filter.serve(anew());
  await setImmediate();
  collect();
  // the collector may find the last one on the stack still
  t.true(old.filter((one) => one.deref() !== undefined).length <= 1);
});

test('hints say where the name itself is; where another name is, listed or not, only its own zone may say', async (t) => {
  const targets: Readonly<Record<string, string>> = { self: 'self.example.com', listed: 'exact.example.net', wild: 'cdn.example.com', foreign: 'cdn.example.org' };
  const { filter, opened, learnt } = start((host, type) => ok(host, type, [record(QNAME, 65, svcb(1, name(targets[host.split('.')[0] ?? ''] ?? ''), [[4, ipv4('45.64.7.7')]]))]));
  const hinted = async (host: string) => (await filter.answer('webapp', query(name(host), 65), true))?.includes(ipv4('45.64.7.7'));
  for (const other of ['listed', 'wild', 'foreign']) t.false(await hinted(`${other}.example.com`), other);
  t.deepEqual(opened, []);
  t.true(await hinted('self.example.com'));
  t.deepEqual(opened, ['user 1001: 1001 . 45.64.7.7 . tcp . 443']);
  t.deepEqual(learnt, []);
});

test('a service that nobody knows, or that is gone', async (t) => {
  const { filter } = start(good);
  t.is(rcode(await askFor(filter, 'api.example.com', 'nobody')), 5);
  filter.serve([]);
  t.is(rcode(await askFor(filter, 'api.example.com')), 5);
});

test('ports that are denied for a name are not opened at its addresses, from the first answer on', async (t) => {
  const { filter, opened } = start(good);
  filter.serve(states(POLICY.replace('ports: [443]\n  deny:\n    - to: bad.example.com', 'ports: [443, 5432]\n  deny:\n    - to: "*.bad.example.com"\n      ports: [5432]')));
  t.deepEqual(addresses(await askFor(filter, 'x.bad.example.com')), ['45.64.7.1']);
  t.deepEqual(opened, ['user 1001: 1001 . 45.64.7.1 . tcp . 443']);
  await askFor(filter, 'x.example.com');
  t.true(opened.includes('user 1001: 1001 . 45.64.7.1 . tcp . 5432'), 'of another name they are');
});

const PORT_DENIED: readonly (readonly [host: string, denied: string, inBook: boolean])[] = [
  ['bad.example.com', 'bad.example.com', true],
  ['x.bad.example.com', '"*.bad.example.com"', false],
  ['bad.example.com', 'bad.example.com, "*.example.com"', true],
];
for (const [host, denied, inBook] of PORT_DENIED) {
  test(`allowed by a wildcard and denied at some ports, ${host} by ${denied}: open at the others, and ${inBook ? "the address book's" : 'a sighting'}`, async (t) => {
    const { filter, opened, learnt, sightings } = start(good);
    filter.serve(states(POLICY.replace('ports: [443]\n  deny:\n    - to: bad.example.com', `ports: [443, 5000-6000]\n  deny:\n    - to: [${denied}]\n      ports: [5432]`)));
    t.deepEqual(addresses(await askFor(filter, host)), ['45.64.7.1']);
    t.deepEqual(opened.toSorted(), ['443', '5000-5431', '5433-6000'].map((ports) => `user 1001: 1001 . 45.64.7.1 . tcp . ${ports}`));
    t.deepEqual([learnt, [...sightings.seenBy('webapp').keys()]], inBook ? [[`${host} 45.64.7.1`], []] : [[], [host]]);
  });
}

test('who waits for the same answer waits for one opening, and only so many may', async (t) => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let grants = 0;
  const { filter, asked } = start(async (host, type) => (await held, good(host, type)), {
    grant: async () => {
      grants += 1;
      await sleep(5);
      return true;
    },
  });
  const answers = Array.from({ length: 400 }, () => askFor(filter, 'api.example.com'));
  release();
  const codes = (await Promise.all(answers)).map(rcode);
  t.deepEqual([codes.filter((code) => code === 0).length, codes.filter((code) => code === 2).length], [256, 144]);
  t.is(asked.length, 1);
  t.is(grants, 1);
  t.is(filter.statisticsOf('webapp')?.counts.limited, 144);
});

test('an opening that failed is tried again by the next one', async (t) => {
  let tries = 0;
  const { filter } = start(good, { grant: async () => (tries += 1) > 1, catchUp: async () => false });
  t.is(rcode(await askFor(filter, 'api.example.com')), 2);
  t.deepEqual(addresses(await askFor(filter, 'api.example.com')), ['45.64.7.1']);
});

test('an answer with hundreds of addresses, or one that is too long without its private ones, is of no use', async (t) => {
  const many = (count: number, first: string) => (host: string, type: number) => ok(host, type, [a(first), ...Array.from({ length: count }, (_, index) => a(`45.66.${index >> 8}.${index & 255}`))]);
  t.is(rcode(await askFor(start(many(255, '45.64.7.1')).filter, 'api.example.com', 'webapp', false)), 0);
  t.is(rcode(await askFor(start(many(256, '45.64.7.1')).filter, 'api.example.com', 'webapp', false)), 2);
  const texts = Array.from({ length: 260 }, () => record(QNAME, 16, Buffer.concat([Buffer.from([240]), Buffer.alloc(240, 0x78)])));
  const host = `${'x'.repeat(60)}.${'y'.repeat(60)}.example.com`;
  t.is(rcode(await askFor(start((asked, type) => ok(asked, type, [a('10.0.0.1'), a('45.64.7.1'), ...texts.slice(0, 240)])).filter, host, 'webapp', false)), 2, 'names written out make it longer than a message may be');
});
