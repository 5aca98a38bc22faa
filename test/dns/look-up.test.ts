/** What answers to netwalld's own look-ups mean. */
import test from 'ava';
import { analyse } from '../../src/dns/answer.ts';
import { outcomeOf } from '../../src/dns/look-up.ts';
import { a, message, name, questionOf } from './bytes.ts';

const outcome = (addresses: number) => {
  const analysed = analyse(message({ question: questionOf(name('api.example.net'), 1), answers: Array.from({ length: addresses }, (_, index) => a(`45.64.${index >> 8}.${index & 255}`)) }));
  return analysed.ok ? outcomeOf(analysed.analysis, 'A') : null;
};

test('an answer may have so many addresses; one that has more is a failure, which takes no address away', (t) => {
  t.is(outcome(256)?.kind, 'addresses');
  t.deepEqual(outcome(257), { kind: 'failure', reason: 'unusable answer: more than 256 addresses' });
  t.is(outcome(0)?.kind, 'nodata');
});
