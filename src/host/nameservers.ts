/** The system's nameservers. */
import { readFileSync } from 'node:fs';
import type { NameServer } from '../config/endpoint.ts';
import { readResolvConf } from '../dns/resolv-conf.ts';
import { type Address, parseAddress } from '../net/address.ts';

const RESOLV_CONF = '/etc/resolv.conf';

const addressesOf = (servers: readonly NameServer[]): readonly Address[] =>
  servers.flatMap(({ address }) => {
    const parsed = parseAddress(address.split('%', 1)[0] ?? '');
    return parsed.ok ? [parsed.value] : [];
  });

/** The system's nameservers, read anew when resolv.conf changes. */
export class Nameservers {
  #servers: readonly NameServer[] = [];
  #addresses: readonly Address[] = [];
  #text: string | null = null;

  /** Returns whether anything changed. Without a readable file, what was known stays. */
  read(): boolean {
    let text = '';
    try {
      text = readFileSync(RESOLV_CONF, 'utf8');
    } catch {
      if (this.#text !== null) return false;
    }
    if (text === this.#text) return false;
    this.#text = text;
    this.#servers = readResolvConf(text);
    this.#addresses = addressesOf(this.#servers);
    return true;
  }

  get servers(): readonly NameServer[] {
    return this.#servers;
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }
}

/** As resolv.conf names them now; without one, programs ask this host. */
export function systemNameservers(): readonly Address[] {
  const nameservers = new Nameservers();
  nameservers.read();
  return nameservers.addresses;
}
