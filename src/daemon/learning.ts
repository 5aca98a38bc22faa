/**
 * `netwallctl learn`: for a while a service may do what it likes, and what its policy does not allow, which is in the kernel's record, is added to the
 * policy. The clock is the daemon's, and nothing of it is kept on disk: a daemon that is started anew enforces what is installed.
 */
import type { LearningReport } from '../control/api.ts';
import { formatAddress } from '../net/address.ts';
import { type LearntFlow, learntPolicy } from '../policy/learnt.ts';
import type { Policy } from '../policy/policy.ts';
import type { ServiceEntry } from '../policy/policy-set.ts';
import type { LinkedPolicy } from '../policy/rule.ts';

export type Observed = { readonly flows: readonly LearntFlow[]; readonly queries: readonly { readonly name: string; readonly type: string; readonly count: number; readonly last: number }[] };

export type LearningOptions = {
  /** What the kernel and DNS recorded of a service. Throws HostError. */
  readonly observe: (service: string) => Promise<Observed>;
  readonly enforce: () => Promise<void>;
  /** The policy as it is installed; null: there is none any more. */
  readonly policyOf: (service: string) => Policy | null;
  /** What else is in its file. */
  readonly beside?: (policy: Policy) => readonly string[];
  readonly onChange: (what: Readonly<Record<string, unknown>>) => void;
  /** Wall clock, milliseconds. */
  readonly now?: () => number;
};

/** The kernel forgets after an hour: longer watches are read in between. */
const READ_MILLISECONDS = 10 * 60_000;
/** Results are there for so long after the end. */
const KEPT_MILLISECONDS = 3_600_000;

type Watch = {
  readonly service: string;
  readonly policy: Policy;
  readonly since: number;
  until: number;
  readonly wildcards: boolean;
  /** What there was before. */
  readonly before: ReadonlyMap<string, number>;
  readonly flows: Map<string, LearntFlow & { readonly start: number }>;
  queries: Observed['queries'];
  result: string | null;
  /** Once it has been asked to end. */
  ending: Promise<void> | null;
  timers: NodeJS.Timeout[];
};

const keyOf = ({ direction, address, protocol, port }: LearntFlow) => `${direction} ${formatAddress(address)} ${protocol} ${port}`;

export class Learning {
  readonly #options: LearningOptions;
  readonly #watches = new Map<string, Watch>();
  readonly #starting = new Set<string>();
  readonly #open = new WeakMap<LinkedPolicy, LinkedPolicy>();
  readonly #now: () => number;

  constructor(options: LearningOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get active(): readonly { readonly service: string; readonly until: string }[] {
    return [...this.#watches.values()].filter(({ result }) => result === null).map(({ service, until }) => ({ service, until: new Date(until).toISOString() }));
  }

  report(service: string): LearningReport | null {
    const watch = this.#watches.get(service);
    if (watch === undefined) return null;
    const { since, until, result, flows } = watch;
    return { service, since: new Date(since).toISOString(), until: new Date(until).toISOString(), active: result === null, destinations: flows.size, policy: result };
  }

  /** Services with what is let through while they are watched. Others are the same objects. */
  over(services: readonly ServiceEntry[]): readonly ServiceEntry[] {
    const watched = new Set(this.active.map(({ service }) => service));
    if (watched.size === 0) return services;
    return services.map((entry) => {
      const { linked } = entry;
      // who is shut meanwhile stays shut
      if (linked === null || linked.policy.mode === 'block' || !watched.has(entry.service)) return entry;
      let open = this.#open.get(linked);
      // names go through the daemon, so that it knows them
      if (open === undefined) this.#open.set(linked, (open = { ...linked, policy: { ...linked.policy, mode: 'audit', dns: 'filtered' } }));
      return { ...entry, linked: open };
    });
  }

  /** False: it is watched already. Throws HostError. */
  async start(policy: Policy, milliseconds: number, wildcards: boolean): Promise<boolean> {
    const { service } = policy;
    if (this.#watches.get(service)?.result === null || this.#starting.has(service)) return false;
    this.#starting.add(service);
    const observed = await this.#options.observe(service).finally(() => this.#starting.delete(service));
    const last = this.#watches.get(service);
    if (last !== undefined) this.#forget(last);
    const since = this.#now();
    const watch: Watch = { service, policy, since, until: since + milliseconds, wildcards, before: new Map(observed.flows.map((flow) => [keyOf(flow), flow.packets])), flows: new Map(), queries: [], result: null, ending: null, timers: [] };
    this.#watches.set(service, watch);
    watch.timers = [setTimeout(() => void this.stop(service), milliseconds), setInterval(() => void this.#read(watch).catch(() => {}), READ_MILLISECONDS)];
    for (const timer of watch.timers) timer.unref();
    await this.#options.enforce();
    this.#options.onChange({ service, outcome: 'started', until: new Date(watch.until).toISOString() });
    return true;
  }

  /** What was done since the start, as far as the kernel still knows. */
  async #read(watch: Watch): Promise<void> {
    const { flows, queries } = await this.#options.observe(watch.service);
    for (const flow of flows) {
      const key = keyOf(flow);
      const before = watch.before.get(key);
      const seen = watch.flows.get(key);
      // an element that was forgotten in between counts from nothing again
      const start = seen?.start ?? (before !== undefined && flow.packets >= before ? before : 0);
      const packets = flow.packets - start;
      if (packets <= 0) continue;
      watch.flows.set(key, { ...flow, names: [...new Set([...(seen?.names ?? []), ...flow.names])], packets: Math.max(packets, seen?.packets ?? 0), start });
    }
    watch.queries = queries.filter(({ last }) => last >= watch.since);
  }

  /** Ends a watch and makes the policy; null: there is none. Never throws: what the kernel does not tell is missing. */
  async stop(service: string): Promise<LearningReport | null> {
    const watch = this.#watches.get(service);
    if (watch === undefined) return null;
    watch.ending ??= this.#end(watch);
    await watch.ending;
    return this.report(service);
  }

  async #end(watch: Watch): Promise<void> {
    const { service } = watch;
    for (const timer of watch.timers) clearTimeout(timer);
    watch.until = Math.min(watch.until, this.#now());
    await this.#read(watch).catch(() => {});
    // as it is by now: it may have been edited meanwhile
    const policy = this.#options.policyOf(service) ?? watch.policy;
    watch.result = learntPolicy({
      policy,
      beside: this.#options.beside?.(policy) ?? [],
      since: new Date(watch.since).toISOString(),
      until: new Date(watch.until).toISOString(),
      flows: [...watch.flows.values()],
      queries: watch.queries,
      wildcards: watch.wildcards,
    });
    watch.timers = [setTimeout(() => this.#forget(watch), KEPT_MILLISECONDS).unref()];
    await this.#options.enforce();
    this.#options.onChange({ service, outcome: 'ended', destinations: watch.flows.size });
  }

  #forget(watch: Watch): void {
    for (const timer of watch.timers) clearTimeout(timer);
    if (this.#watches.get(watch.service) === watch) this.#watches.delete(watch.service);
  }

  /** Ends every watch; what was learnt can still be read. */
  async stopAll(): Promise<void> {
    for (const { service } of this.active) await this.stop(service);
  }

  /** The daemon stops. */
  async close(): Promise<void> {
    await this.stopAll();
    for (const watch of this.#watches.values()) this.#forget(watch);
  }
}
