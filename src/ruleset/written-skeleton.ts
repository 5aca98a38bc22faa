/**
 * The skeleton as it was written, in the words in which this nft prints it. Most print it as we write it; another version may not (`priority dstnat`
 * for -100), or one that finds no protocol names (/etc/protocols). Its words are learnt from a table of our own (`Nft.printed`), never from the
 * one that others can change.
 */
import { ALL_PARTS, type Parts, skeletonText, type Table } from './skeleton.ts';

/** Sets, maps and chains by their first line, after what stands before them. In which order they come is no matter: those of a part that came later are listed last. */
type Blocks = ReadonlyMap<string, string>;

const HEAD = '';

function blocksOf(skeleton: string): Blocks {
  const [head = '', ...blocks] = skeleton.trimEnd().replace(/\n\}$/, '').split(/\n\n?(?=\t(?:set|map|chain) \S+ \{\n)/);
  const named = new Map([[HEAD, head]]);
  for (const text of blocks) {
    const [name = ''] = text.split('\n', 1);
    // twice the same is none of ours, and must show
    named.set(named.has(name) ? `${name} again` : name, text);
  }
  return named;
}

const sameBlocks = (a: Blocks, b: Blocks): boolean => a.size === b.size && [...a].every(([name, text]) => b.get(name) === text);

const FEW_PARTS: Parts = { groups: false, dns: false };
/** Parts whose words are those of all others together. */
export const PARTS_TO_LEARN: readonly Parts[] = [ALL_PARTS, FEW_PARTS];
const EVERY: readonly Parts[] = [ALL_PARTS, { groups: true, dns: false }, { groups: false, dns: true }, FEW_PARTS];

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
  #blocks: Blocks;
  /** What it prints, by what is written. */
  readonly #words = new Map<string, string>();
  /** Before that, an earlier run may have left others. */
  #known = false;
  #verified = false;
  #asked = false;

  constructor(table: Table) {
    this.#table = table;
    this.#blocks = this.#printedOf(ALL_PARTS);
  }

  get parts(): Parts {
    return this.#parts;
  }

  /** Whether what does not match may be a matter of words: nothing has matched since it was written, nobody has asked for them, and there is not more or less than was written. */
  mayBeWords(printed: string): boolean {
    if (this.#verified || this.#asked) return false;
    const names = [...blocksOf(printed).keys()];
    const written = this.#known ? [this.#blocks] : EVERY.map((parts) => this.#printedOf(parts));
    return written.some((blocks) => blocks.size === names.length && names.every((name) => blocks.has(name)));
  }

  #printedOf(parts: Parts): Blocks {
    return new Map([...blocksOf(skeletonText(this.#table, parts))].map(([name, written]) => [name, this.#words.get(written) ?? written]));
  }

  /** Once they are in the kernel, or may be. */
  wrote(parts: Parts): void {
    this.#known = true;
    this.#parts = parts;
    this.#blocks = this.#printedOf(parts);
    this.#verified = false;
    this.#asked = false;
  }

  /** What a table that an earlier run left has; null: it is none of ours. */
  partsIn(printed: string): Parts | null {
    const found = blocksOf(printed);
    return EVERY.find((parts) => sameBlocks(this.#printedOf(parts), found)) ?? null;
  }

  /** Takes over what an earlier run wrote, before anything else is known. */
  adopt(printed: string): void {
    const parts = this.#known ? null : this.partsIn(printed);
    if (parts !== null) this.wrote(parts);
  }

  matches(printed: string | null): boolean {
    const isSame = printed !== null && sameBlocks(blocksOf(printed), this.#blocks);
    this.#verified ||= isSame;
    return isSame;
  }

  /** `printed`: what this nft prints of the skeleton with these parts, whatever the table is called. */
  learn(parts: Parts, printed: string): void {
    this.#asked = true;
    const found = blocksOf(printed);
    for (const [name, written] of blocksOf(skeletonText(this.#table, parts))) {
      const words = found.get(name);
      if (name !== HEAD && words !== undefined) this.#words.set(written, words);
    }
    this.#blocks = this.#printedOf(this.#parts);
  }

  /** The first thing that is not as it was written. */
  difference(printed: string): string {
    const [wanted, found] = [this.#blocks, blocksOf(printed)];
    for (const [name, text] of wanted) {
      const other = found.get(name);
      if (other === undefined) return `"${named(name)}" is missing`;
      if (other !== text) return differingLine(text, other);
    }
    const foreign = [...found.keys()].find((name) => !wanted.has(name));
    return foreign === undefined ? 'nothing' : `"${named(foreign)}" does not belong there`;
  }
}
