import test from 'ava';
import * as fc from 'fast-check';
import { formatDuration, parseDuration } from '../../src/config/duration.ts';

const wide = { least: 0, most: Number.MAX_SAFE_INTEGER };
const DAY = 86_400_000;

const accepted: readonly (readonly [text: string, milliseconds: number])[] = [
  ['0s', 0], ['0ms', 0], ['500ms', 500], ['30s', 30_000], ['10m', 600_000], ['24h', DAY], ['7d', 7 * DAY], ['1000ms', 1000], ['90m', 5_400_000],
];

for (const [text, value] of accepted) test(`a duration: ${text}`, (t) => t.deepEqual(parseDuration(text, wide), { ok: true, value }));

const refused: readonly (readonly [text: string, fault: string, hint: string])[] = [
  ['', 'a duration is missing', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['30', '"30" is not a duration', 'did you mean 30s?'],
  ['0', '"0" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['1.5s', '"1.5s" is not a duration', 'did you mean 1500ms?'],
  ['1h30m', '"1h30m" is not a duration', 'did you mean 90m?'],
  ['1d 12h', '"1d 12h" is not a duration', 'did you mean 36h?'],
  ['5 min', '"5 min" is not a duration', 'did you mean 5m?'],
  ['5 S', '"5 S" is not a duration', 'did you mean 5s?'],
  ['2days', '"2days" is not a duration', 'did you mean 2d?'],
  ['-5s', '"-5s" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['05s', '"05s" is not a duration', 'did you mean 5s?'],
  ['5w', '"5w" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['s', '"s" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['1e3s', '"1e3s" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['9999999999999s', '"9999999999999s" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
  ['\u001b[31m', '"\\u001b[31m" is not a duration', 'write a number and one of ms, s, m, h, d, for example 30s'],
];

for (const [text, fault, hint] of refused) test(`no duration: ${JSON.stringify(text)}`, (t) => t.deepEqual(parseDuration(text, wide), { ok: false, fault, hint }));

test('bounds are inclusive', (t) => {
  const bounds = { least: 1000, most: 60_000 };
  t.deepEqual(parseDuration('1s', bounds), { ok: true, value: 1000 });
  t.deepEqual(parseDuration('1m', bounds), { ok: true, value: 60_000 });
  t.deepEqual(parseDuration('999ms', bounds), { ok: false, fault: '999ms is too short', hint: 'it may be 1s to 1m' });
  t.deepEqual(parseDuration('60001ms', bounds), { ok: false, fault: '"60001ms" is too long', hint: 'it may be 1s to 1m' });
  t.deepEqual(parseDuration('999999999999d', bounds), { ok: false, fault: '"999999999999d" is too long', hint: 'it may be 1s to 1m' });
});

test('what is formatted is read as the same', (t) => {
  fc.assert(fc.property(fc.nat(1e9), (value) => t.deepEqual(parseDuration(formatDuration(value), wide), { ok: true, value })));
  t.deepEqual([0, 1, 1000, 1001, 60_000, 90_000, 3_600_000, DAY].map(formatDuration), ['0s', '1ms', '1s', '1001ms', '1m', '90s', '1h', '1d']);
});

test('a suggestion is itself accepted', (t) => {
  const piece = fc.constantFrom('0', '1', '30', '.5', ' ', 's', 'ms', 'min', 'h', 'd', 'sec', '-', 'x');
  let suggested = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const parsed = parseDuration(pieces.join(''), wide);
      const [, instead] = parsed.ok ? [] : (/^did you mean (.*)\?$/.exec(parsed.hint ?? '') ?? []);
      if (instead === undefined) return;
      suggested += 1;
      t.true(parseDuration(instead, wide).ok, `${pieces.join('')}: ${instead}`);
    }),
    { numRuns: 2000 },
  );
  t.true(suggested > 0);
});
