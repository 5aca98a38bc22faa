/** Follows who the names in the policies are. */
import type { IdOf, ServiceEntry } from '../policy/policy-set.ts';
import type { Finding } from './drift.ts';

export class Identities {
  readonly #last = new Map<string, number>();

  /** Notes what every name stands for now; returns what is no longer as it was, for the report. */
  note(services: readonly ServiceEntry[], idOf: IdOf): readonly Finding[] {
    const findings: Finding[] = [];
    const present = new Set<string>();
    for (const { kind, subjects, service } of services) {
      for (const { id: name } of subjects) {
        if (typeof name === 'number') continue;
        const key = `${kind} ${name}`;
        present.add(key);
        const before = this.#last.get(key);
        const now = idOf(kind, name);
        if (now === null) this.#last.delete(key);
        else this.#last.set(key, now);
        if (before === undefined || before === now) continue;
        const number = kind === 'user' ? 'uid' : 'gid';
        findings.push({ service, detail: now === null ? `${kind} ${name} (${number} ${before}) is gone` : `${number} of ${kind} ${name} changed from ${before} to ${now}` });
      }
    }
    for (const key of this.#last.keys()) if (!present.has(key)) this.#last.delete(key);
    return findings;
  }
}
