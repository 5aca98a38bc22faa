/** The difference of two texts as `diff -u` writes it and `patch` reads it: for edits in one place, so in one hunk. Pure. */
import type { Paint } from './output.ts';

const CONTEXT = 3;

/** With their ends. */
const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** '' when they are equal. */
export function unifiedDiff(oldName: string, newName: string, before: string, after: string): string {
  if (before === after) return '';
  const [old, now] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const lead = Math.min(head, CONTEXT);
  const trail = Math.min(tail, CONTEXT);
  const body = [
    ...old.slice(head - lead, head).map((line) => ` ${line}`),
    ...changes(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...old.slice(old.length - tail, old.length - tail + trail).map((line) => ` ${line}`),
  ];
  const span = (lines: readonly string[]) => {
    const count = lines.length - tail - head + lead + trail;
    // a span of no lines is behind the line it names
    return `${count === 0 ? head - lead : head - lead + 1}${count === 1 ? '' : `,${count}`}`;
  };
  const whole = body.map((line) => (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`));
  return `--- ${oldName}\n+++ ${newName}\n@@ -${span(old)} +${span(now)} @@\n${whole.join('')}`;
}

/** The fewest lines that go and come; what is short enough for that is every edit of a person. */
function changes(old: readonly string[], now: readonly string[]): readonly string[] {
  if (old.length * now.length > 1_000_000) return [...old.map((line) => `-${line}`), ...now.map((line) => `+${line}`)];
  // lengths[i][j]: the longest common part of what follows i and j
  const lengths = Array.from({ length: old.length + 1 }, () => Array.from({ length: now.length + 1 }, () => 0));
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] ?? [];
    for (let j = now.length - 1; j >= 0; j -= 1) row[j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const result: string[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      result.push(` ${old[i]}`);
      i += 1;
      j += 1;
    } else if (i < old.length && (j === now.length || at(i + 1, j) >= at(i, j + 1))) {
      result.push(`-${old[i]}`);
      i += 1;
    } else {
      result.push(`+${now[j]}`);
      j += 1;
    }
  }
  return result;
}

/** For people; without its last line end. */
export function paintDiff(diff: string, paint: Paint): string {
  return diff
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (/^(?:---|\+\+\+) /.test(line)) return paint('bold', line);
      if (line.startsWith('@@')) return paint('dim', line);
      return line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line;
    })
    .join('\n');
}
