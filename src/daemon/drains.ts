/**
 * Flows to an address that left DNS: their keys move to the drain sets, where the packet path keeps them while they are in use.
 * What moves there is only what a policy still allows by name; once a policy no longer does, its flows are cut.
 */
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { guard } from '../resolve/guard.ts';
import { allowedNetworks } from '../ruleset/admitted.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import { principalOf } from '../ruleset/compile.ts';
import { type ElementChanges } from '../ruleset/diff.ts';
import { type Element, elementComment, elementId } from '../ruleset/element.ts';
import { portsInClass, type ProtocolClass } from '../ruleset/protocol.ts';
import { denyingRule } from '../ruleset/verdict.ts';
import type { LiveSocket } from '../host/sockets.ts';
import type { ServiceState } from './desired.ts';

/** Seconds; the packet path renews it with the same figure (skeleton.ts). */
const DRAIN_SECONDS = 300;

/**
 * The kernel's sets take 65,536 elements of everybody together (skeleton.ts); with one more nft refuses the whole transaction. Whoever runs the zone of a
 * listed name decides how many addresses leave: past so many of one principal only those move that a socket is connected to.
 */
const MANY_OF_ONE = 1024;
const MOST_OF_ALL = 60_000;

type DrainKey = { readonly address: string; readonly protocol: ProtocolClass; readonly port: number };

function readKey(key: string): DrainKey | null {
  const [, address, protocol, port] = key.split(' . ');
  if (address === undefined || (protocol !== 'tcp' && protocol !== 'udp') || port === undefined) return null;
  return { address, protocol, port: Number(port) };
}

function drainElement({ set, key, comment }: Element): Element {
  const [side, what = ''] = set.split('_');
  return { set: `${side}_drain${what.at(-1)}`, key, mode: null, timeout: DRAIN_SECONDS, comment };
}

/** A departing element with a range of ports or none: one exact key for each live flow that it covers. */
function liveKeys(element: Element, sockets: () => readonly LiveSocket[]): Element[] {
  const [id, address, protocol, ports] = element.key.split(' . ');
  const [first, last = first] = (ports ?? '0-65535').split('-');
  return sockets()
    .filter((socket) => socket.address === address && (protocol === '0-255' || socket.protocol === protocol))
    .filter(({ port }) => Number(first) <= port && port <= Number(last))
    .map((socket) => ({ ...element, set: element.set.replace(/_(net|proto)/, ''), key: `${id} . ${socket.address} . ${socket.protocol} . ${socket.port}` }));
}

/** True while some domain the policy allows still gives a drained key its reason. */
function stillAllowed(confinement: Confinement, drain: Element): boolean {
  const key = readKey(drain.key);
  const remote = key === null ? null : parseAddress(key.address);
  if (key === null || remote === null || !remote.ok || confinement.mode === 'block') return false;
  const protocol = key.protocol === 'tcp' ? 6 : 17;
  const packet = { uid: null, gid: null, remote: remote.value, protocol, remotePort: key.port, localPort: 0, direction: 'original', syn: false } as const;
  if (denyingRule(confinement, packet) !== null) return false;
  const networks = allowedNetworks(confinement);
  return confinement.allow.some(
    (rule) =>
      rule.target.kind === 'domain' &&
      // packets renew what drains, and what is only for a while must end
      rule.term === undefined &&
      elementComment(rule.text) === drain.comment &&
      // the policy may list the name and no longer mean such addresses
      guard(remote.value, { private: rule.private, networks }).admitted &&
      rule.ports.some((match) => {
        const ports = portsInClass(match, key.protocol);
        return ports !== null && ports.first <= key.port && key.port <= ports.last;
      }),
  );
}

export class Drains {
  /** By principal. The kernel may have forgotten some of them already. */
  #draining = new Map<string, Map<string, Element>>();
  #lost = false;

  /** Takes over what the kernel's drain sets hold, e.g. from an earlier run of the daemon. */
  observe(elements: readonly Element[]): void {
    this.#draining = new Map();
    for (const element of elements) this.#remember(principalOf(element), element);
  }

  /** The table is built anew: what drains is to be in it again. */
  lose(): void {
    this.#lost = true;
  }

