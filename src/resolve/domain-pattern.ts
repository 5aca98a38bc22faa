/**
 * Domain names as policies list them: `api.github.com`, `*.example.com`. ASCII only, in lower case, without the final dot;
 * what is written otherwise is refused with what to write instead, as a name that is read differently than it was meant is a hole.
 */
import { getPublicSuffix } from 'tldts';
import type { Parsed } from '../net/address.ts';
import type { DomainPattern } from '../policy/policy.ts';
import { quoted } from '../policy/visible.ts';

/** RFC 1035 §2.3.4, of the text form without the final dot. */
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

/** Letters, digits, hyphens inside (RFC 1123 §2.1), and underscores, which hosts of cloud providers do have. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;

/** Reads a name or wildcard. Never throws. */
export function parseDomainPattern(text: string): Parsed<DomainPattern> {
  const pattern = readPattern(text);
  if (pattern !== null) return { ok: true, value: pattern };
  const { fault, instead, hint } = patternFault(text);
  // a guess is only suggested once it has been seen to be accepted
  if (instead !== undefined && instead !== text && readPattern(instead) !== null) return { ok: false, fault, hint: `did you mean ${spelled(instead)}?` };
  return hint === undefined ? { ok: false, fault } : { ok: false, fault, hint };
}

/** Whether a pattern lists a name, which is in ASCII lower case and without the final dot. */
export function matchesDomain({ name, wildcard }: DomainPattern, asked: string): boolean {
  return wildcard ? asked.endsWith(`.${name}`) : asked === name;
}

/**
 * Whose names stand directly below this one: `registry` — everybody's, as below `com` or `co.uk`; `shared` — those of many
 * customers of one provider, as below `github.io` or `s3.amazonaws.com`; null — one owner's. From the Public Suffix List.
 */
export function suffixKind(name: string): 'registry' | 'shared' | null {
  const options = { extractHostname: false, validateHostname: false };
  if (!name.includes('.') || getPublicSuffix(name, { ...options, allowPrivateDomains: false }) === name) return 'registry';
  return getPublicSuffix(name, { ...options, allowPrivateDomains: true }) === name ? 'shared' : null;
}

function readPattern(text: string): DomainPattern | null {
  const wildcard = text.startsWith('*.');
  const name = (wildcard ? text.slice(2) : text).replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!isName(name) || (wildcard && suffixKind(name) === 'registry')) return null;
  return { name, wildcard };
}

function isName(name: string): boolean {
  if (name.length > LONGEST_NAME) return false;
  const labels = name.split('.');
  return labels.length > 1 && labels.every((label) => label.length <= LONGEST_LABEL && LABEL.test(label)) && !isNumeric(labels.at(-1) ?? '');
}

/** A last label that programs take for the end of an IPv4 address (WHATWG URL, "ends in a number"). */
function isNumeric(label: string): boolean {
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(label);
}

/** A wildcard begins a YAML alias unless it is quoted. */
function spelled(text: string): string {
  return text.startsWith('*') ? `"${text}"` : text;
}

type Fault = { readonly fault: string; readonly instead?: string; readonly hint?: string };

function patternFault(text: string): Fault {
  const what = quoted(text);
  if (text === '') return { fault: 'a domain is missing' };
  if (/\s/.test(text)) return { fault: `${what} has a space in it`, instead: text.trim() };
  const [, host] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/:?#]*)/i.exec(text) ?? [];
  if (host !== undefined) return { fault: `${what} is a URL, not a domain`, instead: host, hint: 'write the domain only, and the port under "ports"' };
  if (text.includes('/')) return { fault: `${what} is not a domain: it has a path`, instead: text.slice(0, text.indexOf('/')), hint: 'write the domain only' };
  const [, name = '', port] = /^([^:]*):([0-9]+)$/.exec(text) ?? [];
  if (port !== undefined) return { fault: `${what} has a port in it`, hint: `write ${spelled(name) || 'the domain'} here and [${port}] under "ports"` };
  if (text.includes('@')) return { fault: `${what} is not a domain: it has a user name`, instead: text.slice(text.lastIndexOf('@') + 1) };
  // oxlint-disable-next-line no-control-regex -- all of ASCII is meant
  if (/[^\0-\x7f]/.test(text)) return internationalFault(what, text);
  return text.includes('*') ? wildcardFault(what, text) : nameFault(what, text);
}

