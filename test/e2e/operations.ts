/** Everything an agent can be asked to do. */
import { operations as dnsServer } from './dns-server.ts';
import { operations as flows } from './flows.ts';
import { operations as listeners } from './listeners.ts';
import { operations as probes } from './reach.ts';
import { operations as echo } from './echo-servers.ts';

export const operations = { ...probes, ...flows, ...listeners, ...dnsServer, ...echo };

export type Operations = typeof operations;
export type OperationName = keyof Operations;
export type Argument<Name extends OperationName> = Parameters<Operations[Name]>[0];
export type Result<Name extends OperationName> = Awaited<ReturnType<Operations[Name]>>;
