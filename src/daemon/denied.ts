/** What the wall refused, from the kernel's own record, in the words of the policies. */
import type { DeniedEntry, DeniedReason, DeniedReport } from '../control/api.ts';
import type { Nft } from '../host/nft.ts';
import { type Address, formatAddress } from '../net/address.ts';
import type { PassiveDns } from '../resolve/passive-dns.ts';
import { judgeName } from '../ruleset/admitted.ts';
import { type DeniedFlow, deniedSets, readDenied } from '../ruleset/denied.ts';
import { readElements } from '../ruleset/listing.ts';
import { protocolNumber } from '../ruleset/protocol.ts';
import { type Verdict, verdict } from '../ruleset/verdict.ts';
import type { ServiceState } from './desired.ts';
import type { LinkedPolicy } from '../policy/rule.ts';
import { nameMatcher } from '../resolve/name-matcher.ts';
import type { DnsStatistics, RefusedName } from './dns-statistics.ts';
import type { Observed } from './learning.ts';

export type DeniedOptions = {
  readonly nft: Pick<Nft, 'listSet'>;
  readonly services: () => readonly ServiceState[];
  readonly passive: PassiveDns;
  readonly dnsOf: (service: string) => DnsStatistics | null;
};

/** `service`: null: all. `since`: milliseconds since the epoch. */
export type DeniedQuery = { readonly service: string | null; readonly since: number | null; readonly limit: number };

const DNS_PORT = 53;

type Names = { readonly listed: readonly string[]; readonly guarded: boolean };

/** The other way round of a service's names: what leads to an address, and whether the guard keeps that address out. */
function nameIndex({ confinement }: ServiceState): ReadonlyMap<string, Names> {
  const index = new Map<string, { listed: string[]; guarded: boolean }>();
  for (const name of confinement.addresses.keys()) {
    const { admitted, guarded } = judgeName(name, confinement);
    for (const [address, out] of [...admitted.map((one) => [one, false] as const), ...guarded.map(({ address: one }) => [one, true] as const)]) {
      const known = index.get(formatAddress(address));
      if (known === undefined) index.set(formatAddress(address), { listed: [name], guarded: out });
      else {
        known.listed.push(name);
        known.guarded &&= out;
      }
    }
  }
  return index;
}

/** What the policy of now says of it; null: there is none any more. */
function judge(state: ServiceState | null, { kind, id, address, protocol, port, direction }: DeniedFlow): Verdict {
  const number = protocolNumber(protocol);
  return verdict(state === null ? [] : [state.confinement], {
    uid: kind === 'user' ? id : null,
    gid: kind === 'group' ? id : null,
    remote: address,
    protocol: number,
    remotePort: direction === 'out' ? (port ?? 0) : 0,
    localPort: direction === 'in' ? (port ?? 0) : 0,
    direction: direction === 'out' ? 'original' : 'reply',
    syn: true,
  });
}

function reasonOf({ confinement, action, audited, rule }: Verdict, { port, direction }: DeniedFlow, names: Names | undefined): DeniedReason {
  if (confinement === null) return 'policy gone';
  if (confinement.mode === 'block') return 'mode';
  if (rule !== null && (action === 'refuse' || audited)) return 'deny';
  if (audited) return 'audit';
  if (action === 'accept') return 'allowed by now';
  if (names?.guarded === true) return 'guard';
  return direction === 'out' && port === DNS_PORT ? 'dns' : 'default';
}

export class Denied {
  readonly #options: DeniedOptions;
  /** By entry: when it was first found, and with how many packets last; one whose count has fallen was forgotten in between. */
  #first = new Map<string, { readonly at: number; readonly packets: number }>();
  #reading: Promise<readonly DeniedFlow[]> | null = null;

  constructor(options: DeniedOptions) {
    this.#options = options;
  }

