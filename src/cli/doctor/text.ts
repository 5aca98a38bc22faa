/** Findings for people: worst first, and what is fine in one line. */
import type { DoctorCheck, Severity } from '../../control/api.ts';
import type { Colour, Paint } from '../output.ts';
import { count, SEVERITIES } from './finding.ts';

const COLOURS: Readonly<Record<Severity, Colour>> = { critical: 'red', warning: 'yellow', info: 'dim', ok: 'green' };

function block({ id, severity, title, detail, remedy }: DoctorCheck, paint: Paint): readonly string[] {
  const lines = detail === '' ? [] : detail.split('\n').map((line) => `    ${line}`);
  return [`  ${paint('bold', id)}: ${title}`, ...lines, ...(remedy === null ? [] : [`    ${paint(severity === 'info' ? 'dim' : 'green', 'remedy:')} ${remedy}`])];
}

/** `all`: what is fine one by one. */
export function doctorText(checks: readonly DoctorCheck[], all: boolean, paint: Paint): string {
  const by = (severity: Severity) => checks.filter((check) => check.severity === severity);
  const sections = SEVERITIES.flatMap((severity) => {
    const found = by(severity);
    if (found.length === 0) return [];
    const title = paint(COLOURS[severity], severity);
    if (severity !== 'ok') return [[title, ...found.flatMap((check) => block(check, paint))].join('\n')];
    return [all ? [title, ...found.map(({ id, title }) => `  ${paint('bold', id)}: ${title}`)].join('\n') : `${title}: ${count(found.length, 'more check')}; -v shows them`];
  });
  return sections.join('\n\n');
}
