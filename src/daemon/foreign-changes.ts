/**
 * What others do to the table. Single elements are put right at once, by what is known of the table; for anything else a run has to look
 * at it. Neither somebody who keeps changing another table nor somebody who undoes every repair may keep the daemon busy.
 */
import { HostError } from '../host/host-error.ts';
import type { ElementChange, ForeignChange } from '../host/nft-monitor.ts';
import type { Culprit } from './drift.ts';

/** Somebody who undoes every repair is not followed faster than this: so many repairs within so many milliseconds, then a pause before each. */
const FIGHT = { repairs: 20, within: 5000, pause: 100 };
/** What may have been a change of ours, or of another table, is looked into at once, and then no more than a part of the time. */
const SUSPECT = { least: 200, factor: 20 };
const AFTER_MENDING_MILLISECONDS = 1000;

/** What somebody else did since the last run. `since`: milliseconds, monotonic. */
export type Foreign = { readonly process: Culprit | null; readonly gone: boolean; readonly since: number };

/** `wrong`: what was, in words. */
export type Mended = { readonly wrong: readonly string[]; readonly process: Culprit | null; readonly milliseconds: number };

export type ForeignChangesOptions = {
  /** Whether what the table holds is known, so that single elements can be put right. */
  readonly isKnown: () => boolean;
  /** Puts these right in its turn, with those that came until then; what was wrong, in words. Throws HostError where the table is to be looked at. */
  readonly mend: (changes: () => readonly ElementChange[]) => Promise<readonly string[]>;
  readonly onMended: (mended: Mended) => void;
  /** What the table holds is in doubt; a run is to look after so many milliseconds. */
  readonly onDoubt: (pause: number) => void;
};

export class ForeignChanges {
  readonly #options: ForeignChangesOptions;
  #foreign: Foreign | null = null;
  #repairs: number[] = [];
  /** How long it took to read the table the last time. */
  #lookMilliseconds = 0;
  #suspectAgain = 0;
  #suspicion: NodeJS.Timeout | null = null;
  #looksAfterMending = false;
  /** What others did to single elements, and is about to be put right. */
  #unmended: ElementChange[] | null = null;

  constructor(options: ForeignChangesOptions) {
    this.#options = options;
  }

  /** Somebody else has changed the table. */
  note({ process, gone, elements, certain }: ForeignChange): void {
    const now = performance.now();
    if (elements !== null && !gone && this.#options.isKnown()) {
      void this.#mend(elements, process, now);
      return;
    }
    if (!certain) {
      if (now < this.#suspectAgain) {
        if (this.#suspicion !== null) return;
        this.#suspicion = setTimeout(() => {
          this.#suspicion = null;
          this.note({ process, gone, elements, certain });
        }, this.#suspectAgain - now).unref();
        return;
      }
      this.#suspectAgain = now + Math.max(SUSPECT.least, this.#lookMilliseconds * SUSPECT.factor);
    }
    this.#foreign = { process: process ?? this.#foreign?.process ?? null, gone: gone || (this.#foreign?.gone ?? false), since: this.#foreign?.since ?? now };
    this.#repairs = this.#repairs.filter((at) => now - at < FIGHT.within);
    this.#options.onDoubt(this.#repairs.length < FIGHT.repairs ? 0 : FIGHT.pause);
  }

  /** What was done since this was asked last: a run is about to look at it. */
  take(): Foreign | null {
    const foreign = this.#foreign;
    this.#foreign = null;
    return foreign;
  }

  /** The table was read. */
  looked(milliseconds: number): void {
    this.#lookMilliseconds = milliseconds;
  }

  /** A run has put right what somebody did. */
  repaired(): void {
    this.#repairs.push(performance.now());
  }

  async #mend(elements: readonly ElementChange[], process: Culprit | null, since: number): Promise<void> {
    // those that come while it waits go with it: thousands that wait one by one would wake each other
    if (this.#unmended !== null) return void this.#unmended.push(...elements);
    this.#unmended = [...elements];
    try {
      const wrong = await this.#options.mend(() => {
        const all = this.#unmended ?? [];
        this.#unmended = null;
        return all;
      });
      this.#lookWhenQuiet();
      if (wrong.length > 0) this.#options.onMended({ wrong, process, milliseconds: Math.round((performance.now() - since) * 10) / 10 });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.note({ process, gone: false, elements: null, certain: true });
    }
  }

  /** nft may have told of some of them only (nft-monitor.ts): when it is quiet again, everything is looked at. */
  #lookWhenQuiet(): void {
    if (this.#looksAfterMending) return;
    this.#looksAfterMending = true;
    setTimeout(() => {
      this.#looksAfterMending = false;
      this.note({ process: null, gone: false, elements: null, certain: false });
    }, AFTER_MENDING_MILLISECONDS).unref();
  }
}
