/**
 * Which changes that `nft monitor` tells of are our own. The kernel names the process by its number in the first pid namespace
 * (nf_tables_gen_info: NFTA_GEN_PROC_PID). In a container our children have other numbers for us, so there each new nft begins with a mark
 * of its own, a table that comes and goes within its first transaction, and is known by the number that the monitor then tells.
 */
import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';

/** PROC_PID_INIT_INO (include/linux/proc_ns.h). */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';
/** What they did may be told of after they have ended. */
const REMEMBERED = 64;

function inFirstPidNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === FIRST_PID_NAMESPACE;
  } catch {
    return false;
  }
}

/** A child of ours: `mark` is what its next script begins with, empty once it is known. */
export type OwnProcess = { readonly mark: () => string };

export class OwnProcesses {
  readonly #table: string;
  readonly #marked: boolean;
  readonly #pids: number[] = [];
  /** Marks that the monitor has not told of yet, and those that it has. */
  readonly #tokens = new Set<string>();
  readonly #told = new Set<string>();

  /** `marked`: by marks even where numbers would do. */
  constructor(table: string, marked = !inFirstPidNamespace()) {
    this.#table = table;
    this.#marked = marked;
  }

  /** A child that is about to start, or has. */
  open(): OwnProcess {
    const token = randomBytes(8).toString('hex');
    let known = false;
    return {
      mark: () => {
        if (!this.#marked || known) return '';
        // already told of: the monitor knows its number
        if (this.#told.has(token)) {
          known = true;
          return '';
        }
        this.#tokens.add(token);
        const name = `${this.#table}_own_${token}`;
        return `add table inet ${name}\ndelete table inet ${name}\n`;
      },
    };
  }

  /** The number of a child, as we see it. */
  started(pid: number | undefined): void {
    if (pid !== undefined && !this.#marked) this.#remember(pid);
  }

  #remember(pid: number): void {
    if (this.#pids.includes(pid)) return;
    this.#pids.push(pid);
    if (this.#pids.length > REMEMBERED) this.#pids.shift();
  }

  /** A line of the monitor: the mark in it, if it has one. */
  markIn(line: string): string | null {
    if (!this.#marked) return null;
    const start = `add table inet ${this.#table}_own_`;
    return line.startsWith(start) ? line.slice(start.length).trim() : null;
  }

  /** Whether a transaction of this process, with this mark in it, is ours. */
  owns(pid: number, mark: string | null): boolean {
    if (mark !== null && this.#tokens.delete(mark)) {
      this.#told.add(mark);
      if (this.#told.size > REMEMBERED) this.#told.delete([...this.#told][0] ?? '');
      this.#remember(pid);
    }
    return this.#pids.includes(pid);
  }
}
