import test from 'ava';
import { PassiveDns } from '../../src/resolve/passive-dns.ts';
import { address } from '../ruleset/policies.ts';

test('names by address, for each service its own', (t) => {
  const passive = new PassiveDns();
  passive.note('webapp', 'a.net', [address('192.0.2.1'), address('2001:db8::1')]);
  passive.note('webapp', 'b.net', [address('192.0.2.1')]);
  passive.note('webapp', 'a.net', [address('192.0.2.1')]);
  passive.note('other', 'c.net', [address('192.0.2.1')]);
  t.deepEqual(passive.namesOf('webapp', address('192.0.2.1')), ['a.net', 'b.net']);
  t.deepEqual(passive.namesOf('webapp', address('2001:db8::1')), ['a.net']);
  t.deepEqual(passive.namesOf('other', address('192.0.2.1')), ['c.net']);
  t.deepEqual(passive.namesOf('webapp', address('192.0.2.2')), []);
});

test('aliases, as the last answer had them', (t) => {
  const passive = new PassiveDns();
  passive.noteChain('a.net', ['b.net', 'c.net']);
  t.deepEqual(passive.chainOf('a.net'), ['b.net', 'c.net']);
  passive.noteChain('a.net', []);
  t.deepEqual(passive.chainOf('a.net'), []);
});

test('it is bounded', (t) => {
  const passive = new PassiveDns();
  for (let index = 0; index < 1000; index += 1) passive.note('webapp', `n${index}.net`, [address('192.0.2.1')]);
  t.is(passive.namesOf('webapp', address('192.0.2.1')).length, 16);
  for (let index = 0; index < 50_000; index += 1) passive.note('webapp', 'many.net', [{ family: 4, value: BigInt(index) }]);
  t.deepEqual(passive.namesOf('webapp', address('192.0.2.1')), []);
});
