/**
 * The loop: whatever happens only says that something changed, and every run works out anew, from all inputs, what the kernel
 * should hold. So no event can be lost for good. The reconciler owns the state; the enforcer alone writes to the kernel.
 */
import type { Config } from '../config/config.ts';
import { HostError } from '../host/host-error.ts';
import type { Scan } from '../host/policy-files.ts';
import { liveSockets } from '../host/sockets.ts';
import type { Address } from '../net/address.ts';
import type { PolicySet, ServiceEntry } from '../policy/policy-set.ts';
import { resolvePrincipals } from '../resolve/principals.ts';
import type { PrincipalRuleset } from '../ruleset/compile.ts';
import { DesiredState, namesOf, type ServiceState } from './desired.ts';
import { Drains } from './drains.ts';
import type { Blocks } from './blocks.ts';
import type { ForeignChange } from '../host/nft-monitor.ts';
import { endRevoked } from './end-revoked.ts';
import type { Events } from './events.ts';
import type { Applied, Enforcer } from './enforcer.ts';
import { ForeignChanges, type Mended } from './foreign-changes.ts';
import { FullLooks } from './full-looks.ts';
import { Identities } from './identities.ts';
import { PoliciesInForce, type PoliciesInForceOptions } from './policies-in-force.ts';
import { type Cause, Runs } from './runs.ts';
import { Unnamed } from './unnamed.ts';

/** How a run went. */
export type Run = { readonly causes: ReadonlySet<Cause>; readonly milliseconds: number; readonly failed: boolean };

/** Names the reconciler wants resolved, and what became of them. */
export type Names = {
  want(domains: Iterable<string>): void;
  /** The same array while the addresses are the same. */
  addressesOf(domain: string): readonly Address[];
  /** What the service's own queries gave for names that its wildcards cover. The same map while it is the same. */
  seenBy(service: string): ReadonlyMap<string, readonly Address[]>;
};

