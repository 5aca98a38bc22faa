/** Durations as systemd and Prometheus write them: one number and one unit. */
import type { Parsed } from '../net/address.ts';
import { quoted } from '../policy/visible.ts';

/** In milliseconds. */
export const UNITS: ReadonlyMap<string, number> = new Map([['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000]]);

/** What people write who know other programs' units. */
const OTHER_UNITS: ReadonlyMap<string, string> = new Map([
  ['msec', 'ms'], ['millis', 'ms'], ['sec', 's'], ['secs', 's'], ['second', 's'], ['seconds', 's'], ['min', 'm'], ['mins', 'm'], ['minute', 'm'], ['minutes', 'm'],
  ['hr', 'h'], ['hour', 'h'], ['hours', 'h'], ['day', 'd'], ['days', 'd'],
]);

/** Inclusive, in milliseconds. */
export type Bounds = { readonly least: number; readonly most: number };

/** Reads `500ms`, `30s`, `10m`, `24h` or `7d` as milliseconds. Never throws. */
export function parseDuration(text: string, { least, most }: Bounds): Parsed<number> {
  const value = readDuration(text);
  if (value === null) {
    const instead = meantDuration(text);
    const hint = instead === null ? 'write a number and one of ms, s, m, h, d, for example 30s' : `did you mean ${instead}?`;
    return { ok: false, fault: text === '' ? 'a duration is missing' : `${quoted(text)} is not a duration`, hint };
  }
  const hint = `it may be ${formatDuration(least)} to ${formatDuration(most)}`;
  if (value < least) return { ok: false, fault: `${text} is too short`, hint };
  return value > most ? { ok: false, fault: `${quoted(text)} is too long`, hint } : { ok: true, value };
}

/** In the largest unit that leaves a whole number: `90s`, `2m`, `0s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  const [unit, size] = [...UNITS].findLast(([, size]) => milliseconds % size === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

function readDuration(text: string): number | null {
  const [, number = '', unit = ''] = /^(0|[1-9][0-9]{0,11})(ms|s|m|h|d)$/.exec(text) ?? [];
  const size = UNITS.get(unit);
  return size === undefined ? null : Number(number) * size;
}

/** What is nearly a duration: other spellings of units, fractions, sums such as `1h30m`. */
function meantDuration(text: string): string | null {
  const parts = [...text.toLowerCase().matchAll(/([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([a-z]*)\s*/gy)];
  if (parts.length === 0 || parts.reduce((length, [part]) => length + part.length, 0) !== text.length) return null;
  let sum = 0;
  for (const [, number = '', unit = ''] of parts) {
    // a bare number is most likely in seconds, but only where nothing else is said
    const size = UNITS.get(OTHER_UNITS.get(unit) ?? (unit === '' && parts.length === 1 ? 's' : unit));
    if (size === undefined) return null;
    sum += Number(number) * size;
  }
  return Number.isSafeInteger(sum) && sum > 0 ? formatDuration(sum) : null;
}
