/** One run of the load generator by a user of a client, and what it says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt } from '../test/e2e/run.ts';
import { type Client, CPUS, type Hall } from './packet-hall.ts';
import { type Load, parseLoad } from './packet-output.ts';
import { server } from './packet-plan.ts';

export type Mode = 'udp' | 'ping' | 'flow' | 'connect' | 'bulk';

const ports: Readonly<Record<Mode, number>> = { udp: server.sink, ping: server.echo, flow: server.echo, connect: server.answer, bulk: server.swallow };

export type Sender = { readonly client: Client; readonly uid: number };

const attempted = (program: string, { client, uid }: Sender, mode: Mode, port: number, seconds: number) =>
  attempt([...client.enter, '/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', program, mode, server.address, `${port}`, `${seconds}`, `${CPUS.load}`], { timeout: (seconds + 20) * 1000 });

export const loadOf = async (program: string, sender: Sender, mode: Mode, seconds: number): Promise<Load> => {
  const { exitCode, stdout, stderr } = await attempted(program, sender, mode, ports[mode], seconds);
  if (exitCode !== 0) throw new Error(`packet-client ${mode} of uid ${sender.uid} in ${sender.client.name} ended with ${exitCode}: ${stderr}`);
  return parseLoad(stdout);
};

/** Nothing comes back from the port that no policy allows. */
export const isRefused = async (program: string, sender: Sender): Promise<boolean> => (await attempted(program, sender, 'ping', server.forbidden, 0.01)).exitCode !== 0;

/** Datagrams that arrived, for each second of the sender's CPU: what else runs on it meanwhile does not count. */
export const arrivedPerSecond = async (hall: Hall, program: string, sender: Sender, seconds: number): Promise<number> => {
  const before = await hall.arrived();
  const { cpuSeconds } = await loadOf(program, sender, 'udp', seconds);
  await sleep(10);
  return ((await hall.arrived()) - before) / cpuSeconds;
};