/** DNS has ASCII names only. Which one browsers would ask for (UTS 46) is known; whether it is meant is for a person to say. */
function internationalFault(what: string, text: string): Fault {
  const wildcard = text.startsWith('*.') ? '*.' : '';
  const ascii = wildcard + (URL.parse(`http://${text.slice(wildcard.length)}`)?.hostname ?? '');
  return { fault: `${what} is not in ASCII`, hint: readPattern(ascii) === null ? 'write the name in its "xn--" form' : `its ASCII form is ${spelled(ascii)}` };
}

function wildcardFault(what: string, text: string): Fault {
  const base = text.replace(/^[^.]*\*[^.]*\./, '');
  const fault = `${what} is not a wildcard`;
  const hint = 'a wildcard is "*." and a domain, and covers every depth below it';
  if (!text.startsWith('*.')) return { fault, hint, ...(base.includes('*') ? {} : { instead: `*.${base}` }) };
  if (base.includes('*')) return { fault, hint, instead: `*.${base.replace(/^(?:\*+\.)+/, '')}` };
  const { fault: reason, instead } = nameFault(quoted(base), base);
  if (isName(base.toLowerCase()) || LABEL.test(base.toLowerCase())) {
    return { fault: `${what}: everybody can have a name directly below ${quoted(base)}`, hint: 'name the domain of whom you mean, for example "*.example.com"' };
  }
  return { fault: `${what}: ${reason}`, ...(instead === undefined ? {} : { instead: `*.${instead}` }) };
}

function nameFault(what: string, text: string): Fault {
  const name = text.toLowerCase();
  const labels = name.split('.');
  if (name.startsWith('.')) return { fault: `${what} begins with a dot`, instead: `*${name}`, hint: 'write the domain without the dot' };
  if (name.endsWith('.')) return { fault: `${what} ends with a dot`, instead: name.slice(0, -1) };
  if (labels.includes('')) return { fault: `${what} has an empty label`, instead: name.replaceAll(/\.{2,}/g, '.') };
  const long = labels.find((label) => label.length > LONGEST_LABEL);
  if (long !== undefined) return { fault: `${what}: the label ${quoted(long, 20)} has ${long.length} characters, the most is ${LONGEST_LABEL}` };
  if (name.length > LONGEST_NAME) return { fault: `${what} has ${name.length} characters, the most is ${LONGEST_NAME}` };
  const strange = /[^a-z0-9_.-]/.exec(name)?.[0];
  if (strange !== undefined) return { fault: `${what} is not a domain: ${quoted(strange)} cannot be in one` };
  const bad = labels.find((label) => !LABEL.test(label));
  if (bad !== undefined) return { fault: `${what} is not a domain: the label ${quoted(bad, 20)} begins or ends with a hyphen` };
  if (labels.length === 1) return singleLabelFault(what, name);
  return { fault: `${what} is not a domain: it ends in a number` };
}

/** One label is no name of the DNS: where it leads depends on search lists and /etc/hosts. */
function singleLabelFault(what: string, name: string): Fault {
  const fault = `${what} is not a full domain name`;
  if (name.startsWith('localhost')) return { fault, hint: 'write 127.0.0.0/8 and ::1' };
  if (/^(?:any|all|anywhere|everything|world|internet)$/.test(name)) return { fault, hint: 'write 0.0.0.0/0 and ::/0 for every address' };
  return { fault, hint: `write all of the name, its address, or "@${name}" if a group is meant` };
}
