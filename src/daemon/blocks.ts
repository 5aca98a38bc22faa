/**
 * Services that an operator shut. A block is of whom the service governed as well: whatever policy governs one of them now, under whatever name,
 * is shut until the block ends.
 */
import { z } from 'zod';
import type { PrincipalKind } from '../policy/policy.ts';
import { principalName } from '../ruleset/compile.ts';

const block = z.strictObject({ since: z.string(), principals: z.array(z.string()) });
/** By service; a date alone is from before principals were kept. */
export const savedBlocks = z.record(z.string(), z.union([block, z.string().transform((since) => ({ since, principals: [] }))]));

type Block = z.infer<typeof block>;

/** Whom a service governs. */
export type GovernedBy = { readonly service: string; readonly kind: PrincipalKind; readonly ids: readonly number[] };

const principalsOf = ({ kind, ids }: GovernedBy) => ids.map((id) => principalName(kind, id));

export class Blocks {
  readonly #blocks: Map<string, Block>;

  constructor(saved: z.infer<typeof savedBlocks> = {}) {
    this.#blocks = new Map(Object.entries(saved));
  }

  /** Since when (ISO 8601) a service is shut; null: it is not. */
  since(one: GovernedBy): string | null {
    return this.#covering(one)[0]?.[1].since ?? null;
  }

  #covering(one: GovernedBy): readonly [string, Block][] {
    if (this.#blocks.size === 0) return [];
    const principals = new Set(principalsOf(one));
    return [...this.#blocks].filter(([service, shut]) => service === one.service || shut.principals.some((principal) => principals.has(principal)));
  }

  add(one: GovernedBy, since: string): void {
    const before = this.#blocks.get(one.service);
    this.#blocks.set(one.service, { since: before?.since ?? since, principals: [...new Set([...(before?.principals ?? []), ...principalsOf(one)])] });
  }

  /** Ends every block as far as it shuts this service: others that another's block shuts as well stay shut. */
  end(one: GovernedBy): void {
    const freed = new Set(principalsOf(one));
    for (const [service, shut] of this.#covering(one)) {
      const principals = shut.principals.filter((principal) => !freed.has(principal));
      if (service === one.service || principals.length === 0) this.#blocks.delete(service);
      else this.#blocks.set(service, { ...shut, principals });
    }
  }

  save(): z.infer<typeof savedBlocks> {
    return Object.fromEntries(this.#blocks);
  }
}
