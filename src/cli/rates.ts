/** From what the kernel had counted twice to what goes on between. Pure. */
import type { DestinationReport, TrafficReport } from '../control/api.ts';

/** Everything is per second. */
export type Rate = { readonly packetsPerSecond: number; readonly bytesPerSecond: number };
export type ServiceRate = TrafficReport['services'][number] & Rate & { readonly deniedPerSecond: number };
export type DestinationRate = DestinationReport & Rate & { readonly service: string };

/** A line of `top --json`. */
export type TopReport = {
  /** ISO 8601. */
  readonly time: string;
  readonly services: readonly ServiceRate[];
  readonly destinations: readonly DestinationRate[];
};

export const SORTS = ['packets', 'bytes', 'denied', 'name'] as const;
export type Sort = (typeof SORTS)[number];

type Counted = { readonly packets: number; readonly bytes: number };
const NOTHING: Counted = { packets: 0, bytes: 0 };

/** A counter that went back has begun anew, from nothing. */
const more = (before: number, after: number) => (after < before ? after : after - before);
const perSecond = (before: number, after: number, seconds: number) => (seconds > 0 ? Math.round((more(before, after) / seconds) * 10) / 10 : 0);
const rate = (before: Counted, after: Counted, seconds: number): Rate => ({
  packetsPerSecond: perSecond(before.packets, after.packets, seconds),
  bytesPerSecond: perSecond(before.bytes, after.bytes, seconds),
});

const keyOf = ({ direction, to, protocol, port }: DestinationReport) => JSON.stringify([direction, to, protocol, port]);

type Detailed = TrafficReport['destinations'][number];

/** What was not there before cannot have a rate yet: for all anybody knows its count is a year's. */
function destinationRates(before: Detailed | undefined, { service, at, destinations }: Detailed): readonly DestinationRate[] {
  const seconds = before === undefined ? 0 : (at - before.at) / 1000;
  const known = new Map(before?.destinations.map((one) => [keyOf(one), one]));
  return destinations.map((one) => ({ ...one, service, ...rate(known.get(keyOf(one)) ?? (before === undefined ? one : NOTHING), one, seconds) }));
}

/**
 * Remembers what was seen last. Counters that the daemon has not read anew since say nothing new: their rates stay.
 */
export class Rates {
  #last: TrafficReport | null = null;
  #services = new Map<string, ServiceRate>();
  /** By service: what was seen, and what that came to. */
  #destinations = new Map<string, { readonly seen: Detailed; readonly rates: readonly DestinationRate[] }>();

  /** Null: the first look, which is nothing to compare with. */
  take(report: TrafficReport, time: Date): TopReport | null {
    const last = this.#last;
    for (const detailed of report.destinations) {
      const before = this.#destinations.get(detailed.service);
      if (before?.seen.at === detailed.at) continue;
      this.#destinations.set(detailed.service, { seen: detailed, rates: destinationRates(before?.seen, detailed) });
    }
    const detailed = new Set(report.destinations.map(({ service }) => service));
    for (const service of this.#destinations.keys()) if (!detailed.has(service)) this.#destinations.delete(service);
    if (last === null || last.at !== report.at) {
      const known = new Map(last?.services.map((one) => [one.service, one]));
      const seconds = last === null ? 0 : (report.at - last.at) / 1000;
      this.#services = new Map(
        report.services.map((one) => {
          const before = known.get(one.service) ?? one;
          return [one.service, { ...one, ...rate(before, one, seconds), deniedPerSecond: perSecond(before.deniedPackets, one.deniedPackets, seconds) }];
        }),
      );
      this.#last = report;
    }
    if (last === null) return null;
    return { time: time.toISOString(), services: [...this.#services.values()], destinations: [...this.#destinations.values()].flatMap(({ rates }) => rates) };
  }
}

const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The busiest first; among equals those that carried most, and by name. */
export function sorted(report: TopReport, sort: Sort): TopReport {
  const services = report.services.toSorted((a, b) => {
    if (sort === 'denied') return b.deniedPerSecond - a.deniedPerSecond || b.deniedPackets - a.deniedPackets || byName(a.service, b.service);
    if (sort === 'bytes') return b.bytesPerSecond - a.bytesPerSecond || b.bytes - a.bytes || byName(a.service, b.service);
    if (sort === 'packets') return b.packetsPerSecond - a.packetsPerSecond || b.packets - a.packets || byName(a.service, b.service);
    return byName(a.service, b.service);
  });
  const destinations = report.destinations.toSorted((a, b) => {
    if (sort === 'bytes') return b.bytesPerSecond - a.bytesPerSecond || b.bytes - a.bytes || byName(a.to, b.to);
    if (sort === 'name') return byName(a.to, b.to);
    return b.packetsPerSecond - a.packetsPerSecond || b.packets - a.packets || byName(a.to, b.to);
  });
  return { ...report, services, destinations };
}
