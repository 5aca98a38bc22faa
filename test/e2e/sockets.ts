/** One user's sockets in one namespace, as a test uses them. */
import type { Agent } from './agent-client.ts';
import type { Listen } from './listeners.ts';
import type { Reach } from './reach.ts';

/** `timeout` is milliseconds (default 1000); `from` and `fromPort` are local. */
export type ProbeOptions = { readonly from?: string; readonly fromPort?: number; readonly timeout?: number };

export type Protocol = 'tcp' | 'udp' | 'icmp';

export type Flow = {
  /** `connected` for TCP and `open` for UDP, or why not. */
  readonly opened: Reach;
  /** Sends a line and waits for its echo: `echoed`, `timeout`, or how the flow ended (`ECONNRESET`, `eperm`, …). */
  readonly exchange: (timeout?: number) => Promise<Reach>;
  /** Whether `text` arrives, without anything being sent. */
  readonly receives: (text: string, timeout?: number) => Promise<boolean>;
  readonly close: () => Promise<void>;
};

export type Listener = {
  /** The server sends `data` to everyone connected; returns to how many. */
  readonly push: (data: string) => Promise<number>;
  readonly close: () => Promise<void>;
};

export type Sockets = {
  readonly tcp: (address: string, port: number, options?: ProbeOptions) => Promise<Reach>;
  readonly udp: (address: string, port: number, options?: ProbeOptions) => Promise<Reach>;
  readonly ping: (address: string, options?: ProbeOptions) => Promise<Reach>;
  /** Any of the three by name; `port` is ignored for icmp. */
  readonly probe: (protocol: Protocol, address: string, port: number, options?: ProbeOptions) => Promise<Reach>;
  /** What DNS says to this user: addresses, or an error code such as `ECONNREFUSED`, `ETIMEOUT`, `ENOTFOUND`. */
  readonly resolve: (name: string, options?: { readonly type?: 'A' | 'AAAA'; readonly server?: string; readonly timeout?: number }) => Promise<string[] | string>;
  readonly open: (protocol: 'tcp' | 'udp', address: string, port: number, options?: ProbeOptions) => Promise<Flow>;
  /** An echo server; with `greeting` it speaks first (TCP). */
  readonly listen: (where: Listen) => Promise<Listener>;
};

const patience = 1000;

export const socketsOf = (agent: () => Agent): Sockets => {
  const tcp: Sockets['tcp'] = (address, port, options) => agent().ask('tcp', { address, port, timeout: patience, ...options });
  const udp: Sockets['udp'] = (address, port, options) => agent().ask('udp', { address, port, timeout: patience, ...options });
  const ping: Sockets['ping'] = (address, options) => agent().ask('ping', { address, timeout: patience, ...options });
  return {
    tcp,
    udp,
    ping,
    probe: (protocol, address, port, options) => {
      switch (protocol) {
        case 'tcp':
          return tcp(address, port, options);
        case 'udp':
          return udp(address, port, options);
        case 'icmp':
          return ping(address, options);
        default:
          return protocol satisfies never;
      }
    },
    resolve: (name, options) => agent().ask('resolveName', { name, type: 'A', timeout: patience, ...options }),
    open: (protocol, address, port, options) => openFlow(agent(), protocol, { address, port, timeout: patience, ...options }),
    listen: async (where) => {
      const listener = await agent().ask('listen', where);
      return {
        push: (data) => agent().ask('push', { listener, data }),
        close: () => agent().ask('closeListener', { listener }),
      };
    },
  };
};

const openFlow = async (agent: Agent, protocol: 'tcp' | 'udp', target: { address: string; port: number; timeout: number }): Promise<Flow> => {
  const opened = await agent.ask(protocol === 'tcp' ? 'openTcp' : 'openUdp', target);
  const { flow } = opened;
  if (flow === null) return { opened, exchange: async () => opened, receives: async () => false, close: async () => {} };
  return {
    opened,
    exchange: (timeout = patience) => agent.ask('exchange', { flow, timeout }),
    receives: async (text, timeout = patience) => (await agent.ask('receive', { flow, text, timeout })).received.includes(text),
    close: () => agent.ask('closeFlow', { flow }),
  };
};
