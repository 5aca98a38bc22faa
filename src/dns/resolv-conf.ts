/** resolv.conf(5): the nameservers. Pure. */
import { formatAddress, parseAddress } from '../net/address.ts';
import type { NameServer } from '../config/endpoint.ts';

/** Name servers in their order; without any, the one on this host, as the resolver library does. Unusable lines are passed over. */
export function readResolvConf(text: string): readonly NameServer[] {
  const servers = text.split('\n').flatMap((line) => {
    // a router that is known by its link-local address is named with the interface
    const [, address, zone = ''] = /^nameserver[ \t]+([^\s%]+)(%[\w.:-]+)?/.exec(line) ?? [];
    const parsed = address === undefined ? null : parseAddress(address);
    return parsed?.ok && (zone === '' || parsed.value.family === 6) ? [{ transport: 'udp' as const, address: formatAddress(parsed.value) + zone, port: 53, serverName: null }] : [];
  });
  return servers.length > 0 ? servers : [{ transport: 'udp', address: '127.0.0.1', port: 53, serverName: null }];
}
