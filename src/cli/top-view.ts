/** What `netwallctl top` shows, as text. Pure. */
import { bytesText, cut, type Look, table } from './output.ts';
import { type DestinationRate, type ServiceRate, type Sort, sorted, type TopReport } from './rates.ts';
import { arrow, portText } from './status.ts';

const perSecond = (value: number) => (value >= 100 || Number.isInteger(value) ? `${Math.round(value)}` : value.toFixed(1));

const serviceRow = (rate: ServiceRate, { paint }: Look): string[] => [
  paint('bold', rate.service),
  rate.mode,
  perSecond(rate.packetsPerSecond),
  bytesText(rate.bytesPerSecond),
  rate.deniedPerSecond > 0 ? paint('red', perSecond(rate.deniedPerSecond)) : '0',
  `${rate.packets}`,
  bytesText(rate.bytes),
  `${rate.deniedPackets}`,
];
const destinationRow = (rate: DestinationRate): string[] => [
  `  ${arrow(rate)} ${rate.to} ${portText(rate)}`,
  '',
  perSecond(rate.packetsPerSecond),
  bytesText(rate.bytesPerSecond),
  '',
  `${rate.packets}`,
  bytesText(rate.bytes),
  '',
];

const TITLES = ['SERVICE', 'MODE', 'PACKETS/S', 'BYTES/S', 'DENIED/S', 'PACKETS', 'BYTES', 'DENIED'];
const GIVING = { drop: [1, 6, 5, 7, 3], shrink: [0], right: [2, 3, 4, 5, 6, 7] };
/** By what a table is sorted is shown brighter than the rest. */
const SORTED: Readonly<Record<Sort, number>> = { name: 0, packets: 2, bytes: 3, denied: 4 };

export type TopView = { readonly sort: Sort; /** Lines there is room for; null: all. */ readonly rows: number | null };

/** The table alone, as in a pipe. */
export function topTable(report: TopReport, look: Look, { sort, rows }: TopView): string {
  const { services, destinations } = sorted(report, sort);
  const titles = TITLES.map((title, at) => look.paint(at === SORTED[sort] ? 'green' : 'bold', title));
  const lines = services.flatMap((service) => [serviceRow(service, look), ...destinations.filter((one) => one.service === service.service).map(destinationRow)]);
  return table([titles, ...(rows === null ? lines : lines.slice(0, Math.max(0, rows - 1)))], look, GIVING);
}

const HEAD = 2;

/** A full screen: who and when, how to leave, and the table. Null: nothing is known yet. */
export function topScreen(report: TopReport | null, look: Look, { sort, rows, notice }: TopView & { readonly notice: string | null }): string {
  const head = `netwallctl top  ${report === null ? 'measuring' : `${report.time.slice(11, 19)}Z`}  ${notice ?? `by ${sort}  (q quit, s sort)`}`;
  const body = report === null ? '' : topTable(report, look, { sort, rows: rows === null ? null : rows - HEAD });
  return `${look.columns === null ? head : cut(head, look.columns, look)}\n\n${body}`;
}
