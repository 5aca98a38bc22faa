/** Times for people: how long ago, or when by the clock. */

export const TIME_STYLES = ['relative', 'local', 'utc'] as const;
export type TimeStyle = (typeof TIME_STYLES)[number];
/** ISO 8601 to what is shown. */
export type Clock = (iso: string) => string;

const UNITS: readonly (readonly [milliseconds: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** In the largest unit of which there are two or more, so that nothing is off by more than half; below two minutes in seconds. */
export function spanText(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000)) * 1000;
  const [size, name] = UNITS.find(([unit]) => seconds >= 2 * unit) ?? [1000, 's'];
  return `${Math.floor(seconds / size)} ${name}`;
}

/** Half a second either way is now: two clocks are never quite the same. */
const NOW = 500;

function relative(milliseconds: number): string {
  if (Math.abs(milliseconds) < NOW) return 'now';
  return milliseconds > 0 ? `${spanText(milliseconds)} ago` : `in ${spanText(-milliseconds)}`;
}

const two = (part: number) => `${part}`.padStart(2, '0');
// by hand: Intl takes longer to load than everything else that netwallctl does
const local = (time: Date) =>
  `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;

/** `now`: asked at each time, so that it fits a stream. */
export function clockOf(style: TimeStyle, now: () => number): Clock {
  return (iso) => {
    const time = new Date(iso);
    if (Number.isNaN(time.getTime())) return iso;
    if (style === 'relative') return relative(now() - time.getTime());
    return style === 'utc' ? `${time.toISOString().slice(0, 19)}Z` : local(time);
  };
}
