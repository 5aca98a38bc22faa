/** `netwallctl drift` and `events`: what differed, and what happens. */
import type { Drift } from '../daemon/drift.ts';
import type { DriftReport, EventReport } from '../control/api.ts';
import { type Paint, table } from './output.ts';

const clock = (iso: string) => new Date(iso).toLocaleString('sv-SE');

function openFor(milliseconds: number | null): string {
  if (milliseconds === null) return 'open';
  return milliseconds < 10_000 ? `${Math.round(milliseconds * 10) / 10} ms` : `${Math.round(milliseconds / 1000)} s`;
}

const culprit = ({ process }: Drift) => (process === null ? '' : ` by ${process.name}[${process.pid}]`);
const row = (drift: Drift, paint: Paint): string[] => [
  clock(drift.lastSeen),
  drift.kind,
  drift.repaired ? openFor(drift.openMilliseconds) : paint('yellow', 'open'),
  drift.count > 1 ? `${drift.count}×` : '',
  drift.service ?? '–',
  `${drift.detail}${culprit(drift)}`,
];

export function driftText({ open, history }: DriftReport, paint: Paint): string {
  if (open.length + history.length === 0) return 'no drift';
  return table([['LAST SEEN', 'KIND', 'OPEN FOR', '', 'SERVICE', 'DETAIL'].map((title) => paint('bold', title)), ...[...history, ...open].map((drift) => row(drift, paint))]);
}

const DETAILS = new Set(['time', 'type', 'drift']);

/** One line. */
export function eventText(event: EventReport, paint: Paint): string {
  const { drift } = event as EventReport & { readonly drift?: Drift };
  const start = `${clock(event.time)}  ${paint(event.type === 'degraded' || event.type === 'drift-opened' ? 'yellow' : 'green', event.type)}`;
  if (drift !== undefined) return `${start}  ${row(drift, paint).slice(1).filter(Boolean).join('  ')}`;
  const details = Object.entries(event).filter(([key]) => !DETAILS.has(key));
  return `${start}  ${details.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')}`;
}
