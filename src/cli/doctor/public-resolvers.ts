/**
 * Resolvers that answer anybody over HTTPS, TLS or QUIC: whoever reaches one asks for any name, unseen. Names and addresses are
 * those that each operator publishes for its service.
 */

export type PublicResolver = {
  readonly operator: string;
  /** Where the operator publishes them. */
  readonly source: string;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
};

/** DoH (RFC 8484) and DoH3; DoT (RFC 7858) and DoQ (RFC 9250). */
export const RESOLVER_PORTS: readonly number[] = [443, 853];

export const PUBLIC_RESOLVERS: readonly PublicResolver[] = [
  {
    operator: 'Google',
    source: 'https://developers.google.com/speed/public-dns',
    names: ['dns.google', 'dns64.dns.google', 'dns.google.com'],
    addresses: ['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'],
  },
  {
    operator: 'Cloudflare',
    source: 'https://developers.cloudflare.com/1.1.1.1',
    names: ['cloudflare-dns.com', '1dot1dot1dot1.cloudflare-dns.com', 'security.cloudflare-dns.com', 'family.cloudflare-dns.com', 'mozilla.cloudflare-dns.com', 'one.one.one.one', 'dns.cloudflare.com'],
    addresses: ['1.1.1.1', '1.0.0.1', '1.1.1.2', '1.0.0.2', '1.1.1.3', '1.0.0.3', '2606:4700:4700::1111', '2606:4700:4700::1001', '2606:4700:4700::1112', '2606:4700:4700::1002', '2606:4700:4700::1113', '2606:4700:4700::1003'],
  },
  {
    operator: 'Quad9',
    source: 'https://quad9.net/service/service-addresses-and-features',
    names: ['dns.quad9.net', 'dns9.quad9.net', 'dns10.quad9.net', 'dns11.quad9.net'],
    addresses: ['9.9.9.9', '149.112.112.112', '9.9.9.10', '149.112.112.10', '9.9.9.11', '149.112.112.11', '2620:fe::fe', '2620:fe::9', '2620:fe::10', '2620:fe::fe:10', '2620:fe::11', '2620:fe::fe:11'],
  },
  {
    operator: 'OpenDNS',
    source: 'https://support.opendns.com/hc/en-us/articles/360038086532',
    names: ['doh.opendns.com', 'doh.familyshield.opendns.com', 'dns.opendns.com', 'doh.umbrella.com', 'dns.umbrella.com'],
    addresses: ['208.67.222.222', '208.67.220.220', '2620:119:35::35', '2620:119:53::53'],
  },
  {
    operator: 'AdGuard',
    source: 'https://adguard-dns.io/en/public-dns.html',
    names: ['dns.adguard-dns.com', 'unfiltered.adguard-dns.com', 'family.adguard-dns.com', 'dns.adguard.com'],
    addresses: ['94.140.14.14', '94.140.15.15', '94.140.14.140', '94.140.14.141', '2a10:50c0::ad1:ff', '2a10:50c0::ad2:ff'],
  },
  { operator: 'NextDNS', source: 'https://nextdns.io', names: ['dns.nextdns.io', 'anycast.dns.nextdns.io'], addresses: ['45.90.28.0', '45.90.30.0'] },
  { operator: 'Mullvad', source: 'https://mullvad.net/help/dns-over-https-and-dns-over-tls', names: ['dns.mullvad.net', 'base.dns.mullvad.net'], addresses: ['194.242.2.2', '2a07:e340::2'] },
  { operator: 'Control D', source: 'https://controld.com/free-dns', names: ['freedns.controld.com', 'dns.controld.com'], addresses: ['76.76.2.0', '76.76.10.0'] },
  { operator: 'CleanBrowsing', source: 'https://cleanbrowsing.org/filters', names: ['doh.cleanbrowsing.org'], addresses: ['185.228.168.9', '185.228.169.9'] },
  { operator: 'DNS.SB', source: 'https://dns.sb', names: ['doh.dns.sb', 'dot.sb'], addresses: ['185.222.222.222', '45.11.45.11'] },
  { operator: 'AliDNS', source: 'https://www.alidns.com', names: ['dns.alidns.com'], addresses: ['223.5.5.5', '223.6.6.6', '2400:3200::1', '2400:3200:baba::1'] },
  { operator: 'DNSPod', source: 'https://www.dnspod.cn/products/publicdns', names: ['doh.pub', 'dot.pub'], addresses: ['1.12.12.12', '120.53.53.53'] },
];
