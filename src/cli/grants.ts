/** `netwallctl grants`. */
import type { PermitReport } from '../control/api.ts';
import { type Paint, table } from './output.ts';

const UNITS = [['d', 86_400], ['h', 3600], ['m', 60], ['s', 1]] as const;

/** The two largest units: `1h 59m`. */
export function remainingText(seconds: number): string {
  let rest = seconds;
  const parts = UNITS.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count === 0 ? [] : [`${count}${unit}`];
  });
  return parts.slice(0, 2).join(' ') || '0s';
}

export function grantsText(grants: readonly PermitReport[], paint: Paint): string {
  if (grants.length === 0) return 'no grants';
  const rows = grants.map(({ id, service, to, ports, remainingSeconds, by, reason, fault }) => [`${id}`, service, to, ports.join(', '), remainingText(remainingSeconds), by, fault === null ? reason : `${reason} ${paint('yellow', `(without effect: ${fault})`)}`]);
  return table([['ID', 'SERVICE', 'TO', 'PORTS', 'LEFT', 'BY', 'REASON'].map((title) => paint('bold', title)), ...rows]);
}
