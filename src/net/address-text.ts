/**
 * The spelling of addresses: text to number and back. Reading is one pass over character codes, as it is done for every
 * address that DNS, nft and policies bring. What is refused here is explained in `address-fault.ts`.
 */

/** A dotted quad as a number below 2³², or null. `start` is where in the text it begins; it ends where the text does. */
export function readQuad(text: string, start = 0): number | null {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 46 && octet >= 0 && dots < 3) {
      value = value * 256 + octet;
      octet = -1;
      dots += 1;
    } else if (code >= 48 && code <= 57 && octet !== 0) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) return null;
    } else {
      return null; // also a digit after a zero: some read 010 as octal, some as decimal
    }
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : null;
}

/** An IPv6 address (RFC 4291 §2.2) as a number below 2¹²⁸, or null. `gap` is how many groups stand before the `::`, -1 without one. */
export function readGroups(text: string): bigint | null {
  const groups: number[] = [];
  let gap = text.startsWith('::') ? 0 : -1;
  let index = gap === 0 ? 2 : 0;
  while (index < text.length) {
    const start = index;
    let group = 0;
    for (let digit = hexDigit(text, index); digit >= 0; digit = hexDigit(text, index)) {
      group = group * 16 + digit;
      index += 1;
      if (index - start > 4) return null;
    }
    if (text[index] === '.') {
      const quad = readQuad(text, start);
      if (quad === null) return null;
      groups.push(quad >>> 16, quad & 0xffff);
      break;
    }
    if (index === start || groups.push(group) > 8) return null;
    if (index === text.length) break;
    if (text[index] !== ':') return null;
    index += 1;
    if (text[index] === ':') {
      if (gap >= 0) return null;
      gap = groups.length;
      index += 1;
    } else if (index === text.length) {
      return null;
    }
  }
  if (gap >= 0 && groups.length < 8) {
    groups.splice(gap, 0, ...Array.from({ length: 8 - groups.length }, () => 0));
  } else if (gap >= 0) {
    return null; // `::` stands for at least one group (RFC 4291 §2.2)
  }
  return groups.length === 8 ? groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) : null;
}

function hexDigit(text: string, index: number): number {
  const code = text.charCodeAt(index); // NaN past the end: no comparison holds
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

export function formatQuad(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** RFC 5952 §4: lower case, no leading zeros, `::` for the first of the longest runs of at least two zero groups. */
export function formatGroups(value: bigint): string {
  const hex = value.toString(16).padStart(32, '0');
  const groups = Array.from({ length: 8 }, (_, index) => Number.parseInt(hex.slice(index * 4, index * 4 + 4), 16));
  let best = { start: 0, length: 1 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  const text = groups.map((group) => group.toString(16));
  return best.length < 2
    ? text.join(':')
    : `${text.slice(0, best.start).join(':')}::${text.slice(best.start + best.length).join(':')}`;
}