  /** Whether a user's flow lives on in a drain set. */
  has(uid: number, address: Address, port: number): boolean {
    return this.#draining.get(`user ${uid}`)?.has(elementId({ set: `user_drain${address.family}`, key: `${uid} . ${formatAddress(address)} . tcp . ${port}` })) ?? false;
  }

  #remember(principal: string, element: Element): void {
    const known = this.#draining.get(principal);
    if (known === undefined) this.#draining.set(principal, new Map([[elementId(element), element]]));
    else known.set(elementId(element), element);
  }

  /**
   * What to change in the drain sets when services go from one state to the next, by principal; `before` and `after` need not hold those
   * that stay as they are, `all` is everything that is governed from now on. `listSockets` is asked once, and only when a key without an exact port leaves, or very many do.
   */
  changes(before: readonly ServiceState[], after: readonly ServiceState[], listSockets: () => readonly LiveSocket[], all: readonly ServiceState[] = after): ReadonlyMap<string, ElementChanges> {
    let listed: readonly LiveSocket[] | null = null;
    const sockets = () => (listed ??= listSockets());
    const changes = new Map<string, ElementChanges>();
    const old = new Map(before.flatMap(({ rulesets }) => rulesets).map((ruleset) => [ruleset.principal, ruleset]));
    for (const { confinement, rulesets } of after) {
      for (const ruleset of rulesets) {
        if (old.get(ruleset.principal) === ruleset) continue;
        const kept = new Set(ruleset.elements.map(elementId));
        const left = (old.get(ruleset.principal)?.elements ?? []).filter((element) => element.timeout !== null && !kept.has(elementId(element)));
        const exact = left.flatMap((element) => (/_(net|proto)/.test(element.set) ? liveKeys(element, sockets) : [element]));
        const added = this.#bounded(ruleset.principal, exact.map(drainElement).filter((drain) => stillAllowed(confinement, drain)), sockets);
        const removed = this.#expel(ruleset.principal, confinement);
        for (const drain of added) this.#remember(ruleset.principal, drain);
        if (added.length + removed.length > 0) changes.set(ruleset.principal, { added, removed });
      }
    }
    if (this.#draining.size === 0) return changes;
    if (this.#lost) this.#bringBack(all, changes);
    this.#lost = false;
    const governed = new Set(all.flatMap(({ rulesets }) => rulesets.map(({ principal }) => principal)));
    for (const [principal, drains] of this.#draining) {
      if (governed.has(principal)) continue;
      changes.set(principal, { added: [], removed: [...drains.values()] });
      this.#draining.delete(principal);
    }
    return changes;
  }

  #bringBack(all: readonly ServiceState[], changes: Map<string, ElementChanges>): void {
    for (const { confinement, rulesets } of all) {
      for (const { principal } of rulesets) {
        const drains = [...(this.#draining.get(principal)?.values() ?? [])].filter((drain) => stillAllowed(confinement, drain));
        if (drains.length > 0) changes.set(principal, { added: drains.map((drain) => ({ ...drain, timeout: DRAIN_SECONDS })), removed: [] });
      }
    }
  }

  /** Those that there is room for. What the kernel has forgotten meanwhile counts until it is looked at. */
  #bounded(principal: string, drains: readonly Element[], sockets: () => readonly LiveSocket[]): readonly Element[] {
    if (drains.length === 0) return drains;
    const [kind = ''] = principal.split(' ');
    const own = this.#draining.get(principal)?.size ?? 0;
    const all = [...this.#draining].reduce((sum, [other, { size }]) => sum + (other.startsWith(kind) ? size : 0), 0);
    if (own + drains.length <= MANY_OF_ONE && all + drains.length <= MOST_OF_ALL) return drains;
    const live = new Set(sockets().map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`));
    return drains.filter(({ key }) => live.has(key.slice(key.indexOf(' . ') + 3))).slice(0, Math.max(0, MOST_OF_ALL - all));
  }

  #expel(principal: string, confinement: Confinement): Element[] {
    const drains = this.#draining.get(principal);
    const expelled = [...(drains?.values() ?? [])].filter((drain) => !stillAllowed(confinement, drain));
    for (const drain of expelled) drains?.delete(elementId(drain));
    return expelled;
  }
}
