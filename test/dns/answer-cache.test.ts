import test from 'ava';
import { AnswerCache, type CachedAnswer } from '../../src/dns/answer-cache.ts';

const answer = (octets: number, expires = 1000): CachedAnswer => ({ bytes: Buffer.alloc(octets), storedAt: 0, expires });
function filled(octets: number, count: number): AnswerCache<CachedAnswer> {
  const cache = new AnswerCache();
  for (let index = 0; index < count; index += 1) cache.put(`n${index}`, answer(octets));
  return cache;
}

const SIZES: readonly (readonly [what: string, octets: number, least: number, most: number])[] = [
  ['small', 100, 4096, 8192],
  ['the longest small', 1024, 4096, 8192],
  ['the shortest large', 1025, 128, 256],
  ['the longest large', 4096, 128, 256],
  ['too long', 4097, 0, 0],
];
for (const [what, octets, least, most] of SIZES) {
  test(`so many are kept: ${what}`, (t) => {
    const { size } = filled(octets, 20_000);
    t.true(size >= least && size <= most, `${size}`);
  });
}

test('large answers do not take the place of small ones', (t) => {
  const cache = filled(100, 1000);
  for (let index = 0; index < 20_000; index += 1) cache.put(`large${index}`, answer(2000));
  for (let index = 0; index < 1000; index += 1) t.not(cache.get(`n${index}`, 0), null);
});

test('the answer to one question is one, whether it grows or shrinks', (t) => {
  const cache = new AnswerCache();
  for (const octets of [100, 2000, 200, 3000]) {
    cache.put('n', answer(octets));
    t.is(cache.get('n', 0)?.bytes.length, octets);
    t.is(cache.size, 1);
  }
});

for (const octets of [100, 2000]) {
  test(`${octets} octets are kept until their time, or until all is forgotten`, (t) => {
    const cache = filled(octets, 1);
    t.not(cache.get('n0', 999), null);
    t.is(cache.get('n0', 1000), null);
    t.is(cache.size, 0);
    cache.put('n0', answer(octets));
    cache.clear();
    t.is(cache.get('n0', 0), null);
  });
}
