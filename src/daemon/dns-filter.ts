/**
 * Answers the DNS queries of services with `dns: filtered`. A listed name is forwarded, and its addresses are in the kernel before
 * the answer is released; whatever else is asked for is refused at once and never leaves the host.
 */
import { type Analysis, analyse } from '../dns/answer.ts';
import { AnswerCache, type CachedAnswer } from '../dns/answer-cache.ts';
import { codeAnswer, type ExtendedError, fill, fittedAnswer, unreadableAnswer } from '../dns/render.ts';
import { ownCopy } from '../dns/own-copy.ts';
import { parseRequest, payloadOf, type Request } from '../dns/request.ts';
import { EDE, FLAG, RCODE, typeName } from '../dns/types.ts';
import type { Forwarder } from '../host/forward.ts';
import { HostError } from '../host/host-error.ts';
import type { Address } from '../net/address.ts';
import type { LinkedPolicy, Rule } from '../policy/rule.ts';
import type { BookLimits } from '../resolve/address-book.ts';
import { type NameMatcher, nameMatcher } from '../resolve/name-matcher.ts';
import type { PassiveDns } from '../resolve/passive-dns.ts';
import type { Sightings } from '../resolve/sightings.ts';
import { compileAddresses } from '../ruleset/compile.ts';
import type { Confinement } from '../ruleset/confinement.ts';
import type { Element } from '../ruleset/element.ts';
import type { ServiceState } from './desired.ts';
import { DnsStatistics } from './dns-statistics.ts';
import { type View, viewOf } from './dns-view.ts';

export type DnsFilterOptions = {
  readonly forwarder: Forwarder;
  /** Opens addresses; false: it takes a run of the reconciler. Throws HostError. */
  readonly grant: (wanted: ReadonlyMap<string, readonly Element[]>) => Promise<boolean>;
  /** Goes up whenever anything may have left the kernel. */
  readonly epoch: () => number;
  /** Resolves when a run of the reconciler has ended, to whether it enforced. `doubt`: it looks at the kernel, too. */
  readonly catchUp: (doubt: boolean) => Promise<boolean>;
  /** An answer gave addresses for a name that is listed by itself. TTL in seconds. */
  readonly learn: (domain: string, addresses: readonly Address[], ttl: number) => void;
  readonly sightings: Sightings;
  readonly passive: PassiveDns;
  /** Addresses became known that are not in the rulesets yet. */
  readonly onSeen: () => void;
  readonly limits: BookLimits;
  /** What a name that is not listed is answered with. */
  readonly refusal: 'refused' | 'nxdomain';
  /** Seconds that the kernel keeps an address by itself. */
  readonly addressTimeout: number;
};

/** Queries of one service that may wait for an answer from upstream, so that it cannot take the place of the others. */
const MOST_UNDER_WAY = 256;
/** Questions to upstream per second and service, and as many at once after a pause. */
const MOST_PER_SECOND = 30_000;

/** Stands for a confinement, which is not kept for the sake of an answer that was given under it: it has all addresses of the service. */
type Revision = symbol;

/** What was worked out for one answer and one service under its present policy. */
type Prepared = {
  readonly linked: LinkedPolicy;
  readonly view: View | null;
  /** Under which confinement, and since when unchallenged, the addresses are known to be in the kernel, or on their way. */
  opened: { readonly revision: Revision; readonly epoch: number; readonly done: boolean; readonly open: Promise<boolean> } | null;
};

/** `fresh`: read already, for whoever is the first to get it; not kept. */
type Answer = CachedAnswer & { readonly ttl: number; readonly prepared: Map<string, Prepared>; fresh: Analysis | null };

type Served = {
  readonly service: string;
  confinement: Confinement;
  revision: Revision;
  linked: LinkedPolicy;
  matcher: NameMatcher;
  readonly statistics: DnsStatistics;
  underWay: number;
  tokens: number;
  refilled: number;
};

/** What asking upstream came to: an answer, one without any (SERVFAIL for example), or none. */
type Asked =
  | { readonly kind: 'answer'; readonly cached: Answer }
  | { readonly kind: 'code'; readonly rcode: number; readonly reason: string }
  | { readonly kind: 'failure'; readonly reason: string };

