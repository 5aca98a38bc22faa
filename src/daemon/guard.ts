/** Keeps the guard table (ruleset/guard.ts) in step with who is governed. It only ever adds safety: its failure is reported and stops nothing. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { HostError } from '../host/host-error.ts';
import { NftChild } from '../host/nft-child.ts';
import type { OwnProcesses } from '../host/nft-own.ts';
import { type Governed, type GuardContent, guardChanges, guardName, guardText, type Inbound } from '../ruleset/guard.ts';
import type { Table } from '../ruleset/skeleton.ts';
import { Lane } from './lane.ts';
import { NO_INBOUND } from './listeners.ts';

export type GuardOptions = { readonly nft: string; readonly table: Table; readonly runtimeDir: string; readonly own: OwnProcesses; readonly log: Logger };

/** `held`: it is in the kernel; `off`: not wanted, or nobody is governed yet; `failed`: it cannot be had. */
export type GuardState = { readonly state: 'held' | 'off' | 'failed'; readonly message: string | null };

const TIMEOUT = 10_000;
/** The first attempt is soon: the kernel removes the table with its holder, a moment after that has ended. */
const RETRY_MILLISECONDS = { first: 20, later: 5000 };
const NOBODY: GuardContent = { users: new Set(), groups: new Set(), listeners: new Set(), ...NO_INBOUND };

const isNobody = ({ users, groups }: Governed) => users.size === 0 && groups.size === 0;
/** Of `a` those who are in `b` as well. */
const both = (a: ReadonlySet<string>, b: ReadonlySet<string>) => new Set([...a].filter((id) => b.has(id)));
const among = (a: GuardContent, b: Governed): GuardContent => ({ ...a, users: both(a.users, b.users), groups: both(a.groups, b.groups) });

export class Guard {
  readonly #options: GuardOptions;
  readonly #holder: NftChild;
  readonly #lane = new Lane();
  /** What the kernel has; null: no table. */
  #held: GuardContent | null = null;
  #wanted = NOBODY;
  #fault: string | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: GuardOptions) {
    this.#options = options;
    const scriptFile = join(options.runtimeDir, 'guard.nft');
    // it must live as long as the daemon: the table goes with it
    this.#holder = new NftChild({ nft: options.nft, scriptFile, timeout: TIMEOUT, commands: Number.POSITIVE_INFINITY, own: options.own, onEnd: () => this.#lost('its holder ended') });
  }

  get state(): GuardState {
    if (this.#options.table.mark === null) return { state: 'off', message: 'guard.mark is null' };
    if (this.#fault !== null) return { state: 'failed', message: this.#fault };
    return { state: this.#held === null ? 'off' : 'held', message: null };
  }

  /** Before these stop being governed: nobody else is guarded afterwards. Who comes anew waits for `hold`. */
  async release(remaining: Governed): Promise<void> {
    this.#wanted = among(this.#wanted, remaining);
    if (this.#held !== null && this.#changes(this.#held, among(this.#held, remaining)) !== '') await this.#bring();
  }

  /** These are governed as well: whatever the table does not judge of theirs is dropped. Nobody is let go by this. */
  hold(governed: Governed): void {
    const before = this.#wanted;
    this.#wanted = { ...before, users: new Set([...before.users, ...governed.users]), groups: new Set([...before.groups, ...governed.groups]) };
    if (this.#changes(this.#held ?? NOBODY, this.#wanted) !== '') void this.#bring();
  }

  /** Which datagrams are not to reach sockets of governed users. */
  listening(inbound: Inbound): void {
    this.#want(inbound);
  }

  /** Ports to which nothing but what the kernel turns there is to come. */
  turned(ports: Iterable<number>): void {
    const before = this.#wanted.listeners;
    const listeners = new Set([...ports].map(String));
    // told at every run, and hardly ever others
    if (listeners.size !== before.size || [...listeners].some((port) => !before.has(port))) this.#want({ listeners });
  }

  #want(more: Partial<GuardContent>): void {
    this.#wanted = { ...this.#wanted, ...more };
    if (this.#held !== null && this.#changes(this.#held, this.#wanted) !== '') void this.#bring();
  }

  /** The wall is taken down on purpose. */
  async drop(): Promise<void> {
    // which datagrams are not to arrive is still so when the wall stands again
    this.#wanted = among(this.#wanted, NOBODY);
    await this.#lane.run(async () => {
      if (this.#held !== null) await this.#holder.apply(`delete table inet ${guardName(this.#options.table)}\n`).catch(() => {});
      this.#held = null;
      this.#holder.stop();
    });
  }

  /** The commands from one state to the next; empty: nothing to do. */
  #changes(before: GuardContent, after: GuardContent): string {
    const { table } = this.#options;
    return table.mark === null ? '' : guardChanges(table, table.mark, before, after);
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#holder.stop();
  }

  #bring(): Promise<void> {
    return this.#lane.run(() => this.#synchronise());
  }

  async #synchronise(): Promise<void> {
    const { table } = this.#options;
    if (table.mark === null || this.#closed) return;
    const wanted = this.#wanted;
    if (this.#held === null && (isNobody(wanted) || this.#retry !== null)) return;
    const text = this.#held === null ? guardText(table, table.mark, wanted) : this.#changes(this.#held, wanted);
    if (text === '') return;
    try {
      await this.#holder.apply(text);
      if (this.#fault !== null) this.#options.log.info('the guard is back');
      this.#held = wanted;
      this.#fault = null;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      // whom it should no longer guard it would shut: without a holder there is no guard, and the table stands alone
      this.#holder.stop();
      this.#lost(error.message);
    }
  }

  #lost(reason: string): void {
    this.#held = null;
    if (this.#closed) return;
    if (this.#fault === null) this.#options.log.warn({ table: guardName(this.#options.table), err: reason }, 'no guard: should somebody remove the table, it is open until it is repaired');
    const wait = this.#fault === null ? RETRY_MILLISECONDS.first : RETRY_MILLISECONDS.later;
    this.#fault = reason;
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      void this.#bring();
    }, wait).unref();
  }
}
