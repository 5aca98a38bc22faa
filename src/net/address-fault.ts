/**
 * What is wrong with a text that `parseAddress` or `parseNetwork` refused. Kept apart from reading, which must be fast;
 * this may take its time, as its reader is a person.
 */

/**
 * `instead` is a guess at what was meant, which may itself be wrong: it is to be read again before it is suggested.
 * `hint` is the rule, for when there is no guess.
 */
export type AddressFault = { readonly fault: string; readonly hint?: string; readonly instead?: string };

/** Quoted for a message: control characters escaped and long texts cut, as policies and DNS answers are not ours. */
export function quoted(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  // JSON leaves C1 controls as they are, and terminals obey them.
  return JSON.stringify(cut).replaceAll(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Names the fault of a text that is no address, or no address before its `/prefix`. */
export function addressFault(text: string): AddressFault {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const prefix = slash < 0 ? '' : text.slice(slash);
  const fault = (what: string) => `${quoted(text)} is not an IP address: ${what}`;
  if (address === '') {
    return { fault: text === '' ? 'an IP address is missing' : fault('nothing stands before the slash') };
  }
  if (/\s/.test(text)) {
    return { fault: fault('it has a space in it'), instead: text.replaceAll(/\s/g, '') };
  }
  if (/^\[.*\]$/.test(address)) {
    return { fault: fault('brackets belong to URLs'), instead: address.slice(1, -1) + prefix };
  }
  if (address.includes('%')) {
    const instead = address.slice(0, address.indexOf('%')) + prefix;
    return { fault: fault('a zone id names an interface of one host'), instead };
  }
  const found = address.includes(':') ? groupsFault(address) : quadFault(address, prefix);
  // A network where one address is wanted: the text before the slash was fine.
  return found === null
    ? { fault: fault('it is a network'), hint: 'write one address, without a prefix length' }
    : { ...found, fault: found.fault === '' ? `${quoted(text)} is not an IP address` : fault(found.fault) };
}

/** `prefix` is what follows the address, `''` or with its slash. */
function quadFault(address: string, prefix: string): AddressFault | null {
  if (!/^[0-9.][0-9a-fx.]*$/i.test(address)) {
    return { fault: '' };
  }
  const octets = address.split('.');
  const hexadecimal = octets.find((octet) => /^0x[0-9a-f]+$/i.test(octet));
  if (hexadecimal !== undefined) {
    const hint = 'write four decimal octets';
    const instead = octets.map((octet) => (/^0x/i.test(octet) ? String(Number.parseInt(octet, 16)) : octet)).join('.');
    return { fault: `octet ${quoted(hexadecimal)} is hexadecimal`, hint, instead: instead + prefix };
  }
  if (octets.includes('')) {
    return { fault: 'it has an empty octet', instead: address.replaceAll(/\.+/g, '.').replace(/^\.|\.$/g, '') + prefix };
  }
  const strange = octets.find((octet) => !/^[0-9]+$/.test(octet));
  if (strange !== undefined) {
    return { fault: `octet ${quoted(strange)} is not a decimal number` };
  }
  const padded = octets.find((octet) => /^0[0-9]/.test(octet));
  if (padded !== undefined) {
    const instead = octets.map((octet) => octet.replace(/^0+(?=[0-9])/, '')).join('.');
    const fault = `octet ${quoted(padded)} has a leading zero, which some programs read as octal`;
    return { fault, hint: 'write four decimal octets without leading zeros', instead: instead + prefix };
  }
  const large = octets.find((octet) => Number(octet) > 255);
  if (large !== undefined) {
    return { fault: `octet ${quoted(large)} is greater than 255` };
  }
  if (octets.length === 4) return null;
  const hint = 'write all four octets';
  if (octets.length > 4) return { fault: `it has ${octets.length} octets, IPv4 has 4`, hint };
  // `10.1` reads as a network of the octets that are there: a guess only for who asked for a network.
  const zeros = Array.from({ length: 4 - octets.length }, () => '.0').join('');
  const instead = `${address}${zeros}${prefix === '' ? `/${octets.length * 8}` : prefix}`;
  return { fault: `it has ${octets.length} of 4 octets`, hint, instead };
}

function groupsFault(address: string): AddressFault | null {
  const compressed = address.split('::').length - 1;
  const strange = /[^0-9a-f:.]/i.exec(address);
  if (strange !== null) {
    return { fault: `${quoted(String.fromCodePoint(address.codePointAt(strange.index) ?? 0))} is not a hexadecimal digit` };
  }
  if (address.includes(':::') || compressed > 1) {
    return { fault: '"::" may stand for zeros once only', hint: 'write the other zeros out' };
  }
  if (/^:(?!:)|[^:]:$/.test(address)) {
    return { fault: 'it begins or ends with a single colon' };
  }
  const groups = address.split(':').filter((group) => group !== '');
  const tail = groups.at(-1) ?? '';
  const early = groups.slice(0, -1).find((group) => group.includes('.'));
  if (early !== undefined || (tail.includes('.') && address.endsWith(':'))) {
    return { fault: 'an IPv4 address may only stand at its end' };
  }
  if (tail.includes('.')) {
    const head = address.slice(0, address.length - tail.length);
    const inner = quadFault(tail, '');
    if (inner !== null) return { fault: inner.fault, ...(inner.instead === undefined ? {} : { instead: head + inner.instead }) };
  }
  const long = groups.find((group) => !group.includes('.') && group.length > 4);
  if (long !== undefined) {
    return { fault: `group ${quoted(long)} has more than 4 hexadecimal digits` };
  }
  const count = groups.length + (tail.includes('.') ? 1 : 0);
  if (compressed === 1 && count > 7) {
    return { fault: `"::" stands for at least one group, and ${count} of 8 are written out` };
  }
  if (compressed === 0 && count !== 8) {
    return { fault: `it has ${count} groups, IPv6 has 8`, ...(count < 8 ? { hint: 'write "::" where zeros were left out' } : {}) };
  }
  return null;
}
