/**
 * Names that a service's wildcards cover, as its own queries brought them up, with the addresses DNS gave. A wildcard cannot be
 * resolved ahead; what it opens is what was seen. The clock is an argument (milliseconds).
 */
import { z } from 'zod';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { RecentMap } from './recent-map.ts';

type Seen = { readonly address: Address; until: number };
/** By family and address. */
type Known = Map<string, Seen>;
/** `fresh`: addresses that came since they were all counted. */
type Service = { readonly names: RecentMap<Known>; fresh: number; snapshot: ReadonlyMap<string, readonly Address[]> | null };

/** Names a service may have at a time. Past it those long unasked for go; flows to their addresses drain. */
const MOST_NAMES = 16_384;
/** Addresses that one name may have at a time; past it those go that have the least time left. */
const MOST_ADDRESSES = 1024;
/** Addresses that a service may have at a time, for the same reason; counted now and then. */
const MOST_IN_ALL = 65_536;
const COUNTED_EVERY = 4096;
const NONE: ReadonlyMap<string, readonly Address[]> = new Map();

export const savedSightings = z.record(z.string(), z.record(z.string(), z.array(z.tuple([z.string(), z.number()]))));
/** By service and name: addresses and until when they count, milliseconds since the epoch. */
export type SavedSightings = z.infer<typeof savedSightings>;

/** Names go that were not asked for the longest. */
function bound(service: Service): void {
  service.fresh = 0;
  let total = [...service.names.entries()].reduce((sum, [, seen]) => sum + seen.size, 0);
  for (const [name, seen] of service.names.entries()) {
    if (total <= MOST_IN_ALL) return;
    service.names.delete(name);
    total -= seen.size;
  }
}

export class Sightings {
  readonly #services = new Map<string, Service>();
  readonly #mostNames: number;

  constructor(mostNames = MOST_NAMES) {
    this.#mostNames = mostNames;
  }

  /** An answer gave these addresses for a name; they count until then, or longer if they already did. */
  learn(service: string, name: string, addresses: readonly Address[], until: number): void {
    const known = this.#serviceOf(service);
    const before = known.names.get(name);
    const seen: Known = before ?? new Map();
    const had = seen.size;
    for (const address of addresses) {
      const key = `${address.family} ${address.value}`;
      const same = seen.get(key);
      if (same !== undefined) {
        if (same.until < until) same.until = until;
        continue;
      }
      seen.set(key, { address, until });
    }
    const came = seen.size - had;
    if (seen.size > MOST_ADDRESSES) {
      const longest = [...seen].toSorted(([, a], [, b]) => b.until - a.until);
      for (const [key] of longest.slice(MOST_ADDRESSES)) seen.delete(key);
    }
    if (before === undefined) known.names.set(name, seen);
    if (before === undefined || came > 0) known.snapshot = null;
    known.fresh += came;
    if (known.fresh >= COUNTED_EVERY) bound(known);
  }

  #serviceOf(service: string): Service {
    const before = this.#services.get(service);
    if (before !== undefined) return before;
    const known: Service = { names: new RecentMap(this.#mostNames, () => (known.snapshot = null)), fresh: 0, snapshot: null };
    this.#services.set(service, known);
    return known;
  }

  /** Names with their addresses; the same map while they are the same. */
  seenBy(service: string): ReadonlyMap<string, readonly Address[]> {
    const known = this.#services.get(service);
    if (known === undefined) return NONE;
    if (known.snapshot === null) {
      const snapshot = new Map<string, readonly Address[]>();
      for (const [name, seen] of known.names.entries()) snapshot.set(name, [...seen.values()].map(({ address }) => address));
      known.snapshot = snapshot;
    }
    return known.snapshot;
  }

  /** Drops what has run out; returns whether anything had. */
  expire(now: number): boolean {
    let gone = false;
    for (const known of this.#services.values()) {
      for (const [name, seen] of known.names.entries()) {
        const over = [...seen].filter(([, { until }]) => until <= now);
        if (over.length === 0) continue;
        gone = true;
        known.snapshot = null;
        for (const [key] of over) seen.delete(key);
        if (seen.size === 0) known.names.delete(name);
      }
    }
    return gone;
  }

  /** Drops services that are gone, and names that their policy does not cover any more. */
  retain(covers: (service: string, name: string) => boolean): void {
    for (const [service, known] of this.#services) {
      for (const [name] of known.names.entries()) {
        if (covers(service, name)) continue;
        known.names.delete(name);
        known.snapshot = null;
      }
      if (known.names.size === 0) this.#services.delete(service);
    }
  }

  /** What an earlier run knew. `clockOffset`: wall clock less the daemon's monotonic clock. */
  load(saved: SavedSightings, now: number, clockOffset: number, longest: number): void {
    for (const [service, names] of Object.entries(saved)) {
      for (const [name, addresses] of Object.entries(names)) {
        for (const [text, wall] of addresses) {
          const parsed = parseAddress(text);
          const until = Math.min(wall - clockOffset, now + longest);
          if (parsed.ok && until > now) this.learn(service, name, [parsed.value], until);
        }
      }
    }
  }

  save(clockOffset: number): SavedSightings {
    return Object.fromEntries(
      [...this.#services].map(([service, { names }]) => [
        service,
        Object.fromEntries([...names.entries()].map(([name, seen]) => [name, [...seen.values()].map(({ address, until }) => [formatAddress(address), Math.round(until + clockOffset)])])),
      ]),
    );
  }
}
