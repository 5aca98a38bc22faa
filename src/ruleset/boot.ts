/** The script that the early unit loads before any network is up: the whole wall in one transaction, in numbers only. Pure. */
import type { PrincipalRuleset } from './compile.ts';
import type { Table } from './skeleton.ts';
import { type Transaction, transactionText } from './transaction.ts';

export function bootScript(table: Table, rulesets: readonly PrincipalRuleset[]): string {
  // what is only for a while is not for the next boot: the daemon knows how much of it is left
  const elements = rulesets.flatMap((ruleset) => [...ruleset.elements.filter(({ until }) => until === undefined), ...ruleset.gate]);
  const transaction: Transaction = [{ do: 'rebuild' }, ...(elements.length > 0 ? [{ do: 'add' as const, elements }] : [])];
  return `# The last state netwalld enforced. Written by netwalld, read at boot; do not edit.\n${transactionText(table, transaction)}`;
}
