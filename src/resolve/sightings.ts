/**
 * Names that a service's wildcards cover, as its own queries brought them up, with the addresses DNS gave. A wildcard cannot be
 * resolved ahead; what it opens is what was seen. The clock is an argument (milliseconds).
 */
import { z } from 'zod';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';

type Seen = { readonly address: Address; until: number };
type Name = { readonly addresses: Map<string, Seen>; list: readonly Address[] };
type Service = { readonly names: Map<string, Name>; snapshot: ReadonlyMap<string, readonly Address[]> | null };

/** Names a service may have at a time. Past it those longest unasked for go; flows to their addresses drain. */
const MOST_NAMES = 16_384;
const NONE: ReadonlyMap<string, readonly Address[]> = new Map();

export const savedSightings = z.record(z.string(), z.record(z.string(), z.array(z.tuple([z.string(), z.number()]))));
/** By service and name: addresses and until when they count, milliseconds since the epoch. */
export type SavedSightings = z.infer<typeof savedSightings>;

export class Sightings {
  readonly #services = new Map<string, Service>();
  readonly #mostNames: number;

  constructor(mostNames = MOST_NAMES) {
    this.#mostNames = mostNames;
  }

  /** An answer gave these addresses for a name; they count until then, or longer if they already did. */
  learn(service: string, name: string, addresses: readonly Address[], until: number): void {
    let known = this.#services.get(service);
    if (known === undefined) this.#services.set(service, (known = { names: new Map(), snapshot: null }));
    const entry = known.names.get(name) ?? { addresses: new Map<string, Seen>(), list: [] };
    // last in the map is what was asked for last
    known.names.delete(name);
    known.names.set(name, entry);
    let more = false;
    for (const address of addresses) {
      const text = formatAddress(address);
      const before = entry.addresses.get(text);
      if (before === undefined) {
        entry.addresses.set(text, { address, until });
        more = true;
      } else before.until = Math.max(before.until, until);
    }
    if (more) {
      entry.list = [...entry.addresses.values()].map(({ address }) => address);
      known.snapshot = null;
    }
    const [oldest] = known.names.size > this.#mostNames ? known.names.keys() : [];
    if (oldest === undefined) return;
    known.names.delete(oldest);
    known.snapshot = null;
  }

  /** Names with their addresses; the same map while they are the same. */
  seenBy(service: string): ReadonlyMap<string, readonly Address[]> {
    const known = this.#services.get(service);
    if (known === undefined) return NONE;
    known.snapshot ??= new Map([...known.names].map(([name, { list }]) => [name, list]));
    return known.snapshot;
  }

  /** Drops what has run out; returns whether anything had. */
  expire(now: number): boolean {
    let gone = false;
    for (const known of this.#services.values()) {
      for (const [name, entry] of known.names) {
        const before = entry.addresses.size;
        for (const [text, { until }] of entry.addresses) if (until <= now) entry.addresses.delete(text);
        if (entry.addresses.size === before) continue;
        gone = true;
        known.snapshot = null;
        entry.list = [...entry.addresses.values()].map(({ address }) => address);
        if (entry.addresses.size === 0) known.names.delete(name);
      }
    }
    return gone;
  }

  /** Drops services that are gone, and names that their policy does not cover any more. */
  retain(covers: (service: string, name: string) => boolean): void {
    for (const [service, known] of this.#services) {
      for (const name of known.names.keys()) {
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
        Object.fromEntries([...names].map(([name, { addresses }]) => [name, [...addresses].map(([text, { until }]) => [text, Math.round(until + clockOffset)])])),
      ]),
    );
  }
}
