/** The system's nameservers. */
import { readFileSync } from 'node:fs';
import { readResolvConf } from '../dns/resolv-conf.ts';
import { type Address, parseAddress } from '../net/address.ts';

export const RESOLV_CONF = '/etc/resolv.conf';

/** As resolv.conf names them now. */
export function systemNameservers(): readonly Address[] {
  let text = '';
  try {
    text = readFileSync(RESOLV_CONF, 'utf8');
  } catch {
    // without one, programs ask this host
  }
  return readResolvConf(text).flatMap(({ address }) => {
    const parsed = parseAddress(address);
    return parsed.ok ? [parsed.value] : [];
  });
}
