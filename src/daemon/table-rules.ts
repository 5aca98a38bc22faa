/** Whether the rules of the table are as they were written, in whatever words this nft prints them. */
import type { Logger } from 'pino';
import type { Nft } from '../host/nft.ts';
import { bothParts } from '../ruleset/parts.ts';
import { ALL_PARTS, type Parts, writtenSkeletonText, type Table } from '../ruleset/skeleton.ts';
import type { Transaction } from '../ruleset/transaction.ts';
import { PARTS_TO_LEARN, WrittenSkeleton } from '../ruleset/written-skeleton.ts';

export type TableRulesOptions = { readonly nft: Pick<Nft, 'listSkeleton' | 'printed'>; readonly table: Table; readonly log: Logger };

/** With which parts a transaction writes the rules; null: it leaves them. */
export function partsWritten(transaction: Transaction): Parts | null {
  const rules = transaction.find((operation) => operation.do === 'rebuild' || operation.do === 'rewrite-rules');
  return rules === undefined ? null : (rules.parts ?? ALL_PARTS);
}

export class TableRules {
  readonly #options: TableRulesOptions;
  readonly #written: WrittenSkeleton;

  constructor(options: TableRulesOptions) {
    this.#options = options;
    this.#written = new WrittenSkeleton(options.table);
  }

  get parts(): Parts {
    return this.#written.parts;
  }

  /** They are in the kernel. */
  wrote(parts: Parts): void {
    this.#written.wrote(parts);
  }

  /** Nobody knows whether they are: a repair takes no part away that is in use then. */
  mayHaveWritten(parts: Parts): void {
    this.#written.wrote(bothParts(this.#written.parts, parts));
  }

  /** Takes over what an earlier run wrote, before anything else is known. */
  adopt(printed: string): void {
    this.#written.adopt(printed);
  }

  /** The first thing that is not as it was written. */
  difference(printed: string): string {
    return this.#written.difference(printed);
  }

  /** Throws HostError. */
  async areAsWritten(printed: string): Promise<boolean> {
    if (this.#written.matches(printed)) return true;
    if (!this.#written.mayBeWords(printed)) return false;
    const { nft, table, log } = this.#options;
    for (const parts of PARTS_TO_LEARN) {
      const words = await nft.printed((name) => writtenSkeletonText({ ...table, name }, parts));
      if (words !== null) this.#written.learn(parts, words);
    }
    this.#written.adopt(printed);
    const isSame = this.#written.matches(printed);
    if (isSame) log.debug('this nft prints the table in other words');
    return isSame;
  }

  /** Looks whether they are there, as written. Throws HostError. */
  async stand(): Promise<boolean> {
    const printed = await this.#options.nft.listSkeleton();
    return printed !== null && this.areAsWritten(printed);
  }
}
