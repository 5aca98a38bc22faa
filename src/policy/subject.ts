/** One entry of `match`: an account or group name, or a number. */
import type { Parsed } from '../net/address.ts';
import { quoted } from './visible.ts';

/** 4294967295 is (uid_t) -1, which means "no change" to the kernel and is nobody's. */
export const HIGHEST_ID = 4294967294;
export const LONGEST_NAME = 256;

/**
 * Reads a name or number. Names are what systemd accepts in its relaxed mode (systemd.io/USER_NAMES), as directory services
 * have names with dots, capitals, `@`, `\` and spaces; but not what looks like a number. Never throws.
 */
export function parseSubject(item: string | number): Parsed<string | number> {
  if (typeof item === 'number') {
    return item <= HIGHEST_ID ? { ok: true, value: item } : { ok: false, fault: `${item} is out of range`, hint: `ids are 0 to ${HIGHEST_ID}` };
  }
  const fault = nameFault(item);
  return fault === null ? { ok: true, value: item } : { ok: false, ...fault };
}

function nameFault(text: string): { fault: string; hint?: string } | null {
  const what = quoted(text);
  if (text === '') return { fault: 'a name is missing' };
  if (/^[0-9]+$/.test(text)) {
    const bare = text.replace(/^0+(?=[0-9])/, '');
    return { fault: `${what} is a number in the place of a name`, ...(Number(bare) <= HIGHEST_ID ? { hint: `write the id without quotes: ${bare}` } : {}) };
  }
  if (/^[-+]?[0-9][0-9_.:]*(?:e[-+]?[0-9]+)?$|^[-+]?0[xob][0-9a-f_]*$|^[-+][0-9]/i.test(text)) {
    return { fault: `${what} is neither a name nor a plain decimal number`, hint: 'write ids as decimal digits, for example 1001' };
  }
  if (text === '*') {
    return { fault: `${what} names nobody`, hint: 'a policy governs the accounts it lists, there is none for all of them' };
  }
  if (/[,;]/.test(text)) return { fault: `${what} is not one name`, hint: 'write several names as a list: [one, other]' };
  if (text.length > LONGEST_NAME) return { fault: `${what} is longer than ${LONGEST_NAME} characters` };
  if (/^\s|\s$|\s\s/u.test(text)) return { fault: `${what} is not a name: it has spaces where none can be` };
  const strange = /[^\p{L}\p{M}\p{N}_.@\\$+ -]/u.exec(text)?.[0];
  if (strange !== undefined) return { fault: `${what} is not a name: ${quoted(strange)} cannot be in one` };
  if (text.startsWith('-') || text === '.' || text === '..') return { fault: `${what} is not a name` };
  return null;
}
