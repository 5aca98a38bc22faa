/** What is as good as another user, or as root: programs, groups, capabilities. */

/** Setuid programs that distributions install; they ask for a password, or do one thing. The most powerful first. */
export const ORDINARY_SETUID: readonly string[] = [
  'sudo', 'sudoedit', 'doas', 'pkexec', 'su', 'run0', 'ksu', 'sg', 'newgrp', 'newuidmap', 'newgidmap', 'mount', 'umount', 'mount.nfs', 'mount.cifs', 'umount.nfs', 'fusermount', 'fusermount3',
  'ntfs-3g', 'bwrap', 'firejail', 'snap-confine', 'at', 'atq', 'atrm', 'batch', 'crontab', 'procmail', 'sendmail', 'exim4', 'postdrop', 'postqueue', 'pppd', 'Xorg.wrap', 'dbus-daemon-launch-helper',
  'polkit-agent-helper-1', 'ssh-keysign', 'ping', 'ping6', 'arping', 'mtr-packet', 'traceroute6.iputils', 'gpasswd', 'passwd', 'chfn', 'chsh', 'chage', 'expiry', 'wall', 'write', 'ssh-agent', 'screen',
  'locate', 'mlocate', 'plocate', 'dotlockfile', 'mail-lock', 'mail-unlock', 'mail-touchlock', 'unix_chkpwd', 'pam_extrausers_chkpwd', 'staprun', 'userhelper', 'usernetctl', 'vmware-user-suid-wrapper', 'utempter',
]; // prettier-ignore

/** Run with another's id, these do whatever they are told. */
const INTERPRETERS = /^(?:ba|da|z|k|mk|tc|c|fi|a)?sh$|^(?:rbash|busybox|env|perl[\d.]*|python[\d.]*|ruby[\d.]*|node|nodejs|php[\d.]*|lua[\d.]*|tclsh[\d.]*|awk|gawk|mawk|find|vi|vim[.\w]*|nano|emacs|less|more|cp|dd|tar|rsync|nmap|gdb|strace|nsenter|unshare|setpriv|systemd-run|docker|ip|nft|tcpdump|socat|nc|ncat|curl|wget)$/;
export const isInterpreter = (name: string): boolean => INTERPRETERS.test(name);

/** Groups whose members are root if they like (critical), if some configuration lets them (warning), or who see more than others (info). */
export const POWERFUL_GROUPS: ReadonlyMap<string, { readonly severity: 'critical' | 'warning' | 'info'; readonly because: string }> = new Map([
  ['root', { severity: 'critical', because: 'writes what the group root may write' }],
  ['docker', { severity: 'critical', because: 'starts containers as root, in any network' }],
  ['lxd', { severity: 'critical', because: 'starts containers as root' }],
  ['incus-admin', { severity: 'critical', because: 'starts containers as root' }],
  ['disk', { severity: 'critical', because: 'reads and writes disks past all permissions' }],
  ['kmem', { severity: 'critical', because: 'reads the memory of the kernel' }],
  ['sudo', { severity: 'warning', because: 'sudo lets its members become root' }],
  ['wheel', { severity: 'warning', because: 'sudo or su lets its members become root' }],
  ['admin', { severity: 'warning', because: 'sudo lets its members become root' }],
  ['shadow', { severity: 'warning', because: 'reads password hashes' }],
  ['staff', { severity: 'warning', because: 'may put programs into /usr/local' }],
  ['libvirt', { severity: 'warning', because: 'starts virtual machines with any disk, in any network' }],
  ['incus', { severity: 'warning', because: 'starts containers' }],
  ['wireshark', { severity: 'warning', because: 'captures packets' }],
  ['netdev', { severity: 'info', because: 'configures networks' }],
  ['adm', { severity: 'info', because: 'reads the logs' }],
  ['systemd-journal', { severity: 'info', because: 'reads the journal' }],
  ['netwall', { severity: 'info', because: 'reads the status of the wall' }],
]);

/** Bits of a capability set (linux/capability.h), as far as they get past the wall. */
export const POWERFUL_CAPABILITIES: ReadonlyMap<string, { readonly bit: number; readonly because: string }> = new Map([
  ['cap_dac_override', { bit: 1, because: 'writes any file' }],
  ['cap_setgid', { bit: 6, because: 'takes any group' }],
  ['cap_setuid', { bit: 7, because: 'becomes any user' }],
  ['cap_net_admin', { bit: 12, because: 'changes the table' }],
  ['cap_net_raw', { bit: 13, because: 'sends packets past it (AF_PACKET)' }],
  ['cap_sys_module', { bit: 16, because: 'loads modules' }],
  ['cap_sys_ptrace', { bit: 19, because: 'takes over other processes' }],
  ['cap_sys_admin', { bit: 21, because: 'enters other namespaces' }],
  ['cap_bpf', { bit: 39, because: 'attaches programs to the packet path' }],
]);

export const capabilityNames = (set: bigint): readonly string[] => [...POWERFUL_CAPABILITIES].flatMap(([name, { bit }]) => ((set >> BigInt(bit)) & 1n) === 1n ? [name] : []);

/** Programs that distributions give capabilities for one task. */
export const ORDINARY_CAPABLE: ReadonlySet<string> = new Set(['ping', 'ping6', 'arping', 'clockdiff', 'mtr-packet', 'traceroute', 'newuidmap', 'newgidmap', 'gst-ptp-helper', 'systemd-detect-virt', 'fping', 'snap-confine', 'dumpcap', 'ksysguard_helper', 'ksgrd_network_helper', 'kwin_wayland']);
