/** firewalld with a D-Bus of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { destinationOf, firewalldPolicy } from './rules.ts';
import type { RivalKind } from './rival.ts';

const BUS = '/run/bench-bus';
const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${BUS}` };

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${BUS}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
`;

export const firewalld: RivalKind = {
  name: 'firewalld',
  program: '/usr/sbin/firewalld',
  package: 'firewalld dbus-daemon',
  start: async (enclosure, world, opened) => {
    const timeout = 120_000;
    const ask = async (...args: string[]): Promise<void> => void (await enclosure.run(['/usr/bin/firewall-cmd', ...args], { env: { DBUS_SYSTEM_BUS_ADDRESS: env.DBUS_SYSTEM_BUS_ADDRESS }, timeout }));
    const running = async (): Promise<boolean> => ask('--state').then(() => true, () => false);
    const rule = `rule family="ipv4" destination address="${opened}" port port="443" protocol="udp" accept`;
    const write = (rules: number): Promise<void> => world.host.write('/etc/firewalld/policies/bench.xml', firewalldPolicy(rules));
    await world.host.write('/etc/bench-bus.conf', busConfig);
    enclosure.spawn('/usr/bin/dbus-daemon', ['--config-file=/etc/bench-bus.conf', '--nofork', '--nopidfile']);
    await write(1);
    await sleep(100);
    const daemon = enclosure.spawn('/usr/sbin/firewalld', ['--nofork', '--nopid'], env);
    for (const end = performance.now() + 20_000; !(await running()); await sleep(50)) {
      if (daemon.exitCode !== null || performance.now() > end) throw new Error('firewalld does not come up');
    }
    return {
      permitted: destinationOf(0),
      load: async (rules) => {
        await write(rules);
        await ask('--reload');
      },
      change: (open) => ask('--policy=bench', `--${open ? 'add' : 'remove'}-rich-rule=${rule}`),
      reload: () => ask('--reload'),
    };
  },
};
