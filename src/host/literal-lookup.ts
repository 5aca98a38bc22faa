/** For sockets that are only given addresses. Node's own look-up answers after a pass of the event loop, even for those. */
import { isIP } from 'node:net';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

export function literal(hostname: string, _options: unknown, callback: LookupCallback): void {
  const family = isIP(hostname);
  callback(family === 0 ? new Error(`${hostname} is no address`) : null, hostname, family);
}
