/** OpenSnitch without its window, in the world's mount namespace and a client's network: one rule, and nobody else passes. */
import { once } from 'node:events';
import { attempt } from '../test/e2e/run.ts';
import { until } from '../test/e2e/until.ts';
import type { World } from '../test/e2e/world.ts';
import type { Client } from './packet-hall.ts';
import { permitted, server } from './packet-plan.ts';

export const OPENSNITCH = '/usr/bin/opensnitchd';
const directory = '/etc/opensnitchd';

const config = {
  Server: { Address: 'unix:///run/no-window.sock', LogFile: '/dev/null' },
  DefaultAction: 'deny',
  DefaultDuration: 'once',
  InterceptUnknown: true,
  ProcMonitorMethod: 'proc',
  LogLevel: 2,
  Firewall: 'iptables',
  Stats: { MaxEvents: 150, MaxStats: 25 },
};

const operator = (type: 'simple' | 'regexp', operand: string, data: string) => ({ type, operand, sensitive: false, data, list: null });
const ruleFor = (uid: number) => ({
  created: '2026-01-01T00:00:00Z',
  updated: '2026-01-01T00:00:00Z',
  name: 'bench',
  enabled: true,
  precedence: false,
  action: 'allow',
  duration: 'always',
  operator: {
    type: 'list',
    operand: 'list',
    sensitive: false,
    data: '',
    list: [operator('simple', 'user.id', `${uid}`), operator('simple', 'dest.ip', server.address), operator('regexp', 'dest.port', `^(${permitted.map(([, port]) => port).join('|')})$`)],
  },
});

/** Returns how it is ended, once its queue is asked. */
export const startOpenSnitch = async (world: World, { namespace, enter }: Client, uid: number): Promise<() => Promise<void>> => {
  await world.host.write(`${directory}/default-config.json`, JSON.stringify(config));
  await world.host.write(`${directory}/system-fw.json`, JSON.stringify({ SystemRules: [] }));
  await world.host.write(`${directory}/rules/bench.json`, JSON.stringify(ruleFor(uid)));
  const daemon = world.spawn('/usr/bin/setpriv', ['--pdeathsig', 'TERM', '--', '/usr/bin/nsenter', `--net=${namespace}`, '--', OPENSNITCH, '-rules-path', `${directory}/rules`, '-process-monitor-method', 'proc']);
  daemon.stdout?.resume();
  daemon.stderr?.resume();
  const end = async (): Promise<void> => {
    if (daemon.exitCode !== null) return;
    const ended = once(daemon, 'exit');
    // told to end it takes some seconds over its rules, which go with the namespace
    daemon.kill('SIGKILL');
    await ended;
  };
  try {
    await until('OpenSnitch has its rules in place', async () => (await attempt([...enter, '/usr/sbin/nft', 'list', 'ruleset'])).stdout.includes('ct state new,related'), 15_000);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
};
