/** Keeps what the early unit loads at the next boot as what is enforced now. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf } from '../host/host-error.ts';
import { writeFileAtomically } from '../host/state-files.ts';
import { bootScript, closedScript } from '../ruleset/boot.ts';
import { gateElements, type PrincipalRuleset } from '../ruleset/compile.ts';
import { parsePrincipal } from '../ruleset/plan.ts';
import type { Table } from '../ruleset/skeleton.ts';
import { type Deferred, deferred } from './deferred.ts';

const WRITE_MILLISECONDS = 200;
/** Beside the boot file, for when that cannot be loaded. */
const CLOSED_FILE = 'closed.nft';

/** `refused`: services whose rulesets nft does not take. `watched`: those whose packets pass all the same. */
export type Enforced = { readonly rulesets: readonly PrincipalRuleset[]; readonly refused: ReadonlySet<string>; readonly watched: ReadonlySet<string> };

export type BootFilesOptions = {
  /** Absolute path. */
  readonly file: string;
  readonly table: Table;
  /** What is to be so after a boot; null: what is in force now is not. */
  readonly enforced: () => Enforced | null;
  readonly log: Logger;
};

const blocked = (ruleset: PrincipalRuleset): PrincipalRuleset => ({ ...ruleset, gate: gateElements(...parsePrincipal(ruleset.principal), 'block'), elements: [] });

export class BootFiles {
  readonly #options: BootFilesOptions;
  readonly #writing: Deferred;
  #old = false;

  constructor(options: BootFilesOptions) {
    this.#options = options;
    this.#writing = deferred(WRITE_MILLISECONDS, () => this.#write());
  }

  /** Whether the last attempt left them as they were. */
  get old(): boolean {
    return this.#old;
  }

  soon(): void {
    this.#writing.soon();
  }

  now(): Promise<void> {
    return this.#writing.now();
  }

  async #write(): Promise<void> {
    const { file, table, log } = this.#options;
    this.#old = true;
    const enforced = this.#options.enforced();
    if (enforced === null) return;
    const { refused, watched } = enforced;
    // one that does not load would keep all from loading
    const rulesets = enforced.rulesets.map((ruleset) => (refused.has(ruleset.service) ? blocked(ruleset) : ruleset));
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFileAtomically(join(dirname(file), CLOSED_FILE), closedScript(table, rulesets));
      await writeFileAtomically(file, bootScript(table, rulesets, (service) => watched.has(service)));
      this.#old = false;
    } catch (error) {
      log.error({ err: messageOf(error), file }, 'the boot file is not written');
    }
  }
}
