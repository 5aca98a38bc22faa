/** The scripts that the early unit loads before any network is up: each the whole wall in one transaction, in numbers only. Pure. */
import { createHash } from 'node:crypto';
import { gateElements, type PrincipalRuleset } from './compile.ts';
import type { Element } from './element.ts';
import { partsFor } from './parts.ts';
import { parsePrincipal } from './plan.ts';
import type { Table } from './skeleton.ts';
import { type Transaction, transactionText } from './transaction.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const endLine = (seal: string) => `# end ${seal}\n`;

/** A script that was cut at the end of a line loads as well as a whole one, so the last line vouches for the others. */
export const sealed = (text: string) => `${text}${endLine(digest(text))}`;

/** So many rulesets at a time: the text of ten thousand takes a tenth of a second, and as much memory as they. */
const PIECE = 500;

/** A script piece by piece; the pieces together are one transaction. */
function* script(table: Table, rulesets: readonly PrincipalRuleset[], elementsOf: (ruleset: PrincipalRuleset) => readonly Element[], says: string): Generator<string> {
  const seal = createHash('sha256');
  // groups always: of whoever is new in the policies netwall-boot only adds elements
  const parts = { ...partsFor(rulesets), groups: true };
  for (let start = 0; start === 0 || start < rulesets.length; start += PIECE) {
    const elements = rulesets.slice(start, start + PIECE).flatMap(elementsOf);
    const transaction: Transaction = [...(start === 0 ? [{ do: 'rebuild' as const, parts }] : []), ...(elements.length > 0 ? [{ do: 'add' as const, elements }] : [])];
    const text = `${start === 0 ? `# ${says} Written by netwalld, read at boot; do not edit.\n` : ''}${transactionText(table, transaction)}`;
    seal.update(text);
    yield text;
  }
  yield endLine(seal.digest('hex'));
}

/** Whether a script is as it was written. */
export function isWhole(text: string): boolean {
  return sealed(text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)) === text;
}

/** Ids that a script governs: the keys of its mode maps. */
export function bootIds(text: string): Readonly<Record<'user' | 'group', ReadonlySet<number>>> {
  const lines = (kind: string) => [...text.matchAll(new RegExp(`^add element inet \\S+ ${kind}_mode \\{(.*)\\}$`, 'gm'))].map(([, elements = '']) => elements);
  const of = (kind: string) => new Set(lines(kind).flatMap((elements) => [...elements.matchAll(/(\d+)"?(?: [^,:]*)? :/g)].map(([, id]) => Number(id))));
  return { user: of('user'), group: of('group') };
}

/** What was enforced last. `audited`: whether the installed policy of a service says so; others that are only watched now are enforced after a boot. */
export function bootScript(table: Table, rulesets: readonly PrincipalRuleset[], audited: (service: string) => boolean): Generator<string> {
  // what is only for a while is not for the next boot: the daemon knows how much of it is left
  const elementsOf = ({ elements: all, gate, service }: PrincipalRuleset) => {
    const gates = gate.map((element) => (element.mode === 'audit' && !audited(service) ? { ...element, mode: 'enforce' as const } : element));
    return [...all.filter(({ until }) => until === undefined), ...gates];
  };
  return script(table, rulesets, elementsOf, 'The last state netwalld enforced.');
}

/** For when the other cannot be loaded: whoever is governed waits for the daemon. Small, and it needs nothing but ids. */
export function closedScript(table: Table, rulesets: readonly PrincipalRuleset[]): Generator<string> {
  return script(table, rulesets, ({ principal }) => gateElements(...parsePrincipal(principal), 'hold'), 'Nothing passes for whoever is governed.');
}
