/**
 * One probe each: a connection, a datagram, a ping, a look-up, as they look to a program. Runs inside the namespaces;
 * arguments and results cross a pipe as JSON. Times are milliseconds.
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';

/**
 * `connected`, `echoed`, `replied`: it passed. `refused`: a TCP reset (ECONNREFUSED). `eperm`: the local kernel did not send it.
 * `unreachable`: an ICMP error. `timeout`: silence. Anything else is the error code as it came.
 */
export type Reach = { readonly result: string; readonly ms: number };

/** `from` and `fromPort` are the local address and port to use; without them the kernel chooses. */
export type Target = {
  readonly address: string;
  readonly port: number;
  readonly from?: string;
  readonly fromPort?: number;
  readonly timeout: number;
};

const outcomes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EPERM: 'eperm',
  EACCES: 'eperm',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
};

export const outcomeOf = (error: NodeJS.ErrnoException): string => outcomes[error.code ?? ''] ?? error.code ?? error.message;

export const since = (start: number): number => Math.round((performance.now() - start) * 100) / 100;

/** The connected socket, or null with the reason. */
export const connect = ({ address, port, from, fromPort, timeout }: Target): Promise<Reach & { socket: Socket | null }> =>
  new Promise((resolve) => {
    const start = performance.now();
    const local = { ...(from === undefined ? {} : { localAddress: from }), ...(fromPort === undefined ? {} : { localPort: fromPort }) };
    const socket = connectTcp({ host: address, port, ...local });
    const finish = (result: string): void => {
      clearTimeout(timer);
      socket.removeAllListeners('connect').removeAllListeners('error').on('error', () => {});
      if (result !== 'connected') socket.destroy();
      resolve({ result, ms: since(start), socket: result === 'connected' ? socket : null });
    };
    const timer = setTimeout(finish, timeout, 'timeout');
    socket.once('connect', () => finish('connected')).once('error', (error) => finish(outcomeOf(error)));
  });

const tcp = async (target: Target): Promise<Reach> => {
  const { result, ms, socket } = await connect(target);
  // A reset leaves no TIME_WAIT behind: thousands of probes do not use up the ports.
  socket?.resetAndDestroy();
  return { result, ms };
};

/** One datagram, from a socket that is not connected. */
const udp = ({ address, port, from, fromPort, timeout }: Target): Promise<Reach> =>
  new Promise((resolve) => {
    const start = performance.now();
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const finish = (result: string): void => {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => {});
      socket.close();
      resolve({ result, ms: since(start) });
    };
    const timer = setTimeout(finish, timeout, 'timeout');
    socket.on('message', () => finish('echoed')).on('error', (error) => finish(outcomeOf(error)));
    socket.bind(fromPort ?? 0, from, () => socket.send('probe', port, address, (error) => error && finish(outcomeOf(error))));
  });

/** One echo request by /usr/bin/ping, which uses an unprivileged ping socket. */
const ping = ({ address, timeout }: Omit<Target, 'port'>): Promise<Reach> =>
  new Promise((resolve) => {
    const start = performance.now();
    const args = ['-n', '-c', '1', '-W', String(timeout / 1000), address];
    execFile('/usr/bin/ping', args, { timeout: timeout + 2000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ result: pingResult(error === null, `${stdout}${stderr}`), ms: since(start) });
    });
  });

const pingResult = (replied: boolean, output: string): string => {
  if (replied) return 'replied';
  if (/Operation not permitted|Permission denied/.test(output)) return 'eperm';
  if (/[Ff]iltered|[Uu]nreachable|prohibited/.test(output)) return 'unreachable';
  return /100% packet loss/.test(output) ? 'timeout' : output;
};

/** What a program asking DNS gets: the addresses, or the resolver library's error code. Without `server`, resolv.conf's. */
const resolveName = async (query: { name: string; type: 'A' | 'AAAA'; server?: string; timeout: number }): Promise<string[] | string> => {
  const resolver = new Resolver({ timeout: query.timeout, tries: 1 });
  if (query.server !== undefined) resolver.setServers([query.server]);
  try {
    return await (query.type === 'A' ? resolver.resolve4(query.name) : resolver.resolve6(query.name));
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
};

export const operations = { tcp, udp, ping, resolveName };
