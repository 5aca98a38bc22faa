/** A netwalld of its own for a client, which stays while it is measured. */
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { attempt } from '../test/e2e/run.ts';
import { until } from '../test/e2e/until.ts';
import type { World } from '../test/e2e/world.ts';
import type { Client } from './packet-hall.ts';

const PATIENCE = 120_000;

/** Starts it on policies, each a file; returns how it is ended, once all is enforced and the guard stands. */
export const govern = async (world: World, { name, namespace, enter }: Client, policies: readonly string[], dist = `${world.repository}/dist`): Promise<() => Promise<void>> => {
  const directory = `/run/bench/${name}`;
  for (const [index, text] of policies.entries()) await world.policy(`${directory}/policies/${index}.yaml`, text);
  const config = { policy_dirs: [`${directory}/policies`], state_dir: `${directory}/state`, runtime_dir: `${directory}/run`, boot_file: `${directory}/boot.nft`, reconcile_interval: '1h' };
  await world.host.write(`${directory}/netwalld.yaml`, JSON.stringify(config));
  await world.exec('/usr/bin/mkdir', ['-m', '700', `${directory}/state`, `${directory}/run`]);
  // the world ends what is in its own namespaces: this one is to end with the benchmark, however that ends
  const daemon = world.spawn('/usr/bin/setpriv', ['--pdeathsig', 'TERM', '--', '/usr/bin/nsenter', `--net=${namespace}`, '--', `${dist}/netwalld`, '--config', `${directory}/netwalld.yaml`]);
  const said: string[] = [];
  for (const input of [daemon.stdout, daemon.stderr]) if (input !== null) createInterface({ input }).on('line', (line) => said.push(line));
  const end = async (): Promise<void> => {
    if (daemon.exitCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
  };
  const stands = async (): Promise<boolean> => {
    if (daemon.exitCode !== null || !said.some((line) => line.includes('"msg":"enforced"'))) return false;
    return (await attempt([...enter, '/usr/sbin/nft', 'list', 'chain', 'inet', 'netwall_guard', 'output'])).exitCode === 0;
  };
  try {
    await until('netwalld enforces', stands, PATIENCE);
    return end;
  } catch (error) {
    await end();
    throw new Error(`netwalld of ${policies.length} policies: ${said.slice(-5).join('\n')}`, { cause: error });
  }
};
