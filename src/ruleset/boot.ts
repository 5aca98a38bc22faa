/** The script that the early unit loads before any network is up: the whole wall in one transaction, in numbers only. Pure. */
import type { PrincipalRuleset } from './compile.ts';
import type { Table } from './skeleton.ts';
import { type Transaction, transactionText } from './transaction.ts';

/** `audited`: whether the installed policy of a service says so; others that are only watched now are enforced after a boot. */
export function bootScript(table: Table, rulesets: readonly PrincipalRuleset[], audited: (service: string) => boolean): string {
  // what is only for a while is not for the next boot: the daemon knows how much of it is left
  const elements = rulesets.flatMap(({ elements: all, gate, service }) => {
    const gates = gate.map((element) => (element.mode === 'audit' && !audited(service) ? { ...element, mode: 'enforce' as const } : element));
    return [...all.filter(({ until }) => until === undefined), ...gates];
  });
  const transaction: Transaction = [{ do: 'rebuild' }, ...(elements.length > 0 ? [{ do: 'add' as const, elements }] : [])];
  return `# The last state netwalld enforced. Written by netwalld, read at boot; do not edit.\n${transactionText(table, transaction)}`;
}
