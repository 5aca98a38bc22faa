/**
 * Text of unknown origin, made safe to show. Policies, paths and names may hold terminal escapes, bidirectional overrides and
 * look-alike spaces; none of them may reach a terminal or a log as it is.
 */

/** Controls, format characters, lone surrogates, private use, unassigned, line and paragraph separators. */
const UNSEEN = /[\p{C}\u2028\u2029]/gu;
/** As above, and every space that is not the ordinary one. */
const DECEPTIVE = /[\p{C}\p{Z}]/gu;

/** One line of text in which every character that is not plainly visible is replaced by one that is. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // U+2400 to U+241F are pictures of the C0 controls, U+2421 is that of DELETE
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** In double quotes for a message: whatever cannot be seen is escaped, long text is cut after `limit` characters. */
export function quoted(text: string, limit = 60): string {
  // sliced first: the text may be a megabyte, and a character is at most two units
  const characters = Array.from(text.slice(0, limit * 2 + 2));
  const shown = characters.length > limit ? `${characters.slice(0, limit - 1).join('')}…` : characters.join('');
  return JSON.stringify(shown).replaceAll(DECEPTIVE, (character) =>
    character === ' ' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** How many columns a terminal gives a character: 0 combining, 2 East Asian wide and emoji, else 1. */
export function columnsOf(character: string): 0 | 1 | 2 {
  if (/^\p{M}/u.test(character)) return 0;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x1100) return 1;
  // Unicode TR 11, blocks of width W and F; exactness only moves a caret
  const wide =
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}
