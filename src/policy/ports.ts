/** One item of `ports`, strictly: `443`, `8000-8010`, `53/udp`, `any/udp`, `any`, `icmp`. */
import type { Parsed } from '../net/address.ts';
import { nearest } from './nearest.ts';
import type { PortMatch } from './policy.ts';
import { quoted } from './visible.ts';

/** Every protocol there is, also those without ports. */
const EVERY_PORT: PortMatch = { protocol: 'any', first: 0, last: 65535 };
const ICMP: PortMatch = { protocol: 'icmp', first: 0, last: 65535 };

const PROTOCOLS = ['tcp', 'udp'] as const;
/** Only for hints: names of services are not read, as what they mean is another file's business. */
const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ['http', '80'], ['https', '443'], ['ssh', '22'], ['smtp', '25'], ['smtps', '465'], ['submission', '587'], ['imap', '143'], ['imaps', '993'],
  ['dns', '53/udp'], ['domain', '53/udp'], ['ntp', '123/udp'], ['syslog', '514/udp'], ['ldap', '389'], ['ldaps', '636'],
  ['mysql', '3306'], ['postgres', '5432'], ['postgresql', '5432'], ['redis', '6379'],
]);

export const PORTS_RULE = 'write a port as 443, 8000-8010, 53/udp, any/udp, icmp or any';

/** Reads one item. A number is one that was written in plain decimal, as `yaml-tree.ts` sees to. Never throws. */
export function parsePorts(item: string | number): Parsed<PortMatch> {
  const text = String(item);
  const match = readPorts(text);
  if (match !== null) return { ok: true, value: match };
  const { fault, instead, hint } = portsFault(text);
  // a guess is only suggested once it has been seen to be accepted
  if (instead !== undefined && readPorts(instead) !== null) return { ok: false, fault, hint: `did you mean ${instead}?` };
  return { ok: false, fault, hint: hint ?? PORTS_RULE };
}

function readPorts(text: string): PortMatch | null {
  if (text === 'any') return EVERY_PORT;
  if (text === 'icmp') return ICMP;
  const [, ports = '', protocol = 'tcp'] = /^([0-9-]+|any)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (protocol !== 'tcp' && protocol !== 'udp') return null;
  if (ports === 'any') return { protocol, first: 0, last: 65535 };
  const [, first = '', last = first] = /^([0-9]+)(?:-([0-9]+))?$/.exec(ports) ?? [];
  if (!isPort(first) || !isPort(last) || Number(first) > Number(last)) return null;
  return { protocol, first: Number(first), last: Number(last) };
}

function isPort(text: string): boolean {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65535;
}

type Fault = { readonly fault: string; readonly instead?: string; readonly hint?: string };

function portsFault(text: string): Fault {
  const what = quoted(text);
  if (text === '') return { fault: 'a port is missing' };
  if (/^(?:\*|all|any\/any|any\/all|\*\/\*|0-65535\/any)$/i.test(text)) return { fault: `${what} is not a port`, instead: 'any' };
  if (/^[0-9]+[,;\s]+[0-9,;\s-]*$/.test(text) && !/^[0-9]+\s*-\s*[0-9]+$/.test(text)) {
    const items = text.split(/[,;\s]+/).filter((item) => item !== '');
    const listed = items.every((item) => readPorts(item) !== null) && items.length <= 8;
    return { fault: `${what} is not one port`, hint: listed ? `write a list: [${items.join(', ')}]` : 'write several ports as a list' };
  }
  const dense = text.replaceAll(/\s/g, '').replace(/[\u2010-\u2015]/g, '-');
  const slash = dense.indexOf('/');
  const ports = slash < 0 ? dense : dense.slice(0, slash);
  const protocol = slash < 0 ? null : dense.slice(slash + 1);
  if (protocol !== null && !PROTOCOLS.some((known) => known === protocol)) return protocolFault(what, ports, protocol);
  const tail = protocol === null ? '' : `/${protocol}`;
  if (/^[0-9]/.test(ports)) return numberFault(what, ports, tail);
  const word = ports.toLowerCase();
  if (PROTOCOLS.some((known) => known === word)) return { fault: `${what} is a protocol, not a port`, instead: `any/${word}` };
  const known = WELL_KNOWN.get(word);
  if (known !== undefined) return { fault: `${what} is a name, not a port number`, instead: known.includes('/') ? known : known + tail };
  const near = nearest(word, ['any', 'icmp']);
  return { fault: `${what} is not a port`, ...(near === null ? {} : { instead: near + (near === 'any' ? tail : '') }) };
}

