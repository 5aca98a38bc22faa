/** The scripts that the early unit loads before any network is up: each the whole wall in one transaction, in numbers only. Pure. */
import { createHash } from 'node:crypto';
import { gateElements, type PrincipalRuleset } from './compile.ts';
import type { Element } from './element.ts';
import { parsePrincipal } from './plan.ts';
import type { Table } from './skeleton.ts';
import { type Transaction, transactionText } from './transaction.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** A script that was cut at the end of a line loads as well as a whole one, so the last line vouches for the others. */
export const sealed = (text: string) => `${text}# end ${digest(text)}\n`;

function script(table: Table, elements: readonly Element[], says: string): string {
  const transaction: Transaction = [{ do: 'rebuild' }, ...(elements.length > 0 ? [{ do: 'add' as const, elements }] : [])];
  return sealed(`# ${says} Written by netwalld, read at boot; do not edit.\n${transactionText(table, transaction)}`);
}

/** Whether a script is as it was written. */
export function isWhole(text: string): boolean {
  return sealed(text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)) === text;
}

/** What was enforced last. `audited`: whether the installed policy of a service says so; others that are only watched now are enforced after a boot. */
export function bootScript(table: Table, rulesets: readonly PrincipalRuleset[], audited: (service: string) => boolean): string {
  // what is only for a while is not for the next boot: the daemon knows how much of it is left
  const elements = rulesets.flatMap(({ elements: all, gate, service }) => {
    const gates = gate.map((element) => (element.mode === 'audit' && !audited(service) ? { ...element, mode: 'enforce' as const } : element));
    return [...all.filter(({ until }) => until === undefined), ...gates];
  });
  return script(table, elements, 'The last state netwalld enforced.');
}

/** For when the other cannot be loaded: whoever is governed waits for the daemon. Small, and it needs nothing but ids. */
export function closedScript(table: Table, rulesets: readonly PrincipalRuleset[]): string {
  const elements = rulesets.flatMap(({ principal }) => gateElements(...parsePrincipal(principal), 'hold'));
  return script(table, elements, 'Nothing passes for whoever is governed.');
}
