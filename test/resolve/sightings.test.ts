import test from 'ava';
import { formatAddress } from '../../src/net/address.ts';
import { RecentMap } from '../../src/resolve/recent-map.ts';
import { Sightings } from '../../src/resolve/sightings.ts';
import { address } from '../ruleset/policies.ts';

const list = (sightings: Sightings, service = 'webapp') => Object.fromEntries([...sightings.seenBy(service)].map(([name, addresses]) => [name, addresses.map(formatAddress)]));

test('addresses are kept per service and name until they run out', (t) => {
  const sightings = new Sightings();
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 100);
  sightings.learn('webapp', 'a.example', [address('45.64.7.2')], 200);
  sightings.learn('other', 'b.example', [address('45.64.7.3')], 300);
  t.deepEqual(list(sightings), { 'a.example': ['45.64.7.1', '45.64.7.2'] });
  t.false(sightings.expire(99));
  t.true(sightings.expire(100));
  t.deepEqual(list(sightings), { 'a.example': ['45.64.7.2'] });
  t.true(sightings.expire(250));
  t.deepEqual(list(sightings), {});
  t.deepEqual(list(sightings, 'other'), { 'b.example': ['45.64.7.3'] });
});

test('what is seen again counts for longer, never for less', (t) => {
  const sightings = new Sightings();
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 100);
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 300);
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 50);
  t.false(sightings.expire(299));
  t.true(sightings.expire(300));
});

test('the same map while nothing changes', (t) => {
  const sightings = new Sightings();
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 100);
  const before = sightings.seenBy('webapp');
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 200);
  t.is(sightings.seenBy('webapp'), before);
  sightings.learn('webapp', 'b.example', [address('45.64.7.1')], 200);
  t.not(sightings.seenBy('webapp'), before);
  t.is(sightings.seenBy('nobody'), sightings.seenBy('nobody'));
});

test('of many names the latest stay', (t) => {
  const sightings = new Sightings(100);
  for (let index = 0; index < 1000; index += 1) {
    sightings.learn('webapp', `n${index}.example`, [address('45.64.7.1')], 100);
    sightings.learn('webapp', 'used.example', [address('45.64.7.2')], 100);
  }
  const names = Object.keys(list(sightings));
  t.true(names.length <= 100, `${names.length}`);
  t.true(names.includes('used.example'));
  for (let index = 960; index < 1000; index += 1) t.true(names.includes(`n${index}.example`));
});

test('names that no policy covers any more go', (t) => {
  const sightings = new Sightings();
  for (const name of ['a.example', 'b.example']) sightings.learn('webapp', name, [address('45.64.7.1')], 100);
  sightings.learn('gone', 'a.example', [address('45.64.7.1')], 100);
  sightings.retain((service, name) => service === 'webapp' && name === 'a.example');
  t.deepEqual(list(sightings), { 'a.example': ['45.64.7.1'] });
  t.deepEqual(list(sightings, 'gone'), {});
});

test('saved and loaded: what has run out meanwhile is left out, and nothing counts for longer than it may', (t) => {
  const sightings = new Sightings();
  sightings.learn('webapp', 'a.example', [address('45.64.7.1')], 1000);
  sightings.learn('webapp', 'b.example', [address('2a0f::1')], 5000);
  const saved = sightings.save(1_000_000);
  const next = new Sightings();
  next.load(JSON.parse(JSON.stringify(saved)), 0, 1_002_000, 1500);
  t.deepEqual(list(next), { 'b.example': ['2a0f::1'] });
  t.true(next.expire(1500));
});

test('a map of recent things', (t) => {
  const dropped: string[] = [];
  const map = new RecentMap<number>(4, (gone) => dropped.push(...gone.keys()));
  for (let index = 0; index < 10; index += 1) {
    map.set(`k${index}`, index);
    map.get('k0');
    t.true(map.size <= 5);
  }
  t.is(map.get('k0'), 0);
  t.is(map.get('k9'), 9);
  t.is(map.get('k2'), undefined);
  t.false(dropped.includes('k0'));
  t.true(map.delete('k0'));
  t.false(map.delete('k0'));
  map.clear();
  t.is(map.size, 0);
});

test('the addresses of a service are bounded as well: names not asked for the longest go', (t) => {
  const sightings = new Sightings();
  const block = Array.from({ length: 1000 }, (_, index) => ({ family: 4, value: BigInt(index) }) as const);
  for (let round = 0; round < 100; round += 1) sightings.learn('webapp', `n${round}.example`, block, 100);
  const names = [...sightings.seenBy('webapp').keys()];
  t.true(names.length >= 60 && names.length <= 70, `${names.length} names`);
  t.deepEqual(names.slice(-60), Array.from({ length: 60 }, (_, index) => `n${40 + index}.example`));
});
