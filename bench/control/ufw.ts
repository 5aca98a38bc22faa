/** ufw with the rules that it would have written itself. */
import { destinationOf, ufwRules } from './rules.ts';
import type { RivalKind } from './rival.ts';

/** Another value for a `NAME=value` of a shell's file. */
const set = (text: string, name: string, value: string): string => text.replace(new RegExp(`^${name}=.*$`, 'm'), `${name}=${value}`);

export const ufw: RivalKind = {
  name: 'ufw',
  program: '/usr/sbin/ufw',
  package: 'ufw',
  start: async (enclosure, { host }, opened) => {
    const timeout = 120_000;
    const ask = async (...command: string[]): Promise<void> => void (await enclosure.run(command, { timeout }));
    const allow = ['allow', 'out', 'proto', 'udp', 'to', opened, 'port', '443'];
    await host.write('/etc/ufw/ufw.conf', set(set(await host.read('/etc/ufw/ufw.conf'), 'ENABLED', 'yes'), 'LOGLEVEL', 'off'));
    await host.write('/etc/default/ufw', set(set(await host.read('/etc/default/ufw'), 'IPV6', 'no'), 'DEFAULT_OUTPUT_POLICY', '"REJECT"'));
    await ask('/lib/ufw/ufw-init', 'start');
    return {
      permitted: destinationOf(0),
      load: async (rules) => {
        await host.write('/etc/ufw/user.rules', ufwRules(rules), { mode: 0o640 });
        await ask('/usr/sbin/ufw', 'reload');
      },
      change: (open) => ask('/usr/sbin/ufw', ...(open ? allow : ['delete', ...allow])),
      reload: () => ask('/usr/sbin/ufw', 'reload'),
    };
  },
};