  /** Throws HostError where the kernel does not answer. Whoever asks meanwhile gets the same. */
  #read(): Promise<readonly DeniedFlow[]> {
    this.#reading ??= this.#list().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #list(): Promise<readonly DeniedFlow[]> {
    const kinds = [...new Set(this.#options.services().map(({ entry }) => entry.kind))];
    const listings = await Promise.all(kinds.flatMap(deniedSets).map((set) => this.#options.nft.listSet('set', set)));
    return listings.flatMap((listing) => (listing === null ? [] : readElements(listing).flatMap((element) => readDenied(element) ?? [])));
  }

  #noteFirst({ key, counter: { packets } }: DeniedFlow, last: number): void {
    const known = this.#first.get(key);
    this.#first.set(key, { at: known !== undefined && known.packets <= packets ? known.at : last, packets });
  }

  /** What one service did that no entry of its policy allows. Throws HostError where the kernel does not answer. */
  async observe(service: string): Promise<Observed> {
    const { services, passive, dnsOf } = this.#options;
    const state = services().find(({ entry }) => entry.service === service);
    if (state === undefined) return { flows: [], queries: [] };
    const ids = new Set(state.principals.ids);
    const flows = await this.#list();
    const index = nameIndex(state);
    return {
      flows: flows.flatMap((flow) => {
        const { kind, id, direction, address, protocol, port, counter } = flow;
        if (kind !== state.entry.kind || !ids.has(id)) return [];
        const { action, audited, rule } = judge(state, flow);
        // what is allowed by now needs no other entry
        if (action === 'accept' && !audited) return [];
        return [{ direction, address, protocol, port, packets: counter.packets, names: namesFor(service, address, index.get(formatAddress(address)), passive), denied: rule !== null }];
      }),
      queries: dnsOf(service)?.refusedNames ?? [],
    };
  }

  /**
   * Throws HostError where the kernel does not answer. A service may fill the record as it likes, so only what is shown is judged and named.
   */
  async report({ service: wanted, since, limit }: DeniedQuery): Promise<DeniedReport> {
    const { services, passive, dnsOf } = this.#options;
    const flows = await this.#read();
    const now = Date.now();
    const known = services();
    const states = new Map(known.flatMap((state) => state.confinement.ids.map((id) => [`${state.confinement.kind} ${id}`, state] as const)));
    const stateOf = ({ kind, id }: DeniedFlow) => states.get(`${kind} ${id}`) ?? null;
    const lastOf = ({ secondsAgo }: DeniedFlow) => now - secondsAgo * 1000;
    const present = new Set<string>();
    for (const flow of flows) {
      present.add(flow.key);
      this.#noteFirst(flow, lastOf(flow));
    }
    for (const key of this.#first.keys()) if (!present.has(key)) this.#first.delete(key);
    const found = flows
      .filter((flow) => (wanted === null || stateOf(flow)?.entry.service === wanted) && (since === null || lastOf(flow) >= since))
      .toSorted((a, b) => b.secondsAgo - a.secondsAgo);
    const shown = found.slice(-limit);
    const indexes = new Map<ServiceState, ReadonlyMap<string, Names>>();
    const denied = shown.map((flow): DeniedEntry => {
      const { kind, id, address, protocol, port, direction, counter } = flow;
      const state = stateOf(flow);
      const service = state?.entry.service ?? null;
      let index = state === null ? undefined : indexes.get(state);
      if (index === undefined && state !== null) indexes.set(state, (index = nameIndex(state)));
      const names = index?.get(formatAddress(address));
      const decided = judge(state, flow);
      const reason = reasonOf(decided, flow, names);
      const { rule } = decided;
      return {
        service,
        uid: kind === 'user' ? id : null,
        gid: kind === 'group' ? id : null,
        address: formatAddress(address),
        protocol,
        port,
        direction,
        ...counter,
        names: namesFor(service, address, names, passive),
        firstSeen: new Date(this.#first.get(flow.key)?.at ?? lastOf(flow)).toISOString(),
        lastSeen: new Date(lastOf(flow)).toISOString(),
        reason,
        rule: reason === 'deny' && rule !== null ? { file: rule.at.file, line: rule.at.line, column: rule.at.column } : null,
      };
    });
    const refusedNames = known.flatMap(({ entry: { service, linked } }) => {
      if (wanted !== null && service !== wanted) return [];
      return unlisted(linked, dnsOf(service)?.refusedNames ?? [])
        .filter(({ last }) => since === null || last >= since)
        .map(({ name, type, count, first, last }) => ({ service, name, type, count, firstSeen: new Date(first).toISOString(), lastSeen: new Date(last).toISOString() }));
    });
    return { denied, refusedNames, total: found.length };
  }
}

/** Names that were refused, without those that are listed by now. */
export function unlisted(linked: LinkedPolicy | null, names: readonly RefusedName[]): readonly RefusedName[] {
  if (linked === null) return names;
  const matcher = nameMatcher(linked);
  return names.filter(({ name }) => matcher.allowing(name).length === 0 || matcher.denying(name) !== null);
}

function namesFor(service: string | null, address: Address, names: Names | undefined, passive: PassiveDns): readonly string[] {
  return [...new Set([...(names?.listed ?? []), ...(service === null ? [] : passive.namesOf(service, address))])];
}

