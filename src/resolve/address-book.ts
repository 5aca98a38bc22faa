/**
 * What DNS said for each domain, and how long it counts. Pure: the clock is an argument (milliseconds), entries are immutable.
 * What DNS said is kept as it was said; the address guard judges later, for each policy by its own words.
 */
import { z } from 'zod';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import type { RecordType } from '../dns/look-up.ts';

/** All in milliseconds. */
export type BookLimits = { readonly minTtl: number; readonly maxTtl: number; readonly hold: number; readonly maxStale: number };

export type BookAddress = { readonly address: Address; readonly type: RecordType; readonly lastSeen: number; readonly ttl: number };

/** How the last look-up of one record type ended. */
export type LookUp = {
  readonly outcome: 'addresses' | 'nodata' | 'nxdomain' | 'failure';
  readonly error: string | null;
  /** When it ended, and when the last one that was no failure did; null: none was. */
  readonly at: number;
  readonly succeeded: number | null;
  /** When to ask again. */
  readonly due: number;
  /** Failures in a row. */
  readonly failures: number;
};

export type BookEntry = {
  /** By text. */
  readonly addresses: ReadonlyMap<string, BookAddress>;
  readonly lookUps: Readonly<Record<RecordType, LookUp | null>>;
  /** The addresses alone; the same array while they are the same. */
  readonly current: readonly Address[];
};

export const UNKNOWN: BookEntry = { addresses: new Map(), lookUps: { A: null, AAAA: null }, current: [] };

export type Learned =
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly ttl: number }
  | { readonly kind: 'nodata' | 'nxdomain'; readonly ttl: number }
  | { readonly kind: 'failure'; readonly reason: string };

/**
 * Addresses of one name at a time: whoever runs its zone decides how many there are, and each costs elements in the kernel. Past it those go
 * that no answer gave for the longest; flows to them drain.
 */
const MOST_ADDRESSES = 4096;

const clampTtl = (seconds: number, { minTtl, maxTtl }: BookLimits): number => Math.min(Math.max(seconds * 1000, minTtl), maxTtl);

/** What was promised for an address holds, whatever later answers say of it. Milliseconds. */
const lasting = (ttl: number, before: BookAddress | undefined, now: number): number => (before === undefined ? ttl : Math.max(ttl, before.lastSeen + before.ttl - now));

/** Back-off of failing look-ups: 1 s, 2 s, … 60 s. */
const RETRY = { first: 1000, most: 60_000 };
/** Nothing is asked for more often, whatever TTL and `min_ttl` say. */
const SHORTEST_WAIT = 1000;

/** When an address stops to count, given how its record type's look-ups go. */
function expiryOf({ lastSeen, ttl, type }: BookAddress, lookUps: BookEntry['lookUps'], { hold, maxStale }: BookLimits): number {
  const answered = lastSeen + Math.max(ttl, hold);
  const lookUp = lookUps[type];
  // failing look-ups say nothing about the address: what was current at the last success stays current
  const wasCurrent = lookUp?.outcome === 'failure' && lookUp.succeeded !== null && answered > lookUp.succeeded;
  return wasCurrent ? Math.max(answered, (lookUp.succeeded ?? 0) + maxStale) : answered;
}

function withAddresses(entry: BookEntry, all: ReadonlyMap<string, BookAddress>, lookUps: BookEntry['lookUps']): BookEntry {
  const addresses = all.size > MOST_ADDRESSES ? new Map([...all].toSorted(([, a], [, b]) => b.lastSeen - a.lastSeen).slice(0, MOST_ADDRESSES)) : all;
  const unchanged = addresses.size === entry.addresses.size && [...addresses.keys()].every((text) => entry.addresses.has(text));
  const current = unchanged ? entry.current : [...addresses.values()].map(({ address }) => address);
  return { addresses, lookUps, current };
}

/** Takes in the outcome of a look-up. `jitter` (0 to 1) spreads what would fall due together. */
export function learn(entry: BookEntry, type: RecordType, learned: Learned, now: number, limits: BookLimits, jitter: number): BookEntry {
  const before = entry.lookUps[type];
  if (learned.kind === 'failure') {
    const failures = (before?.failures ?? 0) + 1;
    const wait = Math.min(RETRY.first * 2 ** (failures - 1), RETRY.most) * (0.5 + jitter / 2);
    const lookUp: LookUp = { outcome: 'failure', error: learned.reason, at: now, succeeded: before?.succeeded ?? null, due: now + wait, failures };
    return { ...entry, lookUps: { ...entry.lookUps, [type]: lookUp } };
  }
  const ttl = clampTtl(learned.ttl, limits);
  const error = learned.kind === 'nxdomain' ? 'NXDOMAIN' : null;
  const lookUp: LookUp = { outcome: learned.kind, error, at: now, succeeded: now, due: now + Math.max(ttl, SHORTEST_WAIT) * (0.9 + jitter / 10), failures: 0 };
  const lookUps = { ...entry.lookUps, [type]: lookUp };
  if (learned.kind !== 'addresses') return { ...entry, lookUps };
  const addresses = new Map(entry.addresses);
  for (const address of learned.addresses) {
    const text = formatAddress(address);
    addresses.set(text, { address, type, lastSeen: now, ttl: lasting(ttl, entry.addresses.get(text), now) });
  }
  return withAddresses(entry, addresses, lookUps);
}

/**
 * Takes in addresses that an answer to somebody else's question gave; how netwalld's own look-ups go is
 * another matter. Who asked may use an address until its TTL has run out, and often for longer. `ttl` in seconds.
 */
