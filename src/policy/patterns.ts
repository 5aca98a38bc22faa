/**
 * What the readers of fields accept, as regular expressions for editors. They are never narrower than the readers, and a little
 * wider only where a regular expression would be beyond use: reversed ranges, most host bits of IPv6, public suffixes.
 * Written for the flag `u`, without flags of case: JSON Schema has none.
 */

/** The decimal numbers from `first` to `last`, without leading zeros. */
export function decimals(first: number, last: number): string {
  const lines: string[] = [];
  for (let low = first; low <= last; ) {
    // the longest run from here that is some digits, one range of a digit, and then anything
    const size = runFrom(low, last);
    const digit = Math.floor(low / size) % 10;
    const end = Math.min(9, digit + Math.floor((last - low + 1) / size) - 1);
    const head = Math.floor(low / size / 10);
    const tail = size === 1 ? '' : `[0-9]${size === 10 ? '' : `{${Math.log10(size)}}`}`;
    lines.push(`${head === 0 ? '' : head}${digit === end ? digit : `[${digit}-${end}]`}${tail}`);
    low += (end - digit + 1) * size;
  }
  return lines.length === 1 ? lines.join('') : `(?:${lines.join('|')})`;
}

/** The largest power of ten such that that many numbers from `low` on share their head. */
function runFrom(low: number, last: number, size = 1): number {
  const larger = size * 10;
  return low > 0 && low % larger === 0 && low + larger - 1 <= last ? runFrom(low, last, larger) : size;
}

const OCTET = decimals(0, 255);
export const PORT = decimals(1, 65535);
export const IPV4 = String.raw`(?:${OCTET}\.){3}${OCTET}`;

/** Every dotted quad and prefix without host bits: whole octets, one that ends in zeros, then zeros. */
function ipv4Block(prefix: number): string {
  const whole = Math.floor(prefix / 8);
  const step = 2 ** (8 - (prefix % 8));
  const between = step === 256 ? [] : step === 2 ? [String.raw`(?:[02468]|[1-9][02468]|1[0-9][02468]|2[0-4][02468]|25[024])`] : [`(?:${Array.from({ length: 256 / step }, (_, index) => index * step).join('|')})`];
  const octets = [...Array.from({ length: whole }, () => OCTET), ...between];
  return `${[...octets, ...Array.from({ length: 4 - octets.length }, () => '0')].join(String.raw`\.`)}/${prefix}`;
}
const IPV4_NETWORK = `(?:${IPV4}|${Array.from({ length: 33 }, (_, prefix) => ipv4Block(prefix)).join('|')})`;

const GROUP = '[0-9a-fA-F]{1,4}';
/** The last 32 bits: two groups or a dotted quad. */
const TAIL = `(?:${GROUP}:${GROUP}|${IPV4})`;

/** RFC 3986 §3.2.2, where `::` stands for one group or more. */
export const IPV6 = `(?:${[
  `(?:${GROUP}:){6}${TAIL}`,
  ...Array.from({ length: 8 }, (_, before) => {
    const head = before === 0 ? '' : before === 1 ? GROUP : `(?:${GROUP}:){${before - 1}}${GROUP}`;
    // what may follow, from nothing to as many groups as leave one for the gap
    const most = 7 - before;
    const groups = most === 0 ? '' : `(?:${GROUP}(?::${GROUP}){0,${most - 1}})?`;
    const quad = most < 2 ? '' : `(?:${GROUP}:){0,${most - 2}}${IPV4}`;
    return `${head}::${quad === '' ? groups : `(?:${quad}|${groups})`}`;
  }),
].join('|')})`;

/** What is IPv4 inside is to be written as IPv4; at least in the spelling that everybody uses. */
const NOT_MAPPED = `(?!::[fF]{4}:${TAIL}(?:/|$))`;
/** Of the host bits of IPv6 the last group, which is where the mistake mostly is. */
const NO_LAST_GROUP = `(?!.*:(?!0+/)${GROUP}/${decimals(0, 112)}$)`;
const NETWORK = `(?:${IPV4_NETWORK}|${NOT_MAPPED}${NO_LAST_GROUP}${IPV6}(?:/${decimals(0, 128)})?)`;

const LABEL = '[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?';
/** At least two labels, the last of which is not the end of an address. */
const DOMAIN = String.raw`(?=.{1,253}$)(?:${LABEL}\.)+(?!(?:[0-9]+|0[xX][0-9a-fA-F]*)$)${LABEL}`;
/** Without a letter it is taken for an address. */
const PLAIN_DOMAIN = `(?![0-9.-]*$)${DOMAIN}`;

/** Of services and of groups. */
export const NAME_PATTERN = '[a-z0-9][a-z0-9-]{0,31}';

export const DESTINATION_PATTERN = String.raw`^(?:@${NAME_PATTERN}|${NETWORK}|${PLAIN_DOMAIN}|\*\.${DOMAIN})$`;
export const SOURCE_PATTERN = `^(?:@${NAME_PATTERN}|${NETWORK})$`;
export const MEMBER_PATTERN = `^(?:${NETWORK}|${PLAIN_DOMAIN})$`;

export const PORTS_PATTERN = `^(?:any|icmp|(?:any|${PORT}(?:-${PORT})?)(?:/(?:tcp|udp))?)$`;

/** Not what looks like a number, or has spaces but single ones inside. */
export const SUBJECT_PATTERN = String.raw`^(?![-+]?[0-9][0-9_.:]*(?:[eE][-+]?[0-9]+)?$)(?![-+]?0[xXoObB][0-9a-fA-F_]*$)(?!-|\+[0-9]|\.{1,2}$| |.* (?: |$))[\p{L}\p{M}\p{N}_.@\\$+ -]+$`;
