/** The made-up internet: servers on every address, a DNS server, clients that call the host, and a count of what arrived. */
import { type Agent, startAgent } from './agent-client.ts';
import type { Query, Zone } from './dns-server.ts';
import type { Namespaces } from './namespace.ts';
import { accountOf, closedPort, link, nameservers, sparePorts, spareServers } from './plan.ts';
import { run } from './run.ts';
import { type Protocol, type Sockets, socketsOf } from './sockets.ts';

export type Internet = {
  /** Programs on the internet, for connections to the host. `from` may be any of the world's addresses. */
  readonly client: Sockets;
  /** Replaces what DNS knows. */
  readonly zone: (zone: Zone) => Promise<void>;
  /** The DNS queries since the last call. */
  readonly queries: () => Promise<Query[]>;
  /** How many packets to `address` (and port) have come out of the host since the world was made. */
  readonly arrived: (protocol: Protocol, address: string, port?: number) => Promise<number>;
  /** From now on what is sent to `address` is lost. */
  readonly blackhole: (address: string) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** More than one listener for the reason given in echo-servers.ts. */
const echoPorts = { first: 7000, last: 7007 };

/** Without /etc/protocols (a minimal Debian) nft cannot name protocols in its listings. */
const protocolNumbers = { tcp: 6, udp: 17 } as const;

const servers = Object.values(nameservers);
const v4 = [...servers.filter((address) => !address.includes(':')), ...Object.values(spareServers)].join(', ');
const v6 = servers.filter((address) => address.includes(':')).join(', ');

/**
 * Counting comes first and sees what was really sent. TCP keeps its address, so that servers answer from it; UDP goes to the
 * link's address, where the answer's source is certain, and is translated back on its way out.
 */
const ruleset = `table inet internet {
  set arrived4 { type ipv4_addr . inet_proto . inet_service; flags dynamic; size 65536; counter; }
  set arrived6 { type ipv6_addr . inet_proto . inet_service; flags dynamic; size 65536; counter; }
  set pinged4 { type ipv4_addr; flags dynamic; size 65536; counter; }
  set pinged6 { type ipv6_addr; flags dynamic; size 65536; counter; }
  set blackholes4 { type ipv4_addr; }
  set blackholes6 { type ipv6_addr; }
  chain count {
    type filter hook prerouting priority -300; policy accept
    iifname != "up0" accept
    meta l4proto { tcp, udp } update @arrived4 { ip daddr . meta l4proto . th dport }
    meta l4proto { tcp, udp } update @arrived6 { ip6 daddr . meta l4proto . th dport }
    icmp type echo-request update @pinged4 { ip daddr }
    icmpv6 type echo-request update @pinged6 { ip6 daddr }
    ip daddr @blackholes4 drop
    ip6 daddr @blackholes6 drop
  }
  chain serve {
    type nat hook prerouting priority -100; policy accept
    iifname != "up0" accept
    th dport 53 ip daddr { ${v4} } accept
    th dport 53 ip6 daddr { ${v6} } accept
    tcp dport { ${closedPort}, ${sparePorts.first}-${sparePorts.last} } accept
    meta l4proto tcp dnat to :${echoPorts.first}-${echoPorts.last}
    meta l4proto udp dnat ip to ${link.internet.v4}:${echoPorts.first}-${echoPorts.last}
    meta l4proto udp dnat ip6 to [${link.internet.v6}]:${echoPorts.first}-${echoPorts.last}
  }
}`;

export const createInternet = async (namespaces: Namespaces): Promise<Internet> => {
  const nft = [...namespaces.enterInternet(), '/usr/sbin/nft'];
  await run([...nft, '-f', '-'], { input: ruleset });
  const agent: Agent = startAgent(namespaces.enterInternet(), accountOf('root'), false);
  await agent.ask('serveEcho', { firstPort: echoPorts.first, lastPort: echoPorts.last, udp: [link.internet.v4, link.internet.v6] });
  await agent.ask('serveDns', { addresses: servers, port: 53 });
  return {
    client: socketsOf(() => agent),
    zone: (zone) => agent.ask('setZone', zone),
    queries: () => agent.ask('takeQueries', undefined),
    arrived: async (protocol, address, port) => {
      const family = address.includes(':') ? 6 : 4;
      const set = protocol === 'icmp' ? `pinged${family}` : `arrived${family}`;
      const listing = await run([...nft, '-j', '--numeric-protocol', 'list', 'set', 'inet', 'internet', set]);
      return countPackets(listing, [address, ...(protocol === 'icmp' ? [] : [protocolNumbers[protocol], ...(port === undefined ? [] : [port])])]);
    },
    blackhole: async (address) => {
      await run([...nft, 'add', 'element', 'inet', 'internet', address.includes(':') ? 'blackholes6' : 'blackholes4', `{ ${address} }`]);
    },
    stop: agent.stop,
  };
};

type Element = { readonly elem: { readonly val: string | { readonly concat: readonly (string | number)[] }; readonly counter?: { readonly packets: number } } };
type Listing = { readonly nftables: readonly { readonly set?: { readonly elem?: readonly Element[] } }[] };

const countPackets = (listing: string, key: readonly (string | number)[]): number => {
  const { nftables }: Listing = JSON.parse(listing);
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .filter(({ elem: { val } }) => key.every((part, index) => String(part) === String(typeof val === 'string' ? [val][index] : val.concat[index])))
    .reduce((total, { elem }) => total + (elem.counter?.packets ?? 0), 0);
};
