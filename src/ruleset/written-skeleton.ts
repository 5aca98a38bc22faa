/**
 * The skeleton as it was written, in the words in which this nft prints it. Most print it as we write it; another version may not, or one that
 * finds no protocol names (/etc/protocols). Its words are learnt from a table that was written just now, block by block, and hold from then on:
 * what is printed otherwise later, somebody has changed.
 */
import { ALL_PARTS, type Parts, skeletonText, type Table } from './skeleton.ts';
import { sameParts } from './parts.ts';

/** Sets, maps and chains by their first line. In which order they come is no matter: those of a part that came later are listed last. */
type Blocks = ReadonlyMap<string, string>;

function blocksOf(skeleton: string): Blocks {
  const [head = '', ...lines] = skeleton.trimEnd().split('\n').slice(0, -1);
  return new Map([head, ...lines.join('\n').split('\n\n')].map((text) => [text.split('\n', 1)[0] ?? '', text]));
}

const sameBlocks = (a: Blocks, b: Blocks): boolean => a.size === b.size && [...a].every(([name, text]) => b.get(name) === text);

/** What a table that an earlier run left has; null: it is none of ours. */
export const partsIn = (table: Table, skeleton: string): Parts | null =>
  [ALL_PARTS, { groups: true, dns: false }, { groups: false, dns: true }, { groups: false, dns: false }].find((parts) => sameBlocks(blocksOf(skeletonText(table, parts)), blocksOf(skeleton))) ?? null;

/** `\tchain output {` is called `chain output`. */
const named = (first: string) => first.replace('{', '').trim();

function differingLine(expected: string, found: string): string {
  const [wanted, lines] = [expected.split('\n'), found.split('\n')];
  const index = lines.findIndex((line, at) => line !== wanted[at]);
  if (index < 0) return `"${(wanted[lines.length] ?? '').trim()}" is missing`;
  return `"${(lines[index] ?? '').trim()}" where "${(wanted[index] ?? '').trim()}" belongs`.slice(0, 300);
}

export class WrittenSkeleton {
  readonly #table: Table;
  #parts: Parts = ALL_PARTS;
  /** As this nft prints it. */
  #text: string;
  /** Words that were learnt, by block; empty: those that we write. */
  readonly #words = new Map<string, { readonly written: string; readonly printed: string }>();
  /** Before that, an earlier run may have left others. */
  #known = false;

  constructor(table: Table) {
    this.#table = table;
    this.#text = skeletonText(table);
  }

  get parts(): Parts {
    return this.#parts;
  }

  /** Whether this nft prints, as far as it is known, what we write. */
  get plain(): boolean {
    return this.#words.size === 0;
  }

  /** Once they are in the kernel. `anew`: with the whole table, so that nothing need be taken for granted about its words. */
  wrote(parts: Parts, anew: boolean): void {
    this.#known = true;
    if (anew) this.#words.clear();
    else if (sameParts(parts, this.#parts)) return;
    this.#parts = parts;
    this.#text = this.#expected();
  }

  /** Takes over what an earlier run wrote, before anything else is known. */
  adopt(printed: string): void {
    if (this.#known) return;
    this.#known = true;
    const parts = partsIn(this.#table, printed);
    if (parts !== null) this.wrote(parts, false);
  }

  matches(printed: string | null): boolean {
    return printed !== null && (printed === this.#text || sameBlocks(blocksOf(printed), blocksOf(this.#text)));
  }

  /** Learns the words of blocks that are new; `printed` just after they were written. False: others have changed, or there are others. */
  learn(printed: string): boolean {
    const found = blocksOf(printed);
    const written = blocksOf(skeletonText(this.#table, this.#parts));
    const words = [...written].map(([name, text]) => [name, { written: text, printed: found.get(name) ?? '' }] as const);
    const isOurs = words.every(([name, word]) => {
      const known = this.#words.get(name);
      return found.has(name) && (known === undefined || known.written !== word.written || known.printed === word.printed);
    });
    if (!isOurs || found.size !== written.size) return false;
    for (const [name, word] of words) this.#words.set(name, word);
    if (words.every(([, word]) => word.written === word.printed)) this.#words.clear();
    this.#text = this.#expected();
    return true;
  }

  #expected(): string {
    const text = skeletonText(this.#table, this.#parts);
    if (this.plain) return text;
    const [head, ...blocks] = [...blocksOf(text)].map(([name, written]) => {
      const known = this.#words.get(name);
      return known?.written === written ? known.printed : written;
    });
    return `${head}\n${blocks.join('\n\n')}\n}\n`;
  }

  /** The first thing that is not as it was written. */
  difference(printed: string): string {
    const [wanted, found] = [blocksOf(this.#text), blocksOf(printed)];
    for (const [name, text] of wanted) {
      const other = found.get(name);
      if (other === undefined) return `"${named(name)}" is missing`;
      if (other !== text) return differingLine(text, other);
    }
    const foreign = [...found.keys()].find((name) => !wanted.has(name));
    return foreign === undefined ? 'nothing' : `"${named(foreign)}" does not belong there`;
  }
}
