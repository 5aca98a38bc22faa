/** What others do for the same purpose, each in a namespace of its own. */
import { existsSync } from 'node:fs';
import type { World } from '../../test/e2e/world.ts';
import type { Enclosure } from './enclosure.ts';

export type Rival = {
  /** An address that its rules allow. */
  readonly permitted: string;
  /** Has so many rules enforced, `opened` not being among what they allow. */
  readonly load: (rules: number) => Promise<void>;
  /** Allows, or no longer allows, the address `opened`, in the quickest way that the program has for one rule. */
  readonly change: (open: boolean) => Promise<void>;
  /** Has all rules read and enforced anew. */
  readonly reload: () => Promise<void>;
};

export type RivalKind = {
  readonly name: string;
  /** What it cannot do without. */
  readonly program: string;
  readonly package: string;
  readonly start: (enclosure: Enclosure, world: World, opened: string) => Promise<Rival>;
};

/** Those that are here, and in words which are not. */
export const present = (kinds: readonly RivalKind[]): { readonly here: readonly RivalKind[]; readonly missing: readonly string[] } => ({
  here: kinds.filter(({ program }) => existsSync(program)),
  missing: kinds.filter(({ program }) => !existsSync(program)).map(({ name, package: of }) => `${name} is not measured: apt-get install ${of}`),
});
