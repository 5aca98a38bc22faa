/**
 * A primary group for the daemon's own sockets that nobody else is in: the rules let them through before anybody is asked for
 * (`OWN_GID`), so that no policy, not even one for root, stands between netwalld and the name servers.
 */
import { OWN_GID } from '../ruleset/skeleton.ts';

/** False: without CAP_SETGID it cannot be had. systemd has set it already (`Group=netwalld`). */
export function useOwnGroup(): boolean {
  if (process.getegid?.() === OWN_GID) return true;
  try {
    process.setegid?.(OWN_GID);
    return process.getegid?.() === OWN_GID;
  } catch {
    return false;
  }
}
