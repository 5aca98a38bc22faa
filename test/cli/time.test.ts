import test from 'ava';
import { clockOf, spanText } from '../../src/cli/time.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const relative = clockOf('relative', () => NOW);

const cases: readonly (readonly [iso: string, text: string])[] = [
  ['2026-11-21T08:00:00.000Z', 'now'],
  ['2026-11-21T08:00:00.400Z', 'now'],
  ['2026-11-21T07:59:59.000Z', '1 s ago'],
  ['2026-11-21T07:59:57.000Z', '3 s ago'],
  ['2026-11-21T07:58:01.000Z', '119 s ago'],
  ['2026-11-21T07:58:00.000Z', '2 min ago'],
  ['2026-11-21T06:00:01.000Z', '119 min ago'],
  ['2026-11-21T05:59:59.000Z', '2 h ago'],
  ['2026-11-19T08:00:00.000Z', '2 d ago'],
  ['2025-11-21T08:00:00.000Z', '365 d ago'],
  ['2026-11-21T08:00:42.000Z', 'in 42 s'],
  ['not a time', 'not a time'],
];
for (const [iso, text] of cases) test(`${iso} is ${text}`, (t) => t.is(relative(iso), text));

test('by the clock', (t) => {
  t.is(clockOf('utc', () => NOW)('2026-01-02T03:04:05.678Z'), '2026-01-02T03:04:05Z');
  // whatever the zone, it is the moment of this local time
  t.is(clockOf('local', () => NOW)(new Date(2026, 0, 2, 3, 4, 5).toISOString()), '2026-01-02 03:04:05');
});

test('a span is never negative', (t) => t.is(spanText(-5), '0 s'));
