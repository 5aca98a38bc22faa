/**
 * What an operator changes beside the files: services that are shut, permissions for a while. One change at a time. What shuts is in force first and kept
 * then; what opens is kept first, so that nothing is said to be so that a restart would not know.
 */
import type { Logger } from 'pino';
import type { PermitReport } from '../control/api.ts';
import { HostError, messageOf } from '../host/host-error.ts';
import type { Events } from './events.ts';
import { Lane } from './lane.ts';
import type { Permits, Request } from './permits.ts';

export type OperatorOptions = {
  readonly permits: Permits;
  /** By service, since when (ISO 8601). */
  readonly blocks: Map<string, string>;
  /** Throws HostError. */
  readonly write: (name: 'grants' | 'blocks', data: unknown) => Promise<void>;
  /** Resolves when what was changed is enforced. */
  readonly enforce: () => Promise<void>;
  /** Asks for a name at once; false: nobody lists it. */
  readonly resolve: (name: string) => Promise<boolean>;
  readonly events: Events;
  readonly log: Logger;
};

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
    await write(name, name === 'grants' ? permits.save() : Object.fromEntries(blocks));
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

  /** Tries again to keep what could not be kept. */
  retry(): Promise<void> {
    return this.#lane.run(async () => {
      for (const name of this.#unsaved) {
        try {
          await this.#write(name);
        } catch (error) {
          this.#options.log.error({ err: messageOf(error) }, 'state is not saved');
        }
      }
    });
  }

  /** Shuts a service, or lets it go; false: it was not shut. Throws HostError when it is in force and not kept. */
  block(service: string, shut: boolean): Promise<boolean> {
    return this.#lane.run(async () => {
      const { blocks, enforce, events, log } = this.#options;
      if (shut === blocks.has(service) && !this.#unsaved.has('blocks')) return shut;
      if (shut) blocks.set(service, blocks.get(service) ?? new Date().toISOString());
      else blocks.delete(service);
      await enforce();
      events.add('block', { service, blocked: shut });
      log.warn({ service }, shut ? 'blocked by an operator' : 'no longer blocked by an operator');
      await this.#keep('blocks', shut ? 'block' : 'unblock');
      return true;
    });
  }

  /** Gives a permission. Throws HostError when it cannot be kept; it is then not given. */
  grant(wanted: Request): Promise<PermitReport> {
    return this.#lane.run(async () => {
      const { permits, enforce, resolve, events, log } = this.#options;
      const permit = permits.add(wanted);
      try {
        await this.#write('grants');
      } catch (error) {
        permits.revoke(({ id }) => id === permit.id);
        throw error;
      }
      await enforce();
      // a name that nobody has asked for yet: the first connection is not to fail for want of its address
      if (await resolve(wanted.to.toLowerCase())) await enforce();
      events.add('grant', { outcome: 'granted', grant: permit });
      log.warn({ ...permit }, 'granted by an operator');
      return permit;
    });
  }

  /** Ends grants by number or service, or all; returns those that were there. Throws HostError when that is in force and not kept. */
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
      await this.#options.enforce();
      for (const grant of ended) this.#options.events.add('grant', { outcome, grant });
      await this.#keep('grants', 'revoke');
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
