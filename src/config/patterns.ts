/** What the readers of configuration fields accept, as regular expressions for editors; see `policy/patterns.ts`. */
import { decimals, IPV4, IPV6, PORT } from '../policy/patterns.ts';
import { type Bounds, UNITS } from './duration.ts';

/** Every spelling of every duration within the bounds. */
export function durationPattern({ least, most }: Bounds): string {
  const spelled = [...UNITS].flatMap(([unit, size]) => {
    const [first, last] = [Math.ceil(least / size), Math.floor(most / size)];
    return first > last ? [] : [decimals(first, last) + unit];
  });
  return `^(?:${spelled.join('|')})$`;
}

/** Absolute and normal. */
export const PATH_PATTERN = String.raw`^(?:/(?!\.{1,2}(?:/|$))[^/\p{C}]+)+$`;

export const MARK_PATTERN = '^0x(?=.{1,8}$)0*[1248]0*$';

/** An address of this host's own, and a port. */
export const LOOPBACK_PATTERN = String.raw`^(?:(?=127\.)${IPV4}|\[::1\]):${PORT}$`;

const DNS_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const SERVER_NAME = String.raw`(?=.{1,253}$)(?:${DNS_LABEL}\.)+(?![0-9])${DNS_LABEL}`;
const PLACE = String.raw`(?:${IPV4}|\[${IPV6}\])(?::${PORT})?`;
export const NAME_SERVER_PATTERN = `^(?:${IPV6}|(?:udp://)?${PLACE}|tls://${PLACE}(?:#${SERVER_NAME})?)$`;