function protocolFault(what: string, ports: string, protocol: string): Fault {
  const word = protocol.toLowerCase();
  if (/^icmp(?:v?6|v4)?$/.test(word)) return { fault: `${what}: ICMP has no ports`, instead: 'icmp' };
  const fault = protocol === '' ? `${what}: nothing follows the "/"` : `${what}: ${quoted(protocol)} is not tcp or udp`;
  const near = PROTOCOLS.find((known) => known === word) ?? nearest(word, PROTOCOLS);
  return near === null
    ? { fault, hint: 'ports are those of tcp or udp; "any" allows every protocol, also those without ports' }
    : { fault, instead: `${ports}/${near}` };
}

/** `ports` begins with a digit; `tail` is its protocol, `''` or with its slash. */
function numberFault(what: string, ports: string, tail: string): Fault {
  if (/^(?:0[xob][0-9a-f_]*|[0-9]+e[0-9]+|[0-9_]*_[0-9_]*|[0-9]+\.[0-9]*)$/i.test(ports)) {
    return { fault: `${what} is not a plain decimal number`, hint: 'write ports as decimal digits, for example 443' };
  }
  const [, first = '', separator = '', last = ''] = /^([0-9]+)(?:(-|:|\.\.+)([0-9]*))?$/.exec(ports) ?? [];
  if (first === '') return { fault: `${what} is not a port` };
  if (separator !== '' && separator !== '-') return { fault: `${what} is not a port range`, instead: `${first === last ? first : `${first}-${last}`}${tail}` };
  if (separator === '-' && last === '') return { fault: `${what}: the range has no end`, instead: `${first}-65535${tail}` };
  const numbers = separator === '' ? [first] : [first, last];
  if (numbers.some((number) => /^0[0-9]/.test(number))) {
    const plain = numbers.map((number) => number.replace(/^0+(?=[0-9])/, '')).join('-');
    return { fault: `${what} has a leading zero, which some programs read as octal`, instead: plain + tail };
  }
  if (numbers.join('-') === '0-65535') return { fault: `${what}: 0 is not a port`, instead: `any${tail === '' ? '/tcp' : tail}` };
  const zero = numbers.find((number) => Number(number) === 0);
  if (zero !== undefined) return { fault: `${what}: 0 is not a port`, hint: 'ports are 1 to 65535; write "any" for all of them' };
  const large = numbers.find((number) => Number(number) > 65535);
  if (large !== undefined) return { fault: `${what}: ${large.slice(0, 12)} is out of range`, hint: 'ports are 1 to 65535' };
  if (Number(first) > Number(last) && last !== '') return { fault: `${what}: the range is reversed`, instead: `${last}-${first}${tail}` };
  // all that was wrong with it were spaces, or another kind of dash
  return { fault: `${what} is not a port`, instead: ports + tail };
}

/** An item of `ports` as it may be written. */
export function portMatchText({ protocol, first, last }: PortMatch): string {
  if (protocol === 'any' || protocol === 'icmp') return protocol;
  const ports = first === 0 && last === 65535 ? 'any' : first === last ? `${first}` : `${first}-${last}`;
  return protocol === 'tcp' && ports !== 'any' ? ports : `${ports}/${protocol}`;
}
