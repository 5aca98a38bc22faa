/**
 * `netwallctl try`: policy files that are in force for a while without being installed. The clock is the daemon's. Nothing of a trial is kept on disk, so
 * a daemon that was killed meanwhile comes back to what is installed.
 */
import { join } from 'node:path';
import type { TrialReport } from '../control/api.ts';
import { HostError, messageOf } from '../host/host-error.ts';
import { writeFilesTogether } from '../host/state-files.ts';
import { type BadFile, buildPolicySet, type IdOf, type PolicyFile, type PolicySet } from '../policy/policy-set.ts';
import { formatProblem } from '../policy/problem.ts';
import type { Named } from '../resolve/principals.ts';
import type { Events } from './events.ts';

export type TrialOptions = {
  /** Files that are in effect now, as they are installed. */
  readonly installed: () => readonly PolicyFile[];
  /** Highest precedence first; what is confirmed is installed in the first. */
  readonly directories: readonly string[];
  /** Called before anything is tried and after it: what boots is to be what is installed. */
  readonly settle: () => Promise<void>;
  /** Enforces what `over` gives by now; resolves to whether it could. */
  readonly enforce: () => Promise<boolean>;
  /** Files that are not in force as they are. */
  readonly refused: () => readonly BadFile[];
  readonly idOf: IdOf;
  readonly events: Events;
};

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string; readonly problems: readonly string[] };

const problemsOf = (files: readonly BadFile[]): readonly string[] =>
  files.flatMap(({ problems, text }) => problems.filter(({ severity }) => severity === 'error').map((problem) => formatProblem(problem, text)));

const RUNNING = { ok: false, error: 'a trial is running already: confirm or cancel it first', problems: [] } as const;

export class Trial {
  readonly #options: TrialOptions;
  #running: { readonly files: readonly PolicyFile[]; readonly until: Date; readonly timer: NodeJS.Timeout } | null = null;

  /** What was found to be valid and is enforced: nothing else is installed. */
  #proven: readonly PolicyFile[] | null = null;

  /** Trials that are over and not yet undone. */
  #ending = 0;

  /** Files that are being written now. */
  #installing: Promise<void> | null = null;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  /** Whether the kernel may hold what is only tried. */
  get inForce(): boolean {
    return this.#running !== null || this.#ending > 0;
  }

  /** Null: none is running. */
  get report(): TrialReport | null {
    return this.#running === null ? null : { files: this.#running.files.map(({ path }) => path), until: this.#running.until.toISOString() };
  }

  /** The installed files, each with the one that is tried in its place. The same array when none is. */
  over(installed: readonly PolicyFile[]): readonly PolicyFile[] {
    if (this.#running === null) return installed;
    const tried = new Map(this.#running.files.map((file) => [file.name, file]));
    return [...installed.filter(({ name }) => !tried.has(name)), ...tried.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async start(files: readonly PolicyFile[], milliseconds: number): Promise<Outcome<TrialReport>> {
    if (this.#running !== null) return RUNNING;
    const within = files.find(({ path }) => this.#options.directories.some((directory) => path.startsWith(`${directory}/`)));
    if (within !== undefined) return { ok: false, error: `${within.path} is installed, and so in force already: try a copy elsewhere`, problems: [] };
    if (files.length === 0) return { ok: false, error: 'no policy files (*.yaml, *.yml) there', problems: [] };
    await this.#options.settle();
    if (this.#running !== null) return RUNNING;
    const until = new Date(Date.now() + milliseconds);
    const timer = setTimeout(() => void this.cancel('the time is over'), milliseconds);
    this.#running = { files, until, timer };
    const own = new Set(files.map(({ path }) => path));
    const replaced = new Set(files.map(({ name }) => name));
    // what is installed goes first: it is the newcomer that is at fault
    const set = buildPolicySet([...this.#options.installed().filter(({ name }) => !replaced.has(name)), ...files], new Map(), this.#options.idOf);
    const problems = problemsOf(set.badFiles.filter(({ path }) => own.has(path)));
    if (problems.length > 0) {
      this.#forget();
      return { ok: false, error: 'these policies are not valid', problems };
    }
    const lifted = this.#liftedBy(set, replaced);
    const before = new Set(this.#options.refused().map(({ path }) => path));
    const enforced = await this.#options.enforce();
    if (this.#running?.files !== files) return { ok: false, error: 'it was cancelled', problems: [] };
    if (!enforced) {
      await this.#end('rolled back', 'it could not be enforced');
      return { ok: false, error: 'it could not be enforced: see netwallctl status', problems: [] };
    }
    // accounts that were looked up only now may belong to others
    const wrong = problemsOf(this.#options.refused().filter(({ path }) => !before.has(path)));
    if (wrong.length > 0) {
      await this.#end('rolled back', 'it is not valid');
      return { ok: false, error: 'these policies are not valid', problems: wrong };
    }
    this.#proven = files;
    this.#options.events.add('trial', { outcome: 'started', files: [...own], until: until.toISOString() });
    return { ok: true, value: { files: [...own], until: until.toISOString(), ...(lifted.length > 0 ? { lifted } : {}) } };
  }

  /** Services that nothing governs any more, under whatever name. */
  #liftedBy({ services }: PolicySet, replaced: ReadonlySet<string>): readonly string[] {
    const { installed, idOf } = this.#options;
    const principals = ({ kind, subjects }: Named) => subjects.map(({ id }) => `${kind} ${typeof id === 'number' ? id : (idOf(kind, id) ?? id)}`);
    const governed = new Set(services.flatMap((entry) => [entry.service, ...principals(entry)]));
    const policies = installed().flatMap(({ name, parsed }) => (replaced.has(name) ? parsed.policies : []));
    return policies.filter((policy) => !governed.has(policy.service) && principals(policy).some((principal) => !governed.has(principal))).map(({ service }) => service);
  }

  #forget(): void {
    if (this.#running !== null) clearTimeout(this.#running.timer);
    this.#running = null;
  }

  async #end(outcome: 'confirmed' | 'rolled back', reason: string): Promise<void> {
    this.#forget();
    this.#ending += 1;
    await this.#options.enforce();
    this.#ending -= 1;
    await this.#options.settle();
    this.#options.events.add('trial', { outcome, reason });
  }

  async #install(files: readonly PolicyFile[]): Promise<void> {
    try {
      await writeFilesTogether(new Map(files.map(({ name, text }) => [join(this.#options.directories[0] ?? '', name), text])), 0o644);
    } catch (error) {
      throw new HostError('try', messageOf(error), { cause: error });
    }
  }

  /** Installs what is being tried, all of it or nothing; false: nothing is, or not yet. Throws HostError when a file cannot be written; the trial then goes on. */
  async confirm(): Promise<boolean> {
    if (this.#running === null || this.#running.files !== this.#proven) return false;
    const { files } = this.#running;
    // two who confirm at once would write to the same temporary files
    this.#installing ??= this.#install(files).finally(() => (this.#installing = null));
    await this.#installing;
    if (this.#running?.files === files) await this.#end('confirmed', 'installed');
    return true;
  }

  /** False: nothing is being tried. */
  async cancel(reason: string): Promise<boolean> {
    // what is installed by then is confirmed: to tell that it was rolled back would be wrong
    await this.#installing?.catch(() => {});
    if (this.#running === null) return false;
    await this.#end('rolled back', reason);
    return true;
  }
}