type Reply = Buffer | null | Promise<Buffer | null>;

const failure = (text: string): ExtendedError => ({ code: EDE.NETWORK_ERROR, text });

function analysisOf(bytes: Uint8Array): Analysis | null {
  const analysed = analyse(bytes);
  return analysed.ok ? analysed.analysis : null;
}

/** For a service that no policy is in force of. */
const unruled = (request: Request): Buffer => codeAnswer(request, RCODE.REFUSED, { code: EDE.NOT_READY, text: 'no policy in force' });

export class DnsFilter {
  readonly #options: DnsFilterOptions;
  readonly #services = new Map<string, Served>();
  readonly #cache = new AnswerCache<Answer>();
  /** By question: answers that are on their way. */
  readonly #asked = new Map<string, Promise<Asked>>();
  #forgotten = 0;

  constructor(options: DnsFilterOptions) {
    this.#options = options;
  }

  /** Takes over what is in force. */
  serve(services: readonly ServiceState[]): void {
    const present = new Set<string>();
    for (const { entry, confinement } of services) {
      if (entry.linked === null || confinement.dns.port === null) continue;
      present.add(entry.service);
      const known = this.#services.get(entry.service);
      const matcher = nameMatcher(entry.linked);
      if (known === undefined) {
        const { service } = entry;
        this.#services.set(service, { service, confinement, revision: Symbol('revision'), linked: entry.linked, matcher, statistics: new DnsStatistics(), underWay: 0, tokens: MOST_PER_SECOND, refilled: 0 });
      } else Object.assign(known, { confinement, revision: known.confinement === confinement ? known.revision : Symbol('revision'), linked: entry.linked, matcher });
    }
    for (const service of this.#services.keys()) if (!present.has(service)) this.#services.delete(service);
    this.#options.sightings.retain((service, name) => {
      const served = this.#services.get(service);
      return served !== undefined && served.matcher.allowing(name).length > 0;
    });
  }

  statisticsOf(service: string): DnsStatistics | null {
    return this.#services.get(service)?.statistics ?? null;
  }

  /** Forgets what upstream said, e.g. because other servers are asked from now on. */
  forget(): void {
    this.#cache.clear();
    // what is on its way is still those servers', and is nobody's after who asked
    this.#asked.clear();
    this.#forgotten += 1;
  }

  /** The answer to a query that came to a service's listener; null: none. `datagram`: it must fit the client's buffer. */
  answer(service: string, bytes: Uint8Array, datagram: boolean): Reply {
    const parsed = parseRequest(bytes);
    if (parsed.kind === 'drop') return null;
    const served = this.#services.get(service);
    if (served !== undefined) served.statistics.counts.queries += 1;
    if (parsed.kind === 'refuse') {
      if (served !== undefined) served.statistics.counts.refused += 1;
      return parsed.request === null ? unreadableAnswer(parsed.id, parsed.flags, parsed.rcode) : codeAnswer(parsed.request, parsed.rcode);
    }
    const { request } = parsed;
    // between the start of the listener and the first ruleset, or after the policy went
    if (served === undefined) return unruled(request);
    const reply = this.#resolve(served, request);
    if (!datagram) return reply;
    const room = payloadOf(request);
    const fit = (full: Buffer | null) => (full !== null && full.length > room ? fittedAnswer(request, full, room) : full);
    return reply instanceof Promise ? reply.then(fit) : fit(reply);
  }

  #resolve(served: Served, request: Request): Reply {
    const { host } = request;
    const audit = served.confinement.mode === 'audit';
    const listed = host !== null && served.matcher.allowing(host).length > 0 && served.matcher.denying(host) === null;
    if (host === null || (!listed && !audit)) return this.#refuse(served, request);
    if (!listed) served.statistics.refuse(host, typeName(request.type), Date.now());
    const key = `${request.type} ${request.edns?.dnssecOk === true ? 'DO ' : ''}${host}`;
    const now = performance.now();
    const cached = this.#cache.get(key, now);
    if (cached !== null) return this.#release(served, request, host, cached, true);
    return this.#fetch(served, request, host, key, now);
  }

  #refuse(served: Served, request: Request): Buffer {
    served.statistics.refuse(request.host ?? '(no host name)', typeName(request.type), Date.now());
    const rcode = this.#options.refusal === 'nxdomain' ? RCODE.NXDOMAIN : RCODE.REFUSED;
    return codeAnswer(request, rcode, { code: EDE.BLOCKED, text: `not listed in policy ${served.service}` });
  }

  #limited(served: Served, now: number): boolean {
    served.tokens = Math.min(MOST_PER_SECOND, served.tokens + ((now - served.refilled) / 1000) * MOST_PER_SECOND);
    served.refilled = now;
    if (served.tokens < 1) return true;
    served.tokens -= 1;
    return false;
  }

  async #fetch(served: Served, request: Request, host: string, key: string, now: number): Promise<Buffer | null> {
    let asked = this.#asked.get(key);
    if (served.underWay >= MOST_UNDER_WAY || (asked === undefined && this.#limited(served, now))) {
      served.statistics.counts.limited += 1;
      return codeAnswer(request, RCODE.SERVFAIL, { code: EDE.OTHER, text: 'too many queries are under way' });
    }
    if (asked === undefined) {
      asked = this.#ask(request, host, key);
      this.#asked.set(key, asked);
    }
    served.underWay += 1;
    try {
      const answer = await asked;
      // its policy went meanwhile; another one of that name did not ask
      if (this.#services.get(served.service) !== served) return unruled(request);
      // also while it waits for the kernel
      return answer.kind === 'answer' ? await this.#release(served, request, host, answer.cached, false) : this.#failed(served, request, host, answer);
    } finally {
      served.underWay -= 1;
    }
  }

  #failed(served: Served, request: Request, host: string, answer: Exclude<Asked, { kind: 'answer' }>): Buffer {
    served.statistics.fail(`${host}: ${answer.reason}`);
    return codeAnswer(request, answer.kind === 'code' ? answer.rcode : RCODE.SERVFAIL, failure(answer.reason));
  }

  /** Asks upstream, once for everybody who waits. */
  async #ask(request: Request, host: string, key: string): Promise<Asked> {
    const forgotten = this.#forgotten;
    try {
      const outcome = await this.#options.forwarder.ask({ name: host, type: request.type, dnssecOk: request.edns?.dnssecOk === true });
      if (outcome.kind === 'failure') {
        const { bytes, reason } = outcome;
        return bytes === null ? { kind: 'failure', reason } : { kind: 'code', rcode: bytes.readUInt16BE(2) & FLAG.RCODE, reason };
      }
      // Node receives into 64 KB, and what is kept of it would tear holes into the heap
      const bytes = ownCopy(outcome.bytes);
      const analysed = analyse(bytes);
      if (!analysed.ok) return { kind: 'failure', reason: `unusable answer: ${analysed.fault}` };
      const ttl = Math.min(analysed.analysis.ttl, this.#options.limits.maxTtl / 1000);
      const now = performance.now();
      const cached: Answer = { bytes, storedAt: now, expires: now + ttl * 1000, ttl, prepared: new Map(), fresh: analysed.analysis };
      if (forgotten === this.#forgotten) this.#cache.put(key, cached);
      return { kind: 'answer', cached };
    } finally {
      if (forgotten === this.#forgotten) this.#asked.delete(key);
    }
  }

  #prepare({ service, confinement, linked, matcher }: Served, host: string, answer: Answer): Prepared {
    const { prepared } = answer;
    const before = prepared.get(service);
    if (before?.linked === linked) return before;
    const rules: readonly Rule[] = matcher.denying(host) === null ? matcher.allowing(host) : [];
    const analysis = answer.fresh ?? analysisOf(answer.bytes);
    answer.fresh = null;
    const view = analysis !== null ? viewOf({ analysis, confinement, rules, audit: confinement.mode === 'audit' }) : null;
    if (view !== null && view.seen.length > 0) this.#options.passive.note(service, host, view.seen);
    if (analysis !== null) this.#options.passive.noteChain(host, analysis.chain);
    const after: Prepared = { linked, view, opened: null };
    prepared.set(service, after);
    return after;
  }

  /** What was seen counts until its TTL and `hold` have passed. */
  #learn(served: Served, host: string, { seen }: View, { ttl, storedAt }: Answer): void {
    const { limits, sightings, learn, onSeen } = this.#options;
    const until = storedAt + Math.min(Math.max(ttl * 1000, limits.minTtl), limits.maxTtl) + limits.hold;
    if (served.matcher.allowing(host).length === 0) return;
    if (served.matcher.isExact(host)) learn(host, seen, ttl);
    else sightings.learn(served.service, host, seen, until);
    onSeen();
  }

  #release(served: Served, request: Request, host: string, answer: Answer, cached: boolean): Reply {
    const prepared = this.#prepare(served, host, answer);
    const { view } = prepared;
    if (view === null) {
      served.statistics.fail(`${host}: unusable answer`);
      return codeAnswer(request, RCODE.SERVFAIL, failure('unusable answer'));
    }
    if (view.seen.length === 0) return this.#finish(served, request, view, answer, cached);
    const { revision } = served;
    const epoch = this.#options.epoch();
    const isCurrent = prepared.opened?.revision === revision && prepared.opened.epoch === epoch;
    if (isCurrent && prepared.opened?.done === true) return this.#finish(served, request, view, answer, cached);
    // all who wait for the same answer wait for one opening
    const opening = isCurrent && prepared.opened !== null ? prepared.opened : this.#begin(served, prepared, { host, view, answer, epoch });
    return opening.open.then((open) => {
      if (served.linked !== prepared.linked) return this.#resolve(served, request); // another policy is in force by now
      if (!open) return codeAnswer(request, RCODE.SERVFAIL, { code: EDE.OTHER, text: 'the kernel does not take the addresses' });
      return this.#finish(served, request, view, answer, cached);
    });
  }

  #begin(served: Served, prepared: Prepared, { host, view, answer, epoch }: { host: string; view: View; answer: Answer; epoch: number }): NonNullable<Prepared['opened']> {
    const { revision } = served;
    this.#learn(served, host, view, answer);
    const open = this.#open(served, host, view);
    const opening = { revision, epoch, done: false, open };
    prepared.opened = opening;
    // with what failed it is tried anew
    const settle = (isOpen: boolean) => {
      if (prepared.opened === opening) prepared.opened = isOpen ? { ...opening, done: true } : null;
    };
    void open.then(settle, () => settle(false));
    return opening;
  }

  #finish(served: Served, request: Request, { template, guarded }: View, { storedAt }: Answer, cached: boolean): Buffer {
    served.statistics.counts.answered += 1;
    if (cached) served.statistics.counts.cached += 1;
    const age = Math.floor((performance.now() - storedAt) / 1000);
    const error = guarded.length > 0 ? { code: EDE.FILTERED, text: `special-use addresses removed (${guarded[0]?.reason ?? ''})` } : null;
    return fill(template, request, { age, maxTtl: this.#options.limits.maxTtl / 1000, error });
  }

  /** Resolves once the addresses are in the kernel; false: they cannot be. */
  async #open({ confinement, statistics, matcher }: Served, host: string, { openings }: View): Promise<boolean> {
    const { grant, catchUp } = this.#options;
    // what is denied at some ports is so from the first moment, and not from when its addresses are compiled
    const denied = matcher.deniedBy(host);
    const elements = new Map<string, readonly Element[]>();
    for (const { rules, addresses } of openings) {
      for (const [principal, more] of compileAddresses(confinement, addresses, rules, this.#options, denied)) elements.set(principal, [...(elements.get(principal) ?? []), ...more]);
    }
    if (elements.size === 0) return true;
    try {
      return (await grant(elements)) || (await catchUp(false));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      // somebody changed the table under us
      statistics.fail(error.message);
      return catchUp(true);
    }
  }
}
