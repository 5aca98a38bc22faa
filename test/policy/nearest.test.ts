import test from 'ava';
import * as fc from 'fast-check';
import { editDistance, nearest } from '../../src/policy/nearest.ts';

const keys = ['service', 'match', 'mode', 'dns', 'egress', 'ingress'];

const guesses: readonly (readonly [typed: string, candidates: readonly string[], guess: string | null])[] = [
  ['egres', keys, 'egress'],
  ['ergess', keys, 'egress'], // two neighbours swapped
  ['ingres', keys, 'ingress'],
  ['gress', keys, 'egress'], // nearer than "ingress"
  ['servise', keys, 'service'],
  ['sevrice', keys, 'service'],
  ['Mode', keys, 'mode'],
  ['modes', keys, 'mode'],
  ['dsn', keys, 'dns'],
  ['dn', keys, 'dns'],
  ['ds', keys, 'dns'],
  ['d', keys, null],
  ['model', keys, 'mode'],
  ['version', keys, null],
  ['', keys, null],
  ['mode', [], null],
  ['tpc', ['tcp', 'udp'], 'tcp'],
  ['ab', ['a', 'b'], null], // one letter is no guess
  ['x'.repeat(41), ['x'.repeat(40)], null],
  ['aa', ['ab', 'ac'], 'ab'], // the first of equals
];

for (const [typed, candidates, guess] of guesses) {
  test(`nearest to ${JSON.stringify(typed)} of ${candidates.length}: ${guess ?? 'nothing'}`, (t) => {
    t.is(nearest(typed, candidates), guess);
  });
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 });

/** The definition, by recursion: slow, and plainly right. */
function distance(one: string, other: string): number {
  if (one === '' || other === '') return one.length + other.length;
  const [a, b] = [one.slice(0, -1), other.slice(0, -1)];
  const swapped = one.length > 1 && other.length > 1 && one.at(-1) === other.at(-2) && one.at(-2) === other.at(-1);
  return Math.min(
    distance(a, other) + 1,
    distance(one, b) + 1,
    distance(a, b) + (one.at(-1) === other.at(-1) ? 0 : 1),
    swapped ? distance(one.slice(0, -2), other.slice(0, -2)) + 1 : Infinity,
  );
}

test('the edit distance is what its definition says', (t) => {
  fc.assert(fc.property(word, word, (one, other) => t.is(editDistance(one, other), distance(one, other))), { numRuns: 300 });
});
