/**
 * What the kernel has counted, for those who look on. However many do, and however often they ask, the kernel is read once for all of them,
 * and destinations only of services that somebody asks for.
 */
import type { DestinationReport, TrafficReport } from '../control/api.ts';
import { principalName, principalOf } from '../ruleset/compile.ts';
import { destinationsOf } from '../ruleset/destinations.ts';
import type { Counter } from '../ruleset/element.ts';
import type { ServiceState } from './desired.ts';
import type { Enforcer } from './enforcer.ts';
import { Lane } from './lane.ts';
import { countersOf } from './report.ts';
import { SharedLook } from './shared-look.ts';

export type TrafficOptions = {
  readonly enforcer: Pick<Enforcer, 'counters' | 'permissionsOf'>;
  readonly services: () => readonly ServiceState[];
  /** Milliseconds, monotonic. */
  readonly clock?: () => number;
};

/** Whose destinations may be asked for at once. */
export const MOST_SERVICES = 8;
/** Who did not ask again for so long has stopped looking, in milliseconds. */
const WATCHED = 10_000;

type Destinations = ReadonlyMap<string, readonly DestinationReport[]>;

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #clock: () => number;
  readonly #gates: SharedLook<ReadonlyMap<string, Counter>>;
  readonly #destinations: SharedLook<Destinations>;
  /** By service: when somebody last asked for its destinations. */
  readonly #watched = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<Destinations>>();
  /** One listing at a time: the other processors belong to the services. */
  readonly #lane = new Lane();

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#gates = new SharedLook(() => options.enforcer.counters(), this.#clock);
    this.#destinations = new SharedLook(() => this.#read(this.#watchedNow()), this.#clock);
  }

  #watchedNow(): string[] {
    const now = this.#clock();
    for (const [service, last] of this.#watched) if (now - last > WATCHED) this.#watched.delete(service);
    // the latest are at the end
    return [...this.#watched.keys()].slice(-MOST_SERVICES);
  }

  #read(names: readonly string[]): Promise<Destinations> {
    return this.#lane.run(async () => {
      const wanted = this.#options.services().filter(({ entry }) => names.includes(entry.service));
      const principals = wanted.map(({ entry, principals }) => principals.ids.map((id) => principalName(entry.kind, id)));
      const elements = Map.groupBy(await this.#options.enforcer.permissionsOf(principals.flat()), principalOf);
      return new Map(wanted.map(({ entry }, at) => [entry.service, destinationsOf((principals[at] ?? []).flatMap((principal) => elements.get(principal) ?? []))]));
    });
  }

  /** Of one service, as they are now; who asks meanwhile gets the same. Throws HostError. */
  async destinations(service: string): Promise<readonly DestinationReport[]> {
    let reading = this.#underWay.get(service);
    if (reading === undefined) {
      reading = this.#read([service]).finally(() => this.#underWay.delete(service));
      this.#underWay.set(service, reading);
    }
    return (await reading).get(service) ?? [];
  }

  /** `maxAge` in milliseconds. Throws HostError. */
  async report(detailed: readonly string[], maxAge: number): Promise<TrafficReport> {
    for (const service of detailed) {
      this.#watched.delete(service);
      this.#watched.set(service, this.#clock());
    }
    const gates = await this.#gates.get(maxAge);
    const destinations: TrafficReport['destinations'][number][] = [];
    if (detailed.length > 0) {
      const last = await this.#destinations.get(maxAge);
      const seen = detailed.every((service) => last.value.has(service)) ? last : await this.#destinations.get(0);
      for (const service of detailed) {
        const found = seen.value.get(service);
        if (found !== undefined) destinations.push({ service, at: seen.at, destinations: found });
      }
    }
    return {
      at: gates.at,
      services: this.#options.services().map((service) => ({ service: service.entry.service, mode: service.confinement.mode, ...countersOf(service, gates.value) })),
      destinations,
    };
  }
}
