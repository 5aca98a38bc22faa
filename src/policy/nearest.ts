/** "Did you mean": the known word that a misspelt one is closest to. */

/** Longer words are not guessed at; it also bounds the work, which is the product of two lengths. */
const LONGEST = 40;

/**
 * The candidate nearest to `word`, or null when none is near enough to suggest: at most one typing error in short words, two
 * from five letters on. Case does not count. The first of equally near candidates wins.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length === 0 || word.length > LONGEST) return null;
  const typed = word.toLowerCase();
  const allowed = typed.length < 5 ? 1 : 2;
  let best: string | null = null;
  let distance = allowed + 1;
  for (const candidate of candidates) {
    // a word that shares nothing with what was typed is no guess, however short both are
    if (candidate.length > LONGEST || Math.abs(candidate.length - typed.length) >= distance || candidate.length <= 1) continue;
    const found = editDistance(typed, candidate.toLowerCase());
    if (found < distance) [best, distance] = [candidate, found];
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment) that make one word the other. */
export function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      current[column] = Math.min(
        cell(above, column) + 1,
        cell(current, column - 1) + 1,
        cell(above, column - 1) + (same ? 0 : 1),
        swapped ? cell(before, column - 2) + 1 : Infinity,
      );
    }
    [before, above] = [above, current];
  }
  return cell(above, other.length);
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
