/**
 * One server and many clients, each in a network namespace of its own without a name, joined in the same way. A namespace is gone with
 * the process that holds it, which ends when its stdin does: also if the benchmark is killed.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { run } from '../test/e2e/run.ts';
import { server } from './packet-plan.ts';

/** The generator's CPU and the other. Whoever waits for the other's answer shares its CPU, so that no wake-up of a sleeping one is measured. */
export const CPUS = { load: 0, other: 1 } as const;

export type Client = {
  readonly name: string;
  /** The beginning of a command line that runs the rest there, with the machine's own files. */
  readonly enter: readonly string[];
  readonly namespace: string;
};

export type Hall = {
  readonly client: () => Promise<Client>;
  /** Datagrams that have come to the sink since it began. */
  readonly arrived: () => Promise<number>;
  readonly close: () => Promise<void>;
};

type Held = Client & { readonly pid: number; readonly end: () => Promise<void> };

const ended = async (child: ChildProcessWithoutNullStreams): Promise<void> => {
  const exit = child.exitCode === null ? once(child, 'exit') : null;
  child.stdin.end();
  await exit;
};

const hold = async (): Promise<Held> => {
  const holder = spawn('/usr/bin/unshare', ['--net', '/bin/sh', '-c', 'echo; exec cat']);
  await once(holder.stdout, 'data');
  const { pid = 0 } = holder;
  const namespace = `/proc/${pid}/ns/net`;
  return { name: `client-${pid}`, pid, namespace, enter: ['/usr/bin/nsenter', `--net=${namespace}`, '--'], end: () => ended(holder) };
};

/** Flows that are over would fill the buckets of the kernel's one table of them, which all namespaces share, for two minutes. */
const settings = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv4.ip_local_port_range=1024 65535', 'net.netfilter.nf_conntrack_udp_timeout=2', 'net.netfilter.nf_conntrack_tcp_timeout_time_wait=2'];

const configure = async ({ enter }: Client, lines: readonly string[]): Promise<void> => {
  await run([...enter, '/usr/sbin/sysctl', '-qw', ...settings]);
  await run([...enter, '/usr/sbin/ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
};

export const createHall = async (program: string): Promise<Hall> => {
  const middle = await hold();
  const holders = [middle];
  await configure(middle, ['link set lo up', `addr add ${server.address}/32 dev lo`]);
  const serve = (mode: string, port: number, cpu: number) => {
    const [file, ...args] = ['/usr/bin/nsenter', `--net=${middle.namespace}`, '--', program, mode, server.address, `${port}`, `${cpu}`];
    return spawn(file, args);
  };
  const sink = serve('sink', server.sink, CPUS.other);
  const others = [
    serve('echo', server.echo, CPUS.load),
    serve('echo', server.forbidden, CPUS.load),
    serve('answer', server.answer, CPUS.load),
    serve('swallow', server.swallow, CPUS.load),
  ];
  const counts = createInterface({ input: sink.stdout })[Symbol.asyncIterator]();
  return {
    client: async () => {
      const held = await hold();
      const number = holders.push(held) - 1;
      const [near, far] = [`198.18.${number}.2`, `198.18.${number}.1`];
      await run([...middle.enter, '/usr/sbin/ip', 'link', 'add', `c${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${held.pid}`]);
      await configure(middle, [`addr add ${far}/30 dev c${number}`, `link set c${number} up`]);
      await configure(held, ['link set lo up', `addr add ${near}/30 dev eth0`, 'link set eth0 up', `route add default via ${far}`]);
      return held;
    },
    arrived: async () => {
      sink.stdin.write('\n');
      return Number((await counts.next()).value);
    },
    close: async () => {
      await Promise.all([sink, ...others].map(ended));
      await Promise.all(holders.map(({ end }) => end()));
    },
  };
};
