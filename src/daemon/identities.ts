/** Follows who the names in the policies are: looks them up, remembers what they were. */
import type { Accounts } from '../host/accounts.ts';
import { idsInUse } from '../host/processes.ts';
import type { ServiceEntry } from '../policy/policy-set.ts';
import { principalKey } from '../resolve/principals.ts';
import type { Finding } from './drift.ts';

export class Identities {
  readonly #accounts: Accounts;
  readonly #last = new Map<string, number>();
  readonly #former = new Map<string, Set<number>>();

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** Ids that names had before and that processes still run with. */
  get former(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#former;
  }

  /**
   * Notes what every name stands for now. A name that changed or went leaves its old id governed while processes have it.
   * Returns what changed, for the report.
   */
  note(services: readonly ServiceEntry[]): readonly Finding[] {
    const findings: Finding[] = [];
    const present = new Set<string>();
    for (const { kind, subjects, service } of services) {
      for (const { id: name } of subjects) {
        if (typeof name === 'number') continue;
        const key = principalKey(kind, name);
        present.add(key);
        const before = this.#last.get(key);
        const now = this.#accounts.id(kind, name);
        if (now === null) this.#last.delete(key);
        else this.#last.set(key, now);
        if (before === undefined || before === now) continue;
        const number = kind === 'user' ? 'uid' : 'gid';
        findings.push({ service, detail: now === null ? `${kind} ${name} (${number} ${before}) is gone` : `${number} of ${kind} ${name} changed from ${before} to ${now}` });
        const former = this.#former.get(key) ?? new Set();
        this.#former.set(key, former.add(before));
        if (now !== null) former.delete(now);
      }
    }
    for (const key of this.#last.keys()) if (!present.has(key)) this.#last.delete(key);
    for (const key of this.#former.keys()) if (!present.has(key)) this.#former.delete(key);
    return findings;
  }

  /** Forgets former ids that nobody runs with any more. Returns whether there were any. */
  release(): boolean {
    if (this.#former.size === 0) return false;
    const used = idsInUse();
    let released = false;
    for (const [key, ids] of this.#former) {
      const kind = key.startsWith('group ') ? 'group' : 'user';
      for (const id of ids) {
        if (used[kind].has(id)) continue;
        ids.delete(id);
        released = true;
      }
      if (ids.size === 0) this.#former.delete(key);
    }
    return released;
  }
}
