/**
 * Watches what the policies rely on and the table does not show: listening sockets, the users that systemd runs units as, other tables on the same hooks.
 * Reports it as drift, and tells the guard which datagrams are not to come in.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { HostError } from '../host/host-error.ts';
import type { Nft } from '../host/nft.ts';
import { type Listener, listeningSockets } from '../host/sockets.ts';
import { unitAccounts } from '../host/units.ts';
import { formatAddress } from '../net/address.ts';
import { shadows } from '../ruleset/shadow.ts';
import type { Table } from '../ruleset/skeleton.ts';
import type { ServiceState } from './desired.ts';
import type { DriftLog } from './drift.ts';
import type { Guard } from './guard.ts';
import { judgeListeners } from './listeners.ts';
import { unitFindings } from './units.ts';

export type SurroundingsOptions = {
  readonly services: () => readonly ServiceState[];
  readonly uidOf: (name: string) => Promise<number | null>;
  readonly nft: Nft;
  readonly table: Table;
  readonly guard: Guard;
  readonly drift: DriftLog;
  readonly log: Logger;
};

/** UDP: the guard waits for it. TCP is only reported. */
const LISTENERS_MILLISECONDS = { udp: 1000, tcp: 10_000 };
/** A host with many sockets has long tables: looking may not take more of a core than this. */
const LISTENERS_SHARE = 1 / 100;
const UNITS_MILLISECONDS = 60_000;
/** Changes to tables come in bursts. */
const SHADOW_MILLISECONDS = 300;

const idOf = ({ protocol, address, port, uid }: Listener) => `${protocol} ${address === null ? '*' : formatAddress(address)} ${port} ${uid}`;

function ephemeralPorts(): { first: number; last: number } {
  try {
    const [first = 32_768, last = 60_999] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
    return { first, last };
  } catch {
    return { first: 32_768, last: 60_999 };
  }
}

export class Surroundings {
  readonly #options: SurroundingsOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;
  /** UDP sockets of the look before: what is gone again within a second is not worth a transaction. */
  #before = new Set<string>();
  readonly #seen: Record<'tcp' | 'udp', readonly Listener[]> = { tcp: [], udp: [] };
  #last: readonly unknown[] = [];
  /** Services whose units name the user that is governed, or did. */
  #matched: ReadonlySet<string> = new Set();
  #shadowTimer: NodeJS.Timeout | null = null;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#listeners('tcp');
    this.#listeners('udp');
    void this.#units();
    this.tablesChanged();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #again(milliseconds: number, task: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) task();
    }, milliseconds).unref();
    this.#timers.add(timer);
    return timer;
  }

  #listeners(of: 'tcp' | 'udp'): void {
    const started = performance.now();
    const services = this.#options.services();
    const governed = new Set(services.flatMap(({ confinement: { kind, ids } }) => (kind === 'user' ? ids : [])));
    const all = governed.size === 0 ? [] : listeningSockets(of);
    const now = all.filter(({ uid }) => governed.has(uid));
    if (of === 'tcp') this.#seen.tcp = now;
    else {
      const ports = new Set(now.map(({ port }) => port));
      // others with the same port count from the first moment on: it is their datagrams that would be dropped
      const others = all.filter(({ uid, port }) => !governed.has(uid) && ports.has(port));
      this.#seen.udp = [...now.filter((listener) => this.#before.has(idOf(listener))), ...others];
      this.#before = new Set(now.map(idOf));
    }
    this.#judge(services);
    this.#again(Math.max(LISTENERS_MILLISECONDS[of], (performance.now() - started) / LISTENERS_SHARE), () => this.#listeners(of));
  }

  #judge(services: readonly ServiceState[]): void {
    const listeners = [...this.#seen.tcp, ...this.#seen.udp];
    const seen = [services, listeners.map(idOf).join()];
    if (seen.every((value, index) => value === this.#last[index])) return;
    this.#last = seen;
    const { findings, inbound } = judgeListeners(services.map(({ confinement }) => confinement), listeners, ephemeralPorts());
    this.#options.drift.update('listener', findings, new Date());
    this.#options.guard.listening(inbound);
  }

  async #units(): Promise<void> {
    const services = this.#options.services();
    const accounts = await unitAccounts(services.flatMap(({ entry }) => (entry.kind === 'user' ? [entry.service] : [])));
    const { findings, matched } = await unitFindings(services, accounts, this.#options.uidOf, this.#matched);
    this.#matched = matched;
    this.#options.drift.update('identity', findings, new Date(), 'units');
    this.#again(UNITS_MILLISECONDS, () => void this.#units());
  }

  /** Some other table is not what it was. */
  tablesChanged(): void {
    if (this.#shadowTimer !== null) return;
    this.#shadowTimer = this.#again(SHADOW_MILLISECONDS, () => {
      this.#shadowTimer = null;
      void this.#shadows();
    });
  }

  async #shadows(): Promise<void> {
    const { nft, table, drift, log } = this.#options;
    try {
      drift.update('shadow', shadows(await nft.listRuleset(), table).map((detail) => ({ service: null, detail })), new Date());
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      log.debug({ err: error.message }, 'other tables cannot be listed');
    }
  }
}
