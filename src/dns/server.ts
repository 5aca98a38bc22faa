import type { NameServer } from '../config/endpoint.ts';

/** How a server is called in messages. */
export const serverText = ({ transport, address, port }: NameServer): string => `${transport === 'tls' ? 'tls://' : ''}${address.includes(':') ? `[${address}]` : address}:${port}`;
