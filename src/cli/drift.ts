/** `netwallctl drift` and `events`: what differed, and what happens. */
import type { Drift } from '../daemon/drift.ts';
import type { DriftReport, EventReport } from '../control/api.ts';
import { cut, type Look, oneLine, type Paint, table } from './output.ts';
import { type Clock, spanText } from './time.ts';

function openFor(milliseconds: number | null): string {
  if (milliseconds === null) return 'open';
  return milliseconds < 10_000 ? `${Math.round(milliseconds * 10) / 10} ms` : spanText(milliseconds);
}

const culprit = ({ process }: Drift) => (process === null ? '' : ` by ${process.name}[${process.pid}]`);
const row = (drift: Drift, paint: Paint): string[] => [
  drift.kind,
  drift.repaired ? openFor(drift.openMilliseconds) : paint('yellow', 'open'),
  drift.count > 1 ? `${drift.count}×` : '',
  drift.service ?? '–',
  oneLine(`${drift.detail}${culprit(drift)}`),
];

const TITLES = ['LAST SEEN', 'KIND', 'OPEN FOR', '', 'SERVICE', 'DETAIL'];

export function driftText({ open, history }: DriftReport, look: Look, clock: Clock): string {
  if (open.length + history.length === 0) return 'no drift';
  const rows = [...history, ...open].map((drift) => [clock(drift.lastSeen), ...row(drift, look.paint)]);
  return table([TITLES.map((title) => look.paint('bold', title)), ...rows], look, { drop: [3, 2, 1], shrink: [5, 4] });
}

const DETAILS = new Set(['time', 'type', 'drift']);
const isDrift = (event: EventReport): event is EventReport & { readonly drift: Drift } => event['drift'] !== undefined;

/** Wide enough for "59 min ago", so that lines that come one by one stand below each other. */
const AGE = 10;

/** One line. */
export function eventText(event: EventReport, look: Look, clock: Clock): string {
  const { paint, columns } = look;
  const start = `${clock(event.time).padStart(AGE)}  ${paint(event.type === 'degraded' || event.type === 'drift-opened' ? 'yellow' : 'green', event.type)}`;
  const rest = isDrift(event)
    ? row(event.drift, paint).filter(Boolean).join('  ')
    : oneLine(Object.entries(event).flatMap(([key, value]) => (DETAILS.has(key) ? [] : [`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`])).join(' '));
  const line = `${start}  ${rest}`.trimEnd();
  return columns === null ? line : cut(line, columns, look);
}
