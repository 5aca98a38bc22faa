/** Which version of each policy file is in force: the file's own, or while that is faulty the last good one. */
import type { Logger } from 'pino';
import type { Accounts } from '../host/accounts.ts';
import { HostError } from '../host/host-error.ts';
import { type PolicyFiles, type Scan, SETTLE_MILLISECONDS } from '../host/policy-files.ts';
import { buildPolicySet, type GoodVersion, policiesOf, type PolicyFile, type PolicySet } from '../policy/policy-set.ts';
import { accountNames, type Named } from '../resolve/principals.ts';
import type { DriftLog } from './drift.ts';

/** After files that were told of, all are looked at: the kernel may have had more to tell than there was room for. */
const ALL_FILES_MILLISECONDS = 300;
/** More files than this are not looked at one by one. */
const MOST_TOUCHED = 200;
/** A policy file that could not be read for a reason that passes. */
const UNREAD_MILLISECONDS = 1000;

export type PoliciesInForceOptions = {
  readonly log: Logger;
  readonly files: PolicyFiles;
  readonly accounts: Accounts;
  readonly drift: DriftLog;
  readonly good: ReadonlyMap<string, GoodVersion>;
  /** Installed files with what is tried in their place; the same array when nothing is. */
  readonly tried: (installed: readonly PolicyFile[]) => readonly PolicyFile[];
  /** Keeps the last good versions; throws HostError. */
  readonly saveGood: (good: ReadonlyMap<string, GoodVersion>) => Promise<void>;
  /** All files are to be looked at again. */
  readonly onDue: () => void;
};

export class PoliciesInForce {
  readonly #options: PoliciesInForceOptions;
  #good: ReadonlyMap<string, GoodVersion>;
  #unsaved = false;
  /** Policy files that may have changed since the last look; null: any. */
  #touched: Set<string> | null = null;
  #lookAtAll: NodeJS.Timeout | null = null;
  #scan: Scan = { files: [], unsettled: false, masked: [], failures: [], unread: false };
  #masked: ReadonlySet<string> = new Set();
  /** What `#set` was made of. */
  #read: { readonly files: readonly PolicyFile[]; readonly good: ReadonlyMap<string, GoodVersion> } | null = null;
  #set: PolicySet = { services: [], badFiles: [], good: new Map() };

  constructor(options: PoliciesInForceOptions) {
    this.#options = options;
    this.#good = options.good;
  }

  get set(): PolicySet {
    return this.#set;
  }

  get scan(): Scan {
    return this.#scan;
  }

  /** A policy file, or with null any of them, may have changed. */
  touch(path: string | null): void {
    this.#touched = path === null || this.#touched === null || this.#touched.size >= MOST_TOUCHED ? null : this.#touched.add(path);
  }

  /** Looks at the files. `full`: at their contents, changed or not. `settle`: one that is gone may be about to come back, one that is written to may not be complete. Throws HostError. */
  look(full: boolean, settle: boolean): void {
    const { onDue } = this.#options;
    const touched = this.#touched ?? undefined;
    this.#scan = this.#options.files.scan({ full, settle, touched });
    // not before: what could not be looked at still has to be
    this.#touched = new Set();
    this.#noteMasks();
    if (this.#scan.unread) setTimeout(() => onDue(), UNREAD_MILLISECONDS).unref();
    if (this.#scan.unsettled) setTimeout(() => onDue(), SETTLE_MILLISECONDS + 10).unref();
    if (touched === undefined || touched.size === 0) return;
    if (this.#lookAtAll !== null) clearTimeout(this.#lookAtAll);
    this.#lookAtAll = setTimeout(() => onDue(), ALL_FILES_MILLISECONDS).unref();
  }

  /** To mask a file is a habit, not a fault; that one is masked is written down once. */
  #noteMasks(): void {
    const masked = new Set(this.#scan.masked);
    for (const path of masked) if (!this.#masked.has(path)) this.#options.drift.note('file', { service: null, detail: `${path} is masked by a file of the same name` }, new Date());
    this.#masked = masked;
  }

  /** Works out which version of each file is in force, with the accounts that its names stand for. */
  async read(lookAgain: boolean): Promise<void> {
    const { drift } = this.#options;
    const files = this.#options.tried(this.#scan.files);
    const read = { files, good: this.#good };
    // what went in is what went in before, and so is what comes out
    if (lookAgain || read.files !== this.#read?.files || read.good !== this.#read.good) {
      await this.#buildSet(files, lookAgain);
      this.#read = read;
    }
    const errors = this.#set.badFiles.flatMap(({ problems }) => problems.filter(({ severity }) => severity === 'error'));
    drift.update(
      'file',
      [
        ...errors.map(({ at, message }) => ({ service: this.#serviceOf(at.file), detail: `${at.file}:${at.line}:${at.column}: ${message}` })),
        ...this.#scan.failures.map((detail) => ({ service: null, detail })),
      ],
      new Date(),
    );
  }

  async #buildSet(files: readonly PolicyFile[], lookAgain: boolean): Promise<void> {
    const { accounts, drift } = this.#options;
    await accounts.refresh(accountNames(this.#naming(files)), lookAgain);
    const failure = accounts.error === null ? null : `account look-ups fail: ${accounts.error}`;
    drift.update('identity', [failure, accounts.doubt].flatMap((detail) => (detail === null ? [] : [{ service: null, detail }])), new Date());
    this.#set = buildPolicySet(files, this.#good, accounts.id);
    // what is only tried is no good version of anything
    if (files !== this.#scan.files || sameVersions(this.#good, this.#set.good)) return;
    this.#unsaved = true;
    this.#good = this.#set.good;
  }

  /** All that may come to be in force, or may be again: the ids of others are forgotten. */
  #naming(files: readonly PolicyFile[]): readonly Named[] {
    const every = files === this.#scan.files ? files : [...files, ...this.#scan.files];
    return [
      ...every.flatMap(({ parsed }) => [...parsed.policies, ...parsed.salvage]),
      ...every.flatMap(({ name, hash }) => {
        const good = this.#good.get(name);
        return good === undefined || good.hash === hash ? [] : policiesOf(good);
      }),
      ...this.#set.services,
    ];
  }

  #serviceOf(path: string): string | null {
    return this.#set.services.find(({ at, problems }) => at.file === path || problems.some((problem) => problem.at.file === path))?.service ?? null;
  }

  /** Saves the last good versions where there are others. */
  async keep(): Promise<void> {
    if (!this.#unsaved) return;
    try {
      await this.#options.saveGood(this.#good);
      this.#unsaved = false;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#options.log.error({ err: error.message }, 'last good policies are not saved');
    }
  }
}

function sameVersions(a: ReadonlyMap<string, GoodVersion>, b: ReadonlyMap<string, GoodVersion>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, version]) => {
      const other = b.get(name);
      return other === version || (other !== undefined && other.hash === version.hash && other.path === version.path && other.groups === version.groups);
    })
  );
}
