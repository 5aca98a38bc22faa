/** Destroys the sockets of connections that a change of policy has ended. */
import type { Logger } from 'pino';
import { HostError } from '../host/host-error.ts';
import { destroySockets, type Flow, peerSockets } from '../host/sockets.ts';
import { formatAddress } from '../net/address.ts';
import type { ServiceState } from './desired.ts';
import type { Events } from './events.ts';
import { policyChanges, revokedFlows } from './revoked.ts';

/** Connections that one event names. */
const MOST_NAMED = 20;

export type EndRevokedOptions = {
  readonly log: Logger;
  readonly events: Events;
  /** Whether a flow lives on although its address is no longer known. */
  readonly draining: (flow: Flow) => boolean;
};

/** What such a socket still has to send is not to leave once nobody owns the socket any more. Where the kernel does not let us, that is logged. */
export async function endRevoked({ log, events, draining }: EndRevokedOptions, before: readonly ServiceState[], after: readonly ServiceState[]): Promise<void> {
  const changes = policyChanges(before, after);
  if (changes.length === 0) return;
  const revoked = revokedFlows(changes, peerSockets('tcp'), draining);
  if (revoked.length === 0) return;
  try {
    await destroySockets(revoked);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    log.warn({ err: error.message, sockets: revoked.length }, 'sockets of revoked flows are not destroyed: what is left in them may leave when they are closed');
    return;
  }
  log.info({ sockets: revoked.length, services: changes.map(({ after: { service } }) => service) }, 'ended connections that are no longer allowed');
  events.add('ended', { connections: revoked.slice(0, MOST_NAMED).map(({ uid, remote, remotePort }) => ({ uid, address: formatAddress(remote), port: remotePort })) });
}
