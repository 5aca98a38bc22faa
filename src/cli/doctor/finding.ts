/** A finding, and how to say it. */
import type { DoctorCheck, Severity } from '../../control/api.ts';

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ['critical', 'warning', 'info', 'ok'];

export const worst = (severities: readonly Severity[]): Severity => SEVERITIES.find((severity) => severities.includes(severity)) ?? 'ok';

export const fine = (id: string, title: string): DoctorCheck => ({ id, severity: 'ok', title, detail: '', remedy: null });

/** Nothing is guessed about what could not be looked at. */
export const notChecked = (id: string, why: string): DoctorCheck => ({ id, severity: 'info', title: `not checked: ${why}`, detail: '', remedy: why.startsWith('only root') ? 'sudo netwallctl doctor' : null });

/** Where hidepid= of proc(5) keeps processes from others. */
export const HIDDEN = 'only root sees all processes here';

/** `detail`: what was found, one thing a line; `why` it matters comes last. */
export const finding = (id: string, severity: Severity, title: string, detail: readonly string[], why: string, remedy: string): DoctorCheck => ({
  id,
  severity,
  title,
  detail: [...shortened(detail), why].filter(Boolean).join('\n'),
  remedy,
});

const MOST = 8;

/** A list for people to read. */
export function shortened(lines: readonly string[]): readonly string[] {
  const distinct = [...new Set(lines)];
  return distinct.length <= MOST ? distinct : [...distinct.slice(0, MOST - 1), `… and ${distinct.length - MOST + 1} more`];
}

export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;
