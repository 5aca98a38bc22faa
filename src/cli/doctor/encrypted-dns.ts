/** Whether a service whose DNS is filtered can reach a resolver that answers over HTTPS or TLS. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { type Address, addressInNetwork, parseAddress } from '../../net/address.ts';
import type { LinkedPolicy, Rule } from '../../policy/rule.ts';
import { nameMatcher } from '../../resolve/name-matcher.ts';
import { confine } from '../../ruleset/confinement.ts';
import { portsInClass } from '../../ruleset/protocol.ts';
import { verdict } from '../../ruleset/verdict.ts';
import { fine, finding, worst } from './finding.ts';
import { PUBLIC_RESOLVERS, RESOLVER_PORTS } from './public-resolvers.ts';
import type { Survey } from './survey.ts';

const PROTOCOLS = [
  ['tcp', 6],
  ['udp', 17],
] as const;

type Named = { readonly operator: string; readonly text: string; readonly address: Address };
const ADDRESSES: readonly Named[] = PUBLIC_RESOLVERS.flatMap(({ operator, addresses }) =>
  addresses.flatMap((text) => {
    const parsed = parseAddress(text);
    return parsed.ok ? [{ operator, text, address: parsed.value }] : [];
  }),
);

/** Wider than what one operator is given: it stands for "anywhere", where a resolver of one's own is reachable as well. */
const WIDE = { 4: 8, 6: 20 } as const;
const isWide = ({ target }: Rule) => target.kind === 'network' && target.network.prefix < WIDE[target.network.family];

type Reach = { readonly rule: Rule; readonly text: string };

const coversPort = (rule: Rule) =>
  PROTOCOLS.some(([protocol]) =>
    rule.ports.some((match) => {
      const ports = portsInClass(match, protocol);
      return ports !== null && RESOLVER_PORTS.some((port) => ports.first <= port && port <= ports.last);
    }),
  );

/** By address: asked of the verdict, so that what `deny` takes out is out. */
function byAddress(linked: LinkedPolicy): readonly Reach[] {
  const networks = linked.allow.filter(coversPort).flatMap(({ target }) => (target.kind === 'network' ? [target.network] : []));
  const candidates = ADDRESSES.filter(({ address }) => networks.some((network) => addressInNetwork(address, network)));
  if (candidates.length === 0) return [];
  const confinement = { ...confine(linked, { ids: [1], nameservers: [], addresses: new Map() }), mode: 'enforce' as const };
  const packet = { uid: 1, gid: 1, localPort: 40_000, direction: 'original' as const, syn: true };
  return candidates.flatMap(({ operator, text, address }) =>
    RESOLVER_PORTS.flatMap((remotePort) =>
      PROTOCOLS.flatMap(([, protocol]) => {
        const { action, rule } = verdict([confinement], { ...packet, remote: address, remotePort, protocol });
        return action === 'accept' && rule !== null ? [{ rule, text: `${text} (${operator})` }] : [];
      }),
    ),
  );
}

function byName(linked: LinkedPolicy): readonly Reach[] {
  const names = nameMatcher(linked);
  return PUBLIC_RESOLVERS.flatMap((resolver) =>
    resolver.names.flatMap((name) => (names.denying(name) === null ? names.allowing(name).filter(coversPort).map((rule) => ({ rule, text: `${name} (${resolver.operator})` })) : [])),
  );
}

export function checkEncryptedDns({ services }: Pick<Survey, 'services'>): readonly DoctorCheck[] {
  const id = 'encrypted-dns';
  const rows: { readonly line: string; readonly wide: boolean }[] = [];
  for (const { service, mode, dns, linked } of services) {
    if (linked === null || mode === 'block' || dns === 'system') continue;
    const rules = new Map<Rule, Set<string>>();
    for (const { rule, text } of [...byName(linked), ...byAddress(linked)]) rules.set(rule, (rules.get(rule) ?? new Set()).add(text));
    for (const [rule, found] of rules) {
      const [first = '', second] = found;
      const others = found.size > 2 ? ` and ${found.size - 2} more` : '';
      rows.push({ line: `${service}: ${rule.at.file}:${rule.at.line}: ${rule.text} lets it reach ${first}${second === undefined ? '' : `, ${second}`}${others}`, wide: isWide(rule) });
    }
  }
  if (rows.length === 0) return [fine(id, 'no service with filtered DNS reaches a public resolver over HTTPS or TLS')];
  const severity = worst(rows.map(({ wide }) => (wide ? 'info' : 'warning')));
  const shown = rows.toSorted((a, b) => Number(a.wide) - Number(b.wide)).map(({ line }) => line);
  return [
    severity === 'info'
      ? finding(id, 'info', 'networks so wide that DNS over HTTPS is among them', shown, 'A service that reaches any address can ask any resolver: filtered DNS does not confine its names.', 'list what it needs, or deny the resolvers: egress: deny: - to: [8.8.8.8, 1.1.1.1, …]')
      : finding(id, 'warning', 'public resolvers are reachable over HTTPS or TLS', shown, 'Through one of them a service asks for any name, unseen by netwalld, and can carry data out in names.', 'take them out of "allow", or: egress: deny: - to: [8.8.8.8, dns.google, …]'),
  ];
}
