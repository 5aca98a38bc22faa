/** `netwallctl top`: what goes on, once a second: on a terminal in place, elsewhere one table after the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../config/duration.ts';
import type { TrafficReport } from '../control/api.ts';
import { ControlError } from '../control/client.ts';
import { type Look, printable } from './output.ts';
import { Rates, type Sort, SORTS, sorted, type TopReport } from './rates.ts';
import { Screen } from './screen.ts';
import { topScreen, topTable } from './top-view.ts';

export type TopOptions = { readonly interval: string; readonly count?: number; readonly sort: Sort };
export type TopOutput = {
  readonly get: (path: string) => Promise<TrafficReport>;
  readonly json: boolean;
  readonly say: (text: string) => void;
  /** Asked for at each table: a terminal may change its size. */
  readonly look: () => Look;
};

/** Of how many services the destinations are shown where nobody says which. */
const DETAILED = 5;
const LIMITS = { least: 200, most: 3_600_000 };

/** The busiest ones, which are what somebody looks for. */
const busiest = (report: TopReport | null, sort: Sort): readonly string[] =>
  report === null
    ? []
    : sorted(report, sort === 'name' ? 'packets' : sort)
        .services.filter(({ packetsPerSecond, deniedPerSecond }) => packetsPerSecond > 0 || deniedPerSecond > 0)
        .slice(0, DETAILED)
        .map(({ service }) => service);

/** Only these services; none: all of them. */
function only(report: TopReport, services: readonly string[]): TopReport {
  return services.length === 0 ? report : { ...report, services: report.services.filter(({ service }) => services.includes(service)) };
}

/** Throws ControlError. */
export async function topCommand(services: readonly string[], options: TopOptions, { get, json, say, look }: TopOutput): Promise<void> {
  const interval = parseDuration(options.interval, LIMITS);
  if (!interval.ok) throw new ControlError('invalid', `--interval: ${interval.fault}: ${interval.hint ?? ''}`);
  const milliseconds = interval.value;
  const rates = new Rates();
  let report: TopReport | null = null;

  /** One look; whoever else looks on at that pace shares it. */
  const refresh = async (): Promise<void> => {
    const wanted = services.length > 0 ? services : busiest(report, sort);
    const query = new URLSearchParams([['maxAge', `${Math.round(milliseconds * 0.9)}`], ...wanted.map((service): [string, string] => ['service', service])]);
    const next = rates.take(await get(`/v1/traffic?${query.toString()}`), new Date());
    report = next === null ? null : only(next, services);
  };
  let { sort } = options;
  const enough = (count: number) => options.count !== undefined && count >= options.count;

  if (json || !process.stdout.isTTY || process.env['TERM'] === 'dumb') {
    await refresh();
    for (let count = 0; !enough(count); count += 1) {
      await sleep(milliseconds);
      await refresh();
      if (report === null) continue;
      const now: TopReport = sorted(report, sort);
      say(json ? JSON.stringify(now) : `${count === 0 ? '' : '\n'}${topTable(now, look(), { sort, rows: null })}`);
    }
    return;
  }

  const over = new AbortController();
  const draw = (notice: string | null = null): void => {
    const now = look();
    screen.draw(printable(topScreen(report, { ...now, columns: process.stdout.columns }, { sort, rows: process.stdout.rows, notice }), now.unicode));
  };
  const screen = new Screen({
    redraw: () => draw(),
    key: (key) => {
      if (key === 'q' || key === 'Q') over.abort();
      if (key !== 's' && key !== 'S') return;
      sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? 'packets';
      draw();
    },
  });
  try {
    for (let count = 0; !over.signal.aborted && !enough(count - 1); count += 1) {
      await refresh();
      draw();
      await sleep(milliseconds, undefined, { signal: over.signal }).catch(() => {});
    }
  } finally {
    screen.close();
  }
}
