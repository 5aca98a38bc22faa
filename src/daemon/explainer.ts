/** `netwallctl explain`: the verdict of the policies, with what the address book and the kernel know beside it. */
import type { ExplainReport } from '../control/api.ts';
import { type Explained, explain, type Question } from '../control/explain.ts';
import type { Owner } from '../host/accounts.ts';
import { HostError } from '../host/host-error.ts';
import type { Nft } from '../host/nft.ts';
import { type Address, formatAddress, sameAddress } from '../net/address.ts';
import type { BookEntry } from '../resolve/address-book.ts';
import type { PassiveDns } from '../resolve/passive-dns.ts';
import type { Counter } from '../ruleset/element.ts';
import { elementMet } from '../ruleset/element-match.ts';
import { protocolName } from '../ruleset/protocol.ts';
import type { Packet } from '../ruleset/verdict.ts';
import type { ServiceState } from './desired.ts';

export type ExplainerOptions = {
  readonly services: () => readonly ServiceState[];
  readonly entry: (domain: string) => BookEntry;
  readonly passive: PassiveDns;
  readonly ownerOf: (who: string) => Promise<Owner | null>;
  readonly nft: Pick<Nft, 'countElement'>;
};

export type Explanation = { readonly ok: true; readonly report: ExplainReport } | { readonly ok: false; readonly error: string };

/** Where a refused packet is recorded. */
function recordOf(kind: string, id: number, { remote, protocol, remotePort, localPort, direction }: Packet): readonly [set: string, key: string] {
  const key = `${id} . ${formatAddress(remote)} . ${protocolName(protocol)}`;
  if (protocol !== 6 && protocol !== 17) return [`${kind}_denied_proto${remote.family}`, key];
  return direction === 'reply' ? [`${kind}_denied_ingress${remote.family}`, `${key} . ${localPort}`] : [`${kind}_denied${remote.family}`, `${key} . ${remotePort}`];
}

/** Each question may start processes, and who may only read may ask. */
const MOST_QUESTIONS = 32;

export class Explainer {
  readonly #options: ExplainerOptions;
  #underWay = 0;

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  /** Throws HostError when too many ask at once. */
  async explain(question: Omit<Question, 'offline'>): Promise<Explanation> {
    if (this.#underWay >= MOST_QUESTIONS) throw new HostError('explain', `${MOST_QUESTIONS} questions are under way already: try again`);
    this.#underWay += 1;
    return this.#answer(question).finally(() => (this.#underWay -= 1));
  }

  async #answer(question: Omit<Question, 'offline'>): Promise<Explanation> {
    const { services, entry, ownerOf } = this.#options;
    const confinements = services().map(({ confinement }) => confinement);
    const named = confinements.some(({ service }) => service === question.who);
    const answer = explain({ ...question, offline: false }, confinements, (domain) => entry(domain).current, named ? null : await ownerOf(question.who));
    if (!answer.ok) return answer;
    return { ok: true, report: { ...answer.report, name: this.#name(answer), counters: await this.#counters(answer) } };
  }

  #name({ name: asked, confinement, packet }: Explained): ExplainReport['name'] {
    const leadsThere = (address: Address) => packet !== null && sameAddress(address, packet.remote);
    const name = asked ?? [...(confinement?.addresses ?? [])].find(([, addresses]) => addresses.some(leadsThere))?.[0];
    if (name === undefined) return null;
    const { addresses } = this.#options.entry(name);
    const times = [...addresses.values()].map(({ lastSeen }) => lastSeen);
    const known = addresses.size > 0 ? [...addresses.keys()] : (confinement?.addresses.get(name) ?? []).map(formatAddress);
    const ageSeconds = times.length === 0 ? null : Math.max(0, Math.round((performance.now() - Math.max(...times)) / 1000));
    return { name, addresses: known, ageSeconds, aliasOf: this.#options.passive.chainOf(name) };
  }

  async #counters({ confinement, packet, report }: Explained): Promise<Counter | null> {
    if (confinement === null || packet === null) return null;
    const { kind, ids } = confinement;
    const wanted = kind === 'user' ? packet.uid : packet.gid;
    const id = ids.find((one) => one === wanted);
    if (id === undefined) return null;
    const elements = this.#options.services().flatMap(({ rulesets }) => rulesets).find(({ principal }) => principal === `${kind} ${id}`)?.elements ?? [];
    const inbound = packet.direction === 'reply';
    const met = elementMet(elements, { remote: packet.remote, protocol: packet.protocol, port: inbound ? packet.localPort : packet.remotePort, inbound });
    // what passes by no element of its own is counted by none, and not where refused packets are
    if (report.verdict === 'allow' && met === null) return null;
    const [set, key] = report.verdict === 'allow' && met !== null ? [met.set, met.key] : recordOf(kind, id, packet);
    try {
      return await this.#options.nft.countElement(set, key);
    } catch (error) {
      if (error instanceof HostError) return null;
      throw error;
    }
  }
}
