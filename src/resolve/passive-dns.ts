/** What DNS said to each service, the other way round: which names led to an address, and over which aliases. In memory, the latest only. */
import { type Address, formatAddress } from '../net/address.ts';
import { RecentMap } from './recent-map.ts';

const MOST = { addresses: 20_000, chains: 5000, names: 16 };

export class PassiveDns {
  readonly #names = new RecentMap<Set<string>>(MOST.addresses);
  readonly #chains = new RecentMap<readonly string[]>(MOST.chains);

  /** An answer to a service's own query. */
  note(service: string, host: string, addresses: readonly Address[]): void {
    for (const address of addresses) {
      const key = `${service} ${formatAddress(address)}`;
      const names = this.#names.get(key);
      if (names === undefined) this.#names.set(key, new Set([host]));
      else if (names.size < MOST.names) names.add(host);
    }
  }

  /** `chain`: what the name is an alias of, in order; empty: of nothing. */
  noteChain(host: string, chain: readonly string[]): void {
    if (chain.length > 0) this.#chains.set(host, chain);
    else this.#chains.delete(host);
  }

  namesOf(service: string, address: Address): readonly string[] {
    return [...(this.#names.get(`${service} ${formatAddress(address)}`) ?? [])];
  }

  chainOf(host: string): readonly string[] {
    return this.#chains.get(host) ?? [];
  }
}
