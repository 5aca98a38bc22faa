/** No daemon at all: somebody who writes rules and loads them. */
import { accountOf } from '../policies.ts';
import { destinationOf, iptablesRules } from './rules.ts';
import { allowed } from './netwalld.ts';
import type { RivalKind } from './rival.ts';

const timeout = 120_000;
const NFT = '/usr/sbin/nft';
const BOOT_FILE = '/etc/netwall/boot.nft';
/** A copy: netwalld goes on writing its own. */
const SCRIPT = '/etc/bench.nft';

/** Rules that match the user, one after the other. */
export const iptables: RivalKind = {
  name: 'iptables-restore',
  program: '/usr/sbin/iptables-restore',
  package: 'iptables',
  start: async (enclosure, _world, opened) => {
    let script = '';
    const restore = async (): Promise<void> => void (await enclosure.run(['/usr/sbin/iptables-restore', '--wait=10'], { input: script, timeout }));
    const rule = ['OUTPUT', '-d', opened, '-p', 'udp', '-m', 'owner', '--uid-owner', `${accountOf(0).uid}`, '-m', 'udp', '--dport', '443', '-j', 'ACCEPT'];
    return {
      permitted: destinationOf(0),
      load: (rules) => {
        script = iptablesRules(rules);
        return restore();
      },
      change: async (open) => void (await enclosure.run(['/usr/sbin/iptables', '--wait=10', open ? '-I' : '-D', ...rule], { timeout })),
      reload: restore,
    };
  },
};

/** The floor: the very table that netwalld has made of its policies, with all their addresses. */
export const nft: RivalKind = {
  name: 'nft -f',
  program: NFT,
  package: 'nftables',
  start: async (enclosure, { host }, opened) => {
    const reload = async (): Promise<void> => void (await enclosure.run([NFT, '-f', SCRIPT], { timeout }));
    const element = `{ ${accountOf(0).uid} . ${opened} . udp . 443 }`;
    return {
      permitted: allowed,
      load: async () => {
        await host.write(SCRIPT, await host.read(BOOT_FILE));
        await reload();
      },
      change: async (open) => void (await enclosure.run([NFT, open ? 'add' : 'delete', 'element', 'inet', 'netwall', 'user_egress4', element])),
      reload,
    };
  },
};
