/**
 * What an operator changes beside the files: services that are shut, permissions for a while. One change at a time. What shuts is in force first and kept
 * then; what opens is kept first, so that nothing is said to be so that a restart would not know.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { PermitReport } from '../control/api.ts';
import { HostError, messageOf } from '../host/host-error.ts';
import type { Blocks, GovernedBy } from './blocks.ts';
import type { Events } from './events.ts';
import { Lane } from './lane.ts';
import type { Permits, Request } from './permits.ts';

export type OperatorOptions = {
  readonly permits: Permits;
  readonly blocks: Blocks;
  /** Whom a service governs now. */
  readonly governedBy: (service: string) => GovernedBy;
  /** Throws HostError. */
  readonly write: (name: 'grants' | 'blocks', data: unknown) => Promise<void>;
  /** Resolves when what was changed has been tried to enforce, to whether it could be. */
  readonly enforce: () => Promise<boolean>;
  /** Asks for a name at once; false: nobody lists it. */
  readonly resolve: (name: string) => Promise<boolean>;
  readonly events: Events;
  readonly log: Logger;
};

/** A look-up that takes longer is not waited for. */
const RESOLVE_MILLISECONDS = 5000;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #lane = new Lane();
  readonly #unsaved = new Set<'grants' | 'blocks'>();

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  async #write(name: 'grants' | 'blocks'): Promise<void> {
    const { permits, blocks, write } = this.#options;
    this.#unsaved.add(name);
    await write(name, name === 'grants' ? permits.save() : blocks.save());
    this.#unsaved.delete(name);
  }

  /** What is in force all the same: whoever asked for it has to know. Throws HostError. */
  async #keep(name: 'grants' | 'blocks', done: string): Promise<void> {
    try {
      await this.#write(name);
    } catch (error) {
      throw new HostError(done, `it is in force, but not kept: a restart would undo it (it is tried again; ${messageOf(error)})`, { cause: error });
    }
  }

  #notEnforced(done: string): never {
    throw new HostError(done, 'it is kept, but not in force yet: it is tried again, and netwallctl status says why');
  }

  /** Tries again to keep what could not be kept, and keeps how much is left of grants: a clock that is set back is not to make it more. */
  retry(): Promise<void> {
    return this.#lane.run(async () => {
      if (this.#options.permits.counts.size > 0) this.#unsaved.add('grants');
      for (const name of this.#unsaved) {
        try {
          await this.#write(name);
        } catch (error) {
          this.#options.log.error({ err: messageOf(error) }, 'state is not saved');
        }
      }
    });
  }

  /** Shuts a service, or lets it go; false: it was not shut. Throws HostError when it is in force and not kept, or kept and not in force. */
  block(service: string, shut: boolean): Promise<boolean> {
    return this.#lane.run(async () => {
      const { blocks, governedBy, enforce, events, log } = this.#options;
      const done = shut ? 'block' : 'unblock';
      const governed = governedBy(service);
      if (!shut && blocks.since(governed) === null && !this.#unsaved.has('blocks')) return false;
      if (shut) blocks.add(governed, new Date().toISOString());
      else blocks.end(governed);
      const isEnforced = await enforce();
      events.add('block', { service, blocked: shut });
      log.warn({ service, enforced: isEnforced }, shut ? 'blocked by an operator' : 'no longer blocked by an operator');
      await this.#keep('blocks', done);
      if (!isEnforced) this.#notEnforced(done);
      return true;
    });
  }

  /** Gives a permission. Throws HostError when it cannot be kept (it is then not given), or is kept and not in force. */
  async grant(wanted: Request): Promise<PermitReport> {
    const { permits, enforce, resolve, events, log } = this.#options;
    const permit = await this.#lane.run(async () => {
      const given = permits.add(wanted);
      try {
        await this.#write('grants');
      } catch (error) {
        permits.revoke(({ id }) => id === given.id);
        // a run may have begun meanwhile
        await enforce();
        throw error;
      }
      if (!(await enforce())) this.#notEnforced('grant');
      return given;
    });
    // a name that nobody has asked for yet: the first connection is not to fail for want of its address. Nobody else waits for that
    const limit = new AbortController();
    const isResolved = await Promise.race([resolve(wanted.to.toLowerCase()), sleep(RESOLVE_MILLISECONDS, false, { signal: limit.signal, ref: false }).catch(() => false)]);
    limit.abort();
    if (isResolved) await enforce();
    events.add('grant', { outcome: 'granted', grant: permit });
    log.warn({ ...permit }, 'granted by an operator');
    return permit;
  }

  /** Ends grants by number or service, or all; returns those that were there. Throws HostError when that is in force and not kept, or kept and not in force. */
  revoke(which: string): Promise<readonly PermitReport[]> {
    return this.#end('revoked', () => this.#options.permits.revoke(({ id, service }) => which === 'all' || which === service || which === `${id}`));
  }

  /** Ends what was granted to services that are gone; `services`: those there are. Nothing granted costs nothing. */
  async retain(services: () => ReadonlySet<string>): Promise<void> {
    if (this.#options.permits.counts.size === 0) return;
    await this.#end('ended with its service', () => this.#options.permits.retain(services())).catch((error: unknown) => {
      if (!(error instanceof HostError)) throw error;
      this.#options.log.error({ err: error.message }, 'state is not saved');
    });
  }

  #end(outcome: string, end: () => readonly PermitReport[]): Promise<readonly PermitReport[]> {
    return this.#lane.run(async () => {
      const ended = end();
      if (ended.length === 0) return ended;
      const isEnforced = await this.#options.enforce();
      for (const grant of ended) this.#options.events.add('grant', { outcome, grant });
      await this.#keep('grants', 'revoke');
      if (!isEnforced) this.#notEnforced('revoke');
      return ended;
    });
  }

  /** Some have run out. */
  async expired(): Promise<void> {
    await this.#options.enforce();
    this.#unsaved.add('grants');
    await this.retry();
  }
}
