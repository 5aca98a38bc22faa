/** Puts the parts together and runs until told to stop: the reconciler in the middle, everything else tells it that something changed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { serveControl } from '../control/server.ts';
import { openAccounts, savedAccounts } from '../host/accounts.ts';
import { HostError, messageOf } from '../host/host-error.ts';
import { lockTable } from '../host/instance-lock.ts';
import { settleMemory } from '../host/memory.ts';
import { watchNft } from '../host/nft-monitor.ts';
import { OwnProcesses } from '../host/nft-own.ts';
import { openNft } from '../host/nft.ts';
import { openPolicyFiles } from '../host/policy-files.ts';
import { type LookUp, Resolver } from '../host/resolver.ts';
import { goodVersions } from '../host/last-good.ts';
import { Nameservers } from '../host/nameservers.ts';
import { openStateFiles, type StateFiles } from '../host/state-files.ts';
import { openNotify, watchdogInterval } from '../host/systemd.ts';
import { DnsListeners } from '../host/dns-listeners.ts';
import { openForwarder } from '../host/forward.ts';
import { useOwnGroup } from '../host/own-group.ts';
import { watchDirectories } from '../host/watch.ts';
import type { GoodVersion } from '../policy/policy-set.ts';
import { analyse } from '../dns/answer.ts';
import { outcomeOf } from '../dns/look-up.ts';
import { TYPE } from '../dns/types.ts';
import { addressAges, type BookLimits, nameState, savedBook } from '../resolve/address-book.ts';
import { savedSightings, Sightings } from '../resolve/sightings.ts';
import type { Table } from '../ruleset/skeleton.ts';
import { controlRoutes } from './control-routes.ts';
import { DnsFilter } from './dns-filter.ts';
import { DriftLog, driftSchema } from './drift.ts';
import { Blocks, savedBlocks } from './blocks.ts';
import { BootFiles } from './boot-files.ts';
import { deferred } from './deferred.ts';
import { Events } from './events.ts';
import { Enforcer } from './enforcer.ts';
import { lookPace } from './full-looks.ts';
import { Guard } from './guard.ts';
import { Metrics } from './metrics.ts';
import { nameFindings } from './report.ts';
import { snapshots } from './snapshot.ts';
import { Surroundings } from './surroundings.ts';
import { Denied } from './denied.ts';
import { PassiveDns } from '../resolve/passive-dns.ts';
import { Explainer } from './explainer.ts';
import { Learning } from './learning.ts';
import { lookUpNow } from './look-up-now.ts';
import { Operator } from './operator.ts';
import { Permits, savedPermits } from './permits.ts';
import { Traffic } from './traffic.ts';
import { Trial } from './trial.ts';
import { addressTimeout, Reconciler } from './reconciler.ts';

/** Account databases: a new user is seen when they change, and by looking every so often (LDAP changes no file). */
const ACCOUNT_FILES = new Set(['passwd', 'group']);
const PENDING_LOOK_MILLISECONDS = 2000;
/** How often resolv.conf is read. */
const TICK_MILLISECONDS = 1000;
/** How long state that changes often may lag behind on disk. */
const SAVE_MILLISECONDS = 5000;
/** After the start, when everything is in place and saved. */
const SETTLED_MILLISECONDS = 10_000;
/** How long what a service's own query opened may be missing from the rulesets, and so from what other services may reach. */
const SEEN_MILLISECONDS = 2000;
/** During the first run: how often systemd is asked to go on waiting, and for how long from then on; and for how long at most. */
const STARTING_MILLISECONDS = 10_000;
const LONGEST_START_MILLISECONDS = 600_000;
const WAIT_ON = 'EXTEND_TIMEOUT_USEC=30000000';
/** How exactly names that wildcards cover run out. */
const SIGHTINGS_MILLISECONDS = 10_000;

async function readState<T>(state: StateFiles, name: string, schema: z.ZodType<T>, log: Logger): Promise<T | null> {
  const { data, fault } = await state.read(name, schema);
  if (fault !== null) log.warn({ fault }, 'state is unreadable and is begun anew');
  return data;
}

/** Whom an operator shut: begun anew, they would be open. Throws HostError. */
async function readBlocks(state: StateFiles): Promise<Blocks> {
  const { data, fault } = await state.read('blocks', savedBlocks);
  if (fault !== null) throw new HostError('blocks', `${fault}; it says which services were shut with "netwallctl block". Put it right, or remove it and they are open`);
  return new Blocks(data ?? {});
}

