/** Principals that a policy file may govern which nobody can read. */
import type { Logger } from 'pino';
import type { ServiceEntry } from '../policy/policy-set.ts';
import { gateElements, type PrincipalRuleset } from '../ruleset/compile.ts';
import { parsePrincipal } from '../ruleset/plan.ts';

const ROOT = 0;

/**
 * A policy file that cannot be read, and never could, says of nobody whom it governs. So whoever was governed when the daemon started, by the boot file say, and
 * is named by no other file is shut until there is no such file any more.
 */
export class Unnamed {
  readonly #log: Logger;
  #rulesets: readonly PrincipalRuleset[] = [];
  #hasBegun = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Of those that `keep` was told of last. */
  get rulesets(): readonly PrincipalRuleset[] {
    return this.#rulesets;
  }

  /** What is to be in force besides `named`; `released`: principals whom the kernel governs and `named` does not, asked for until `keep` was called once. */
  beside(named: readonly PrincipalRuleset[], services: readonly ServiceEntry[], released: () => readonly string[]): readonly PrincipalRuleset[] {
    const nameless = services.find(({ standing, subjects }) => standing === 'rejected' && subjects.length === 0);
    if (nameless === undefined) return [];
    const known = new Set(named.map(({ principal }) => principal));
    if (this.#hasBegun) return this.#rulesets.filter(({ principal }) => !known.has(principal));
    // as where a document names root and cannot be read: that would lock the administrator out
    const principals = released().filter((principal) => parsePrincipal(principal)[1] !== ROOT);
    if (principals.length > 0) this.#log.warn({ principals, file: nameless.at.file }, 'nobody knows whom this file governs: who was governed before and is named by no other file is shut');
    return principals.map((principal) => ({ principal, service: nameless.service, gate: gateElements(...parsePrincipal(principal), 'block'), elements: [] }));
  }

  /** These are in force. */
  keep(rulesets: readonly PrincipalRuleset[]): void {
    this.#rulesets = rulesets;
    this.#hasBegun = true;
  }
}