/** Answers the DNS queries of services with `dns: filtered`. */
export type Dns = {
  /** Listens for these services and for no others; the ports, by service. A service that cannot be listened for is left out. */
  listen(services: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** What is in force from now on. */
  serve(services: readonly ServiceState[]): void;
};

export type ReconcilerOptions = Omit<PoliciesInForceOptions, 'onDue'> & {
  readonly config: Config;
  readonly names: Names;
  readonly dns: Dns;
  readonly nameservers: () => readonly Address[];
  readonly enforcer: Enforcer;
  readonly events: Events;
  /** Services with what an operator granted them for a while. */
  readonly granted: (services: readonly ServiceEntry[]) => readonly ServiceEntry[];
  readonly blocks: Pick<Blocks, 'since'>;
  /** Called after every run that changed anything. */
  readonly onChange: () => void;
  /** Milliseconds; monotonic. */
  readonly clock?: () => number;
  /** Called after every run. */
  readonly onRun: (run: Run) => void;
};

export type ReconcilerState = 'starting' | 'enforcing' | 'degraded';

/** Within one run: somebody may remove the table between two transactions. */
const ATTEMPTS = 3;
const RETRY_MILLISECONDS = { first: 100, most: 10_000 };

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #identities = new Identities();
  readonly #desired = new DesiredState();
  readonly #drains = new Drains();
  readonly #policies: PoliciesInForce;
  readonly #runs: Runs;
  readonly #clock: () => number;
  readonly #fullLooks: FullLooks;
  readonly #foreign: ForeignChanges;
  #services: readonly ServiceState[] = [];
  readonly #unnamed: Unnamed;
  #state: ReconcilerState = 'starting';
  #fault: string | null = null;
  #doubt = true;
  /** Whether what the kernel holds is this process's doing. */
  #hasEnforced = false;
  #failures = 0;
  #retry: NodeJS.Timeout | null = null;
  /** That has not begun yet: all who ask share it. */
  #comparison: Promise<readonly string[]> | null = null;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#unnamed = new Unnamed(options.log);
    this.#policies = new PoliciesInForce({ ...options, onDue: () => this.touch(null) });
    this.#clock = options.clock ?? (() => performance.now());
    this.#runs = new Runs({ run: (causes) => this.#turn(causes), clock: this.#clock });
    this.#fullLooks = new FullLooks(options.config, this.#clock);
    this.#foreign = new ForeignChanges({
      isKnown: () => !this.#doubt && !this.#runs.halted,
      mend: (changes) => this.#runs.alone(() => options.enforcer.mend(changes())),
      onMended: (mended) => this.#mended(mended),
      onDoubt: (pause) => {
        this.#doubt = true;
        if (pause === 0) this.trigger('kernel');
        else setTimeout(() => this.trigger('kernel'), pause).unref();
      },
    });
  }

  get state(): ReconcilerState {
    return this.#state;
  }

  /** Why the state is degraded. */
  get fault(): string | null {
    return this.#fault;
  }

  get services(): readonly ServiceState[] {
    return this.#services;
  }

  get policySet(): PolicySet {
    return this.#policies.set;
  }

  get scan(): Scan {
    return this.#policies.scan;
  }

  get rulesets(): readonly PrincipalRuleset[] {
    return [...this.#services.flatMap(({ rulesets }) => rulesets), ...this.#unnamed.rulesets];
  }

  /** Something changed: run soon. */
  trigger(cause: Cause): void {
    this.#runs.trigger(cause);
  }

  /** A policy file, or with null any of them, may have changed. */
  touch(path: string | null): void {
    this.#policies.touch(path);
    this.#runs.trigger('files');
  }

  /** Runs as soon as can be; resolves when a run that began after the call has ended, or at once when there will be none: a wall that was taken down stays down until `reload`. */
  request(cause: Cause): Promise<void> {
    return this.#runs.request(cause);
  }

  /** False when a run has been under way for far too long: the sign of life that the watchdog waits for. */
  get turns(): boolean {
    return this.#runs.turns;
  }

  /** Resolves when no run is under way. */
  settled(): Promise<void> {
    return this.#runs.settled();
  }

  async #turn(causes: ReadonlySet<Cause>): Promise<void> {
    const started = performance.now();
    let failed = false;
    try {
      await this.#run(causes, started);
      this.#failures = 0;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      failed = true;
      this.#fail(error);
    }
    this.#options.onRun({ causes, milliseconds: performance.now() - started, failed });
    this.#options.onChange();
  }

  /** The world failed us: look again from the beginning, after a while. What is in the kernel stays. */
  #fail(error: HostError): void {
    this.#doubt = true;
    this.#failures += 1;
    this.#state = 'degraded';
    if (this.#fault !== error.message) this.#options.events.add('degraded', { message: error.message });
    this.#fault = error.message;
    const wait = Math.min(RETRY_MILLISECONDS.first * 2 ** (this.#failures - 1), RETRY_MILLISECONDS.most);
    this.#options.log.error({ err: error.message, retryInMilliseconds: wait }, 'cannot enforce; what is in the kernel stays');
    // of many failures the last one's, or each would have its own for ever
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.trigger('retry'), wait).unref();
  }

  async #run(causes: ReadonlySet<Cause>, started: number): Promise<void> {
    const { drift, names, log, events } = this.#options;
    const told = causes.has('start') || causes.has('reload');
    const full = told || (causes.has('interval') && this.#fullLooks.due);
    const began = this.#clock();
    this.#policies.look(full, !told);
    await this.#policies.read(full || causes.has('accounts'));
    const before = this.#services;
    const services = this.#options.granted(this.#policies.set.services);
    const idOf = this.#options.accounts.id;
    const moved = this.#identities.note(services, idOf);
    names.want(services.flatMap(({ linked }) => (linked === null ? [] : namesOf(linked))));
    const ports = await this.#options.dns.listen(filteredServices(services));
    const foreign = this.#foreign.take();
    const deviations = await this.#look(causes, full, foreign?.gone === true);
    // from here to the transactions without a pause: what DNS opens in between would be missing from both
    const since = this.#options.enforcer.grantSequence;
    const after = this.#desired.compute({
      services,
      principals: resolvePrincipals(services, idOf),
      nameservers: this.#options.nameservers(),
      addressesOf: (domain) => names.addressesOf(domain),
      seenBy: (service) => names.seenBy(service),
      dnsPortOf: (service) => ports.get(service) ?? null,
      blocks: this.#options.blocks,
      options: { addressTimeout: addressTimeout(this.#options.config) },
    });
    const named = after.flatMap((service) => service.rulesets);
    if (!this.#hasEnforced) this.#keepUntold(named);
    const unnamed = this.#unnamed.beside(named, services, () => this.#options.enforcer.released(named) ?? []);
    const rulesets = [...named, ...unnamed];
    // names first: what a policy no longer lists must not be opened while it is taken away
    this.#options.dns.serve(after);
    const left = except(before, after);
    const came = except(after, before);
    const applied = await this.#apply(after, rulesets, this.#drains.changes(left, came, liveSockets, after), since);
    this.#services = after;
    this.#unnamed.keep(unnamed);
    this.#hasEnforced = true;
    this.#sweep(left, came);
    void endRevoked({ log, events, draining: ({ uid, remote, remotePort }) => this.#drains.has(uid, remote, remotePort) }, left, came);
    this.#state = 'enforcing';
    this.#fault = null;
    for (const finding of moved) drift.repair('identity', finding, performance.now() - started, new Date());
    if (deviations.length > 0) {
      this.#foreign.repaired();
      const open = Math.round((performance.now() - (foreign?.since ?? started)) * 10) / 10;
      drift.repair('kernel', { service: null, detail: deviations.join('; ').slice(0, 500) }, open, new Date(), foreign?.process ?? null);
    }
    this.#report(causes, applied, deviations, changedServices(left, came), started);
    await this.#policies.keep();
    if (full) this.#fullLooks.done(this.#clock() - began);
  }

  /** Whom the boot file or an earlier process governs may be one of those that NSS does not tell of: nobody is released before it does. Throws HostError. */
  #keepUntold(rulesets: readonly PrincipalRuleset[]): void {
    const { accounts, enforcer } = this.#options;
    if (accounts.untold === null || enforcer.released(rulesets)?.length === 0) return;
    throw new HostError('accounts', `${accounts.error ?? 'not told of'}; perhaps governed by what is in the kernel: ${accounts.untold}`);
  }

  /** An answer that was on its way when a policy changed may have opened what the new one does not list: compiled anew, that goes. */
  #sweep(before: readonly ServiceState[], after: readonly ServiceState[]): void {
    const old = new Map(before.map(({ entry }) => [entry.service, entry.linked]));
    const changed = after.filter(({ entry }) => old.has(entry.service) && old.get(entry.service) !== entry.linked).map(({ entry }) => entry.service);
    if (changed.length === 0) return;
    // after what began under the policy before, however long nft takes for it: what is not compiled then stays for as long as nothing else changes
    void this.#options.enforcer.granted().then(() => {
      this.#desired.forget(new Set(changed));
      this.trigger('names');
    });
  }

  /** Looks at the kernel where there is reason to; returns how it deviates from what was applied. */
  async #look(causes: ReadonlySet<Cause>, full: boolean, gone: boolean): Promise<readonly string[]> {
    if (!this.#doubt && !full && (!causes.has('interval') || (await this.#options.enforcer.rulesStand()))) return [];
    // what changes from here on is looked at by the next run
    this.#doubt = false;
    if (gone && this.#state === 'enforcing') {
      // shut first, look later
      this.#options.enforcer.lose();
      this.#drains.lose();
      return ['the table is gone'];
    }
    const started = performance.now();
    const { deviations, drains } = await this.#options.enforcer.observe(this.rulesets);
    this.#foreign.looked(performance.now() - started);
    if (drains === null) this.#drains.lose();
    else this.#drains.observe(drains);
    const first = this.#state === 'starting';
    return first || this.#failures > 0 ? [] : deviations;
  }

  async #apply(services: readonly ServiceState[], rulesets: readonly PrincipalRuleset[], planned: ReturnType<Drains['changes']>, since: number): Promise<Applied> {
    const { enforcer } = this.#options;
    let drains = planned;
    let oneByOne = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await enforcer.apply(rulesets, { drains, oneByOne, since });
      } catch (error) {
        if (!(error instanceof HostError) || !error.refused || attempt === ATTEMPTS) throw error;
        // either somebody changed the table under us, or nft does not take some policy: start from what the kernel holds
        const { gone, drains: found } = await enforcer.observe(rulesets);
        if (found === null) {
          // it is built anew, and what drains is to be in it again
          this.#drains.lose();
          drains = this.#drains.changes([], [], liveSockets, services);
        }
        oneByOne = !gone;
      }
    }
  }

  #report(causes: ReadonlySet<Cause>, applied: Applied, deviations: readonly string[], services: readonly string[], started: number): void {
    const { log, enforcer } = this.#options;
    const milliseconds = Math.round((performance.now() - started) * 10) / 10;
    const what = {
      generation: enforcer.generation,
      causes: [...causes],
      services: services.length > 20 ? `${services.length} services` : services,
      added: applied.added,
      removed: applied.removed,
      transactions: applied.transactions,
      milliseconds,
      ...(deviations.length > 0 ? { repaired: deviations } : {}),
    };
    if (applied.transactions > 0 || causes.has('start')) {
      log.info(what, 'enforced');
      this.#options.events.add('enforced', what);
    }
    else log.debug(what, 'nothing to change');
  }

  /** How the kernel differs from the files, without changing anything. Throws HostError. */
  difference(): Promise<readonly string[]> {
    if (this.#comparison !== null) return this.#comparison;
    let begun = false;
    const comparison = this.#runs.alone(() => {
      // who asks from now on wants to know what is so from now on
      begun = true;
      this.#comparison = null;
      return this.#options.enforcer.compare(this.rulesets);
    });
    if (!begun) this.#comparison = comparison;
    return comparison;
  }

  /** Somebody else has changed the table: look and repair at once. */
  changedByOther(change: ForeignChange): void {
    if (this.#state === 'starting') return; // it is looked at anyway
    this.#foreign.note(change);
  }

  #mended({ wrong, process, milliseconds }: Mended): void {
    const { enforcer, drift, log } = this.#options;
    drift.repair('kernel', { service: null, detail: wrong.join('; ').slice(0, 500) }, milliseconds, new Date(), process);
    log.info({ generation: enforcer.generation, causes: ['kernel'], repaired: wrong.slice(0, 20), process, milliseconds }, 'enforced');
    this.#options.onChange();
  }

  /** Enforces what is known by now. Resolves when that is done, to whether it could be. `doubt`: what the kernel holds is looked at first. */
  async catchUp(doubt: boolean): Promise<boolean> {
    if (this.#runs.over) return false;
    this.#doubt ||= doubt;
    await this.request('names');
    return this.#state === 'enforcing';
  }

  /** Takes the wall down, until `reload` or the next start. Throws HostError; the wall is then kept up. */
  async unload(): Promise<void> {
    this.#runs.halt();
    this.#doubt = true;
    try {
      await this.#runs.alone(() => this.#options.enforcer.unload());
    } catch (error) {
      // it may stand, without its guard
      this.#runs.resume();
      this.#runs.trigger('retry');
      throw error;
    }
    this.#runs.dismiss();
    this.#services = [];
    this.#unnamed.keep([]);
    this.#options.dns.serve([]);
    this.#options.onChange();
  }

  get unloaded(): boolean {
    return this.#runs.halted;
  }

  /** No further runs; waits for the one under way. The wall stays as it is. */
  close(): Promise<void> {
    return this.#runs.close();
  }
}

/** Seconds that the kernel keeps an address of a name without the daemon. */
export const addressTimeout = ({ dns }: Config): number => Math.ceil(dns.maxStale / 1000);

function filteredServices(services: PolicySet['services']): readonly string[] {
  return services.filter(({ linked }) => linked !== null && linked.policy.dns === 'filtered' && linked.policy.mode !== 'block').map(({ service }) => service);
}

/** What is in one and not in the other: of ten thousand services mostly one. */
function except<T>(all: readonly T[], known: readonly T[]): readonly T[] {
  if (all === known) return [];
  const others = new Set(known);
  return all.filter((one) => !others.has(one));
}

/** Services that do not stand as they did, those that are gone included. */
function changedServices(before: readonly ServiceState[], after: readonly ServiceState[]): readonly string[] {
  const old = new Map(before.map(({ entry, rulesets }) => [entry.service, rulesets]));
  const changed = after.filter(({ entry, rulesets }) => old.get(entry.service) !== rulesets).map(({ entry }) => entry.service);
  const present = new Set(after.map(({ entry }) => entry.service));
  return [...changed, ...[...old.keys()].filter((service) => !present.has(service))];
}