export type DaemonOptions = { readonly config: Config; readonly log: Logger; readonly environment: NodeJS.ProcessEnv };

export type Daemon = {
  /** Resolves when the first run is over. */
  readonly started: Promise<void>;
  readonly reconciler: Reconciler;
  readonly metrics: Metrics;
  reload(): void;
  /** Stops; the wall stays. */
  close(): Promise<void>;
  /** Resolves once every listed domain has been asked for and the answers are enforced. */
  settled(): Promise<void>;
};

/** Starts the daemon. Throws HostError when it cannot run at all: another one runs, a directory cannot be made. */
export async function startDaemon({ config, log, environment }: DaemonOptions): Promise<Daemon> {
  const lock = await lockTable(config.table);
  if (lock === null) log.error({ table: config.table }, 'somebody who is not root holds the name by which a second netwalld would be told from none: this one runs without');
  if (!useOwnGroup()) log.warn('the daemon cannot have a group of its own: a policy for root applies to its DNS queries as well');
  try {
    await mkdir(config.runtimeDir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new HostError('runtime directory', `${config.runtimeDir}: ${messageOf(error)}`, { cause: error });
  }
  const state = await openStateFiles(config.stateDir);
  const events = new Events();
  const metrics = new Metrics(() => takeSnapshot());
  const drift = new DriftLog((change, of) => {
    events.add(`drift-${change}`, { drift: { ...of } });
    metrics.drifted(change, of);
  });
  drift.restore((await readState(state, 'history', z.array(driftSchema), log)) ?? []);
  const good = new Map(((await readState(state, 'last-good', goodVersions, log)) ?? []).map((version: GoodVersion) => [version.name, version]));

  const permits = new Permits({
    now: () => performance.now(),
    wall: () => Date.now(),
    onChange: () => void operator.expired(),
    onExpired: (grant) => events.add('grant', { outcome: 'expired', grant }),
  });
  permits.load((await readState(state, 'grants', savedPermits, log)) ?? { next: 1, permits: [] });
  const blocks = await readBlocks(state);

  const nameservers = new Nameservers();
  nameservers.read();
  const limits: BookLimits = { minTtl: config.dns.minTtl, maxTtl: config.dns.maxTtl, hold: config.dns.hold, maxStale: config.dns.maxStale };
  const forwarder = metrics.asking(openForwarder({
    servers: () => (config.dns.servers.length > 0 ? config.dns.servers : nameservers.servers),
    timeout: config.dns.timeout,
    tries: config.dns.tries,
    requireAd: config.dns.requireAd,
  }));
  const lookUp: LookUp = async (domain, type) => {
    const outcome = await forwarder.ask({ name: domain, type: TYPE[type], dnssecOk: false });
    if (outcome.kind === 'failure') return outcome;
    const analysed = analyse(outcome.bytes);
    if (analysed.ok) passive.noteChain(domain, analysed.analysis.chain);
    return analysed.ok ? outcomeOf(analysed.analysis, type) : { kind: 'failure', reason: `unusable answer: ${analysed.fault}` };
  };
  let reconciler: Reconciler | null = null;
  const resolver = new Resolver({ lookUp, limits, onChange: () => reconciler?.trigger('names') });
  resolver.load((await readState(state, 'addresses', savedBook, log)) ?? {});
  const passive = new PassiveDns();
  const sightings = new Sightings();
  sightings.load((await readState(state, 'sightings', savedSightings, log)) ?? {}, performance.now(), clockOffset(), limits.maxTtl + limits.hold);
  const statusOf = (domain: string) => nameState(resolver.entry(domain), performance.now());

  const table: Table = { name: config.table, mark: config.guardMark };
  const own = new OwnProcesses(config.table);
  const guard = new Guard({ nft: config.nft, table, runtimeDir: config.runtimeDir, own, log });
  const nft = openNft({ nft: config.nft, table: config.table, runtimeDir: config.runtimeDir, own, onApplied: (milliseconds, failed) => metrics.applied(milliseconds, failed) });
  const enforcer = new Enforcer({ nft, guard, table, log, generation: (await readState(state, 'generation', z.int().nonnegative(), log)) ?? 0 });
  enforcer.lookAhead();
  const save = async (name: string, data: unknown) => {
    try {
      await state.write(name, data);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      log.error({ err: error.message }, 'state is not saved');
    }
  };
  const savingBook = deferred(SAVE_MILLISECONDS, async () => {
    await save('generation', enforcer.generation);
    await save('accounts', accounts.save());
    await save('addresses', resolver.save());
    await save('sightings', sightings.save(clockOffset()));
    await save('dns-ports', Object.fromEntries(listeners.known));
    await save('history', drift.history);
    await operator.retry();
  });
  const boot = new BootFiles({
    file: config.bootFile,
    table,
    log,
    enforced: () => {
      // a boot ends a trial
      if (reconciler === null || reconciler.state !== 'enforcing' || trial.inForce) return null;
      const watched = new Set(reconciler.policySet.services.flatMap(({ service, linked }) => (linked?.policy.mode === 'audit' ? [service] : [])));
      return { rulesets: reconciler.unloaded ? [] : reconciler.rulesets, refused: new Set(enforcer.failed.keys()), watched };
    },
  });
  const accounts = openAccounts(await readState(state, 'accounts', savedAccounts, log));
  const seen = deferred(SEEN_MILLISECONDS, async () => reconciler?.trigger('names'));
  const filter = new DnsFilter({
    forwarder,
    grant: (wanted) => enforcer.grant(wanted),
    epoch: () => enforcer.epoch,
    catchUp: async (doubt) => (await reconciler?.catchUp(doubt)) ?? false,
    learn: (domain, addresses, ttl) => resolver.observe(domain, addresses, ttl),
    sightings,
    passive,
    onSeen: seen.soon,
    limits,
    refusal: config.dns.refuseWith,
    addressTimeout: addressTimeout(config),
  });
  const listeners = new DnsListeners({
    log,
    answer: (service, query, datagram) => metrics.answering(() => filter.answer(service, query, datagram)),
    remembered: new Map(Object.entries((await readState(state, 'dns-ports', z.record(z.string(), z.int().min(1).max(65535)), log)) ?? {})),
  });
  const notify = openNotify(environment);
  let generation = -1;
  let ready = false;
  const running = (reconciler = new Reconciler({
    config,
    log,
    files: openPolicyFiles(config.policyDirs),
    accounts,
    names: { want: (domains) => resolver.want(domains), addressesOf: (domain) => resolver.entry(domain).current, seenBy: (service) => sightings.seenBy(service) },
    dns: {
      listen: async (services) => {
        const ports = await listeners.listen(services);
        guard.turned(ports.values());
        return ports;
      },
      serve: (services) => filter.serve(services),
    },
    nameservers: () => nameservers.addresses,
    enforcer,
    drift,
    events,
    good,
    tried: (installed) => trial.over(installed),
    granted: (services) => learning.over(permits.over(services)),
    blocks,
    onRun: (run) => metrics.ran(run),
    saveGood: (versions) => state.write('last-good', [...versions.values()]),
    onChange: () => {
      drift.update('name', nameFindings(running.services, statusOf), new Date());
      savingBook.soon();
      if (generation === -1 || enforcer.generation !== generation || boot.old) boot.soon();
      generation = enforcer.generation;
      if (running.state === 'enforcing' && !running.unloaded && !trial.inForce) void operator.retain(() => new Set(running.policySet.services.map(({ service }) => service)));
      if (ready || running.state !== 'enforcing') return;
      ready = true;
      setTimeout(settleMemory, SETTLED_MILLISECONDS).unref();
      stops.push(watchNft({ nft: config.nft, table: config.table, log, own, onChange: (change) => running.changedByOther(change), onOther: () => surroundings.tablesChanged() }));
      surroundings.start();
      stops.push(() => surroundings.close());
      void notify(`READY=1\nSTATUS=Enforcing ${running.services.length} policies`);
    },
  }));

  const trial = new Trial({
    installed: () => running.scan.files,
    directories: config.policyDirs,
    events,
    settle: () => boot.now(),
    refused: () => running.policySet.badFiles,
    idOf: accounts.id,
    enforce: async () => {
      await running.request('reload');
      return running.state === 'enforcing';
    },
  });
  const surroundings = new Surroundings({ services: () => running.services, uidOf: (name) => accounts.find('user', name), nft, table, guard, drift, log });
  const learning = new Learning({
    observe: async (service) => denied.observe(service),
    enforce: () => running.request('names'),
    policyOf: (name) => running.policySet.services.find(({ service }) => service === name)?.linked?.policy ?? null,
    beside: ({ service, at }) => {
      const parsed = running.scan.files.find(({ path }) => path === at.file)?.parsed;
      return parsed === undefined ? [] : [...parsed.policies.flatMap((policy) => (policy.service === service ? [] : [policy.service])), ...parsed.groups.map(({ name }) => `@${name}`)];
    },
    onChange: (what) => {
      log.warn(what, 'learning');
      events.add('learn', what);
    },
  });
  const operator = new Operator({
    permits,
    blocks,
    governedBy: (service) => {
      const found = running.services.filter(({ entry }) => entry.service === service);
      return { service, kind: found[0]?.entry.kind ?? 'user', ids: found.flatMap(({ principals }) => principals.ids) };
    },
    write: (name, data) => state.write(name, data),
    enforce: async () => {
      await running.request('names');
      return running.unloaded || running.state === 'enforcing';
    },
    resolve: (name) => resolver.again(name),
    events,
    log,
  });
  const denied = new Denied({ nft, services: () => running.services, passive, dnsOf: (service) => filter.statisticsOf(service) });
  const status = { policyDirs: config.policyDirs, reconciler: running, enforcer, guard, trial, permits, learning, drift, statusOf, agesOf: (domain: string) => addressAges(resolver.entry(domain), performance.now()), dnsOf: (service: string) => filter.statisticsOf(service) };
  const takeSnapshot = snapshots({ ...status, addressCount: (domain) => resolver.entry(domain).current.length, seenCount: (service) => sightings.seenBy(service).size });
  const routes = controlRoutes({
    denied,
    events,
    metrics,
    status,
    traffic: new Traffic({ enforcer, services: () => running.services }),
    addressesOf: (domain) => resolver.entry(domain).current,
    explainer: new Explainer({ services: () => running.services, entry: (domain) => resolver.entry(domain), passive, ownerOf: (who) => accounts.owner(who), nft }),
    operator,
    resolve: (name) =>
      lookUpNow(name, {
        services: () => running.services,
        resolver,
        lookUp,
        errorOf: (domain) => statusOf(domain).error,
        forget: () => filter.forget(),
        enforce: () => running.request('names'),
      }),
  });
  const control = await serveControl(join(config.runtimeDir, 'control.sock'), await accounts.find('group', 'netwall'), routes);

  let looking = false;
  const lookForMissing = async () => {
    if (looking || !accounts.missing()) return;
    looking = true;
    // a run that asks a directory that hangs keeps all others waiting
    if (accounts.error === null || (await accounts.answers())) running.trigger('accounts');
    looking = false;
  };
  const begun = performance.now();
  let ticked = begun;
  const stops = [
    watchDirectories(config.policyDirs, (path) => running.touch(path)),
    watchDirectories(['/etc'], () => running.trigger('accounts'), ACCOUNT_FILES),
    every(TICK_MILLISECONDS, () => {
      const now = performance.now();
      metrics.late(now - ticked - TICK_MILLISECONDS);
      ticked = now;
      if (!nameservers.read()) return;
      log.info({ nameservers: nameservers.servers.map(({ address }) => address) }, 'nameservers changed');
      running.trigger('nameservers');
      filter.forget();
      resolver.refresh();
    }),
    every(PENDING_LOOK_MILLISECONDS, () => void lookForMissing()),
    every(lookPace(config), () => running.trigger('interval')),
    every(SIGHTINGS_MILLISECONDS, () => {
      if (sightings.expire(performance.now())) running.trigger('names');
      permits.look();
    }),
    // with many policies it may take longer than TimeoutStartSec, again and again. One that failed is not waited for
    every(STARTING_MILLISECONDS, () => {
      if (running.state === 'starting' && ticked - begun < LONGEST_START_MILLISECONDS) void notify(WAIT_ON);
    }),
  ];
  const watchdog = watchdogInterval(environment);
  if (watchdog !== null) {
    stops.push(
      every(watchdog / 2, () => {
        if (running.turns) void notify('WATCHDOG=1');
      }),
    );
  }

  permits.start();
  const started = running.request('start');
  return {
    started,
    reconciler: running,
    metrics,
    reload: () => running.trigger('reload'),
    async settled() {
      await resolver.idle();
      await running.request('names');
      await boot.now();
    },
    async close() {
      await notify('STOPPING=1');
      await trial.cancel('netwalld stopped');
      for (const stop of stops) stop();
      await learning.close();
      permits.close();
      resolver.close();
      listeners.close();
      forwarder.close();
      await running.close();
      control.close();
      control.closeAllConnections();
      await savingBook.now();
      if (ready) await boot.now();
      guard.close();
      nft.close();
      lock?.close();
    },
  };
}

/** Wall clock less the daemon's monotonic clock, milliseconds. */
const clockOffset = () => Date.now() - performance.now();

function every(milliseconds: number, task: () => void): () => void {
  const timer = setInterval(task, milliseconds);
  return () => clearInterval(timer);
}