export function learnAddresses(entry: BookEntry, found: readonly Address[], ttl: number, now: number, limits: BookLimits): BookEntry {
  const addresses = new Map(entry.addresses);
  for (const address of found) {
    const text = formatAddress(address);
    const type: RecordType = address.family === 4 ? 'A' : 'AAAA';
    const before = entry.addresses.get(text);
    addresses.set(text, { address, type: before?.type ?? type, lastSeen: now, ttl: lasting(clampTtl(ttl, limits) + limits.hold, before, now) });
  }
  return withAddresses(entry, addresses, entry.lookUps);
}

/** Drops what has run out. The same object when nothing has. */
export function expire(entry: BookEntry, now: number, limits: BookLimits): BookEntry {
  const kept = [...entry.addresses].filter(([, address]) => expiryOf(address, entry.lookUps, limits) > now);
  return kept.length === entry.addresses.size ? entry : withAddresses(entry, new Map(kept), entry.lookUps);
}

/** When the next address runs out; null: none. */
export function nextExpiry(entry: BookEntry, limits: BookLimits): number | null {
  let next: number | null = null;
  for (const address of entry.addresses.values()) {
    const expiry = expiryOf(address, entry.lookUps, limits);
    if (next === null || expiry < next) next = expiry;
  }
  return next;
}

/** When something is to be asked again; null: at once, it never was. */
export function dueOf({ lookUps: { A, AAAA } }: BookEntry, type?: RecordType): number | null {
  if (type !== undefined) return (type === 'A' ? A : AAAA)?.due ?? null;
  return A === null || AAAA === null ? null : Math.min(A.due, AAAA.due);
}

export type NameState = {
  readonly state: 'resolved' | 'stale' | 'failed' | 'pending';
  /** Until it is asked again. */
  readonly expiresInSeconds: number | null;
  /** Since an answer last gave any of its addresses; null: none has. */
  readonly lastSeenSecondsAgo: number | null;
  readonly error: string | null;
};

const secondsSince = (then: number, now: number) => Math.max(0, Math.round((now - then) / 1000));

/** How long ago an answer gave each address, in seconds. */
export function addressAges(entry: BookEntry, now: number): readonly { readonly address: string; readonly secondsAgo: number }[] {
  return [...entry.addresses].map(([address, { lastSeen }]) => ({ address, secondsAgo: secondsSince(lastSeen, now) }));
}

export function nameState(entry: BookEntry, now: number): NameState {
  let lastSeen: number | null = null;
  for (const address of entry.addresses.values()) lastSeen = Math.max(lastSeen ?? address.lastSeen, address.lastSeen);
  const { error, ...state } = lookUpState(entry, now);
  const full = entry.addresses.size < MOST_ADDRESSES ? null : `more than ${MOST_ADDRESSES} addresses: those seen last count`;
  return { ...state, lastSeenSecondsAgo: lastSeen === null ? null : secondsSince(lastSeen, now), error: error ?? full };
}

function lookUpState(entry: BookEntry, now: number): Omit<NameState, 'lastSeenSecondsAgo'> {
  const { A, AAAA } = entry.lookUps;
  const due = dueOf(entry);
  const expiresInSeconds = due === null ? null : Math.max(0, Math.round((due - now) / 1000));
  const has = entry.current.length > 0;
  const failing = [A, AAAA].find((lookUp) => lookUp?.outcome === 'failure') ?? null;
  // one family's answer is enough; the other one failing shows as an error, not as a state, unless nothing else is there
  const answered = [A, AAAA].some((lookUp) => lookUp?.outcome === 'addresses');
  if (answered && has && failing === null) return { state: 'resolved', expiresInSeconds, error: null };
  if (A === null && AAAA === null) return { state: has ? 'stale' : 'pending', expiresInSeconds, error: null };
  if (!has && failing === null && (A === null || AAAA === null)) return { state: 'pending', expiresInSeconds, error: null };
  const error = failing?.error ?? A?.error ?? AAAA?.error ?? (answered ? null : 'no addresses (NODATA)');
  if (answered && has && failing === null) return { state: 'resolved', expiresInSeconds, error };
  return { state: has ? 'stale' : 'failed', expiresInSeconds, error };
}

/** A book as it is kept: wall-clock times, milliseconds since the epoch. */
export const savedBook = z.record(
  z.string(),
  z.array(z.object({ address: z.string(), type: z.enum(['A', 'AAAA']), lastSeen: z.number(), ttl: z.number().nonnegative() })),
);
export type SavedBook = z.infer<typeof savedBook>;

/** `clockOffset`: wall clock less the daemon's monotonic clock. */
export function saveEntry(entry: BookEntry, clockOffset: number): SavedBook[string] {
  return [...entry.addresses].map(([text, { type, lastSeen, ttl }]) => ({ address: text, type, lastSeen: Math.round(lastSeen + clockOffset), ttl }));
}

/** Entries from the future, or older than anything may be, are dropped; TTLs are held to the limits of today. */
export function loadEntry(saved: SavedBook[string], now: number, clockOffset: number, limits: BookLimits): BookEntry {
  const addresses = new Map<string, BookAddress>();
  for (const { address: text, type, lastSeen: wall, ttl } of saved) {
    const parsed = parseAddress(text);
    const lastSeen = wall - clockOffset;
    if (!parsed.ok || lastSeen > now || lastSeen + limits.maxStale < now) continue;
    // until it is asked for again nothing is known against it
    addresses.set(formatAddress(parsed.value), { address: parsed.value, type, lastSeen: now, ttl: clampTtl(ttl / 1000, limits) });
  }
  return withAddresses(UNKNOWN, addresses, UNKNOWN.lookUps);
}
