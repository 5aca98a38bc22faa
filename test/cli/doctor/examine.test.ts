/** Every finding: what causes it, how bad it is, and what it says. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { examine } from '../../../src/cli/doctor/examine.ts';
import { SEVERITIES } from '../../../src/cli/doctor/finding.ts';
import type { Survey } from '../../../src/cli/doctor/survey.ts';
import type { Severity } from '../../../src/control/api.ts';
import { known, unknown } from '../../../src/host/survey/known.ts';
import { sealed } from '../../../src/ruleset/boot.ts';
import type { Program } from '../../../src/host/survey/programs.ts';
import type { ServiceUnit, UnitState } from '../../../src/host/survey/units.ts';
import { answering, governedBy, healthy, process, status } from './healthy.ts';

const RESOLVED = '/run/systemd/resolve/io.systemd.Resolve';
const GROUP = governedBy('service: builders\nmatch: { group: 2000 }\n');
const policy = (rest: string, dns = 'filtered') => governedBy(`service: shop\nmatch: { user: 1001 }\ndns: ${dns}\n${rest}\n`);
const allow = (entry: string, dns?: string) => policy(`egress: { allow: [${entry}] }`, dns);

const conntrack = (changes: object): Partial<Survey> => ({ conntrack: known({ loose: true, count: 0, max: 1000, dropped: 0, earlyDropped: 0, ...changes }) });
const kernel = (changes: object): Partial<Survey> => ({ kernel: known({ release: '6.18.0', missingModules: known([]), routeLocalnet: [], ipv6: 'on', userNamespaces: false, ...changes }) });
const kernelSockets = (changes: Partial<Survey['kernelSockets']>): Partial<Survey> => ({ kernelSockets: { ...healthy().kernelSockets, ...changes } });
const program = (path: string, mode = 0o104755, changes: Partial<Program> = {}): Program => ({ path, uid: 0, gid: 0, mode, copyOf: null, ...changes });
const capable = (path: string, ...capabilities: string[]): Partial<Survey> => ({ capablePrograms: known([{ ...program(path, 0o100755), capabilities }]) });
const processes = (...governed: Parameters<typeof process>[0][]): Partial<Survey> => ({ processes: { governed: governed.map(process), networks: 2, complete: true } });
const member = (...groups: number[]): Partial<Survey> => ({ people: known({ persons: [{ name: 'shop', uid: 1001, gid: 1001, groups: [1001, ...groups] }], groupNames: new Map([[27, 'sudo'], [998, 'docker'], [4, 'adm'], [2000, 'ci']]) }) });
const builder = (groups: number[], noNewPrivileges = false): Partial<Survey> => ({
  services: GROUP,
  people: known({ persons: [{ name: 'bob', uid: 1500, gid: 2000, groups: [2000, ...groups] }], groupNames: new Map() }),
  ...processes({ uid: 1500, gid: 2000, noNewPrivileges }),
});
const units = (states: Record<string, Partial<UnitState>>, services: readonly Partial<ServiceUnit>[] = []): Partial<Survey> => ({
  units: known({
    states: new Map([['netwall-boot.service', { loaded: true, active: true, enabled: true }], ...Object.entries(states).map(([unit, state]): [string, UnitState] => [unit, { loaded: true, active: false, enabled: false, ...state }])]),
    services: services.map((service) => ({ unit: 'shop.service', user: 'shop', ambient: [], sockets: [], ...service })),
  }),
});
const [shop] = status().services;
const service = (changes: object): Partial<Survey> => ({ daemon: answering({ services: shop === undefined ? [] : [{ ...shop, ...changes }] }) });
const drift = (kind: 'listener' | 'shadow') => ({ id: '1', kind, service: 'shop', detail: 'uid 1001 listens', process: null, firstSeen: '', lastSeen: '', count: 1, repaired: false, openMilliseconds: null });
const way = (uid: number, mode: number, above = 0o40755) => known([{ path: '/p', uid, gid: 0, mode }, { path: '/', uid: 0, gid: 0, mode: above }]);
const boot = (text: string | null): Partial<Survey> => ({ bootFile: { way: way(0, 0o100600), text: known(text === null ? null : sealed(text)) } });
const noGuard = answering({ guard: { state: 'failed', message: 'no' } });

type Row = readonly [what: string, changes: Partial<Survey>, id: string, severity: Severity, says?: RegExp];

const ROWS: readonly Row[] = [
  ['no daemon', { daemon: { reach: 'not reachable', message: 'ENOENT' } }, 'daemon', 'critical', /systemctl start netwalld/],
  ['… so it cannot be asked', { daemon: { reach: 'not reachable', message: 'ENOENT' } }, 'guard', 'info', /not checked: netwalld has to be asked/],
  ['a daemon that may not be asked', { daemon: { reach: 'not permitted', message: 'EACCES' } }, 'daemon', 'info', /not checked: only root/],
  ['a daemon that says something else', { daemon: { reach: 'failed', message: '404' } }, 'daemon', 'critical'],
  ['unloaded', { daemon: answering({ state: 'degraded', message: 'unloaded: nothing is confined' }) }, 'daemon', 'critical', /netwallctl reload$/],
  ['degraded', { daemon: answering({ state: 'degraded', message: 'nft hangs' }) }, 'daemon', 'critical', /nft hangs/],
  ['starting', { daemon: answering({ state: 'starting' }) }, 'daemon', 'warning'],
  ['a guard that failed', { daemon: noGuard }, 'guard', 'warning'],
  ['no guard, as configured', { daemon: answering({ guard: { state: 'off', message: 'guard.mark is null' } }) }, 'guard', 'info', /guard\.mark is null/],
  ['no guard, as nobody is governed', { daemon: answering({ guard: { state: 'off', message: null }, services: [] }) }, 'guard', 'ok'],
  ['drift', { daemon: answering({ drift: { open: [drift('listener')], repaired: 0, last: null } }) }, 'drift', 'warning', /listener \(shop\): uid 1001 listens/],
  ['drift of other tables is said once', { daemon: answering({ drift: { open: [drift('shadow')], repaired: 0, last: null } }) }, 'drift', 'ok'],
  ['a stale service', service({ state: 'stale', message: 'x.yaml:1:1: no' }), 'services', 'warning', /shop is stale: x\.yaml:1:1/],
  ['an audited service', service({ mode: 'audit' }), 'audit', 'info', /shop/],
  ['a trial', { daemon: answering({ trial: { files: ['/tmp/a.yaml'], until: '2026-11-21T01:00:00Z' } }) }, 'trial', 'info', /\/tmp\/a\.yaml/],
  ['a grant', { daemon: answering({ grants: [{ id: 3, service: 'shop', to: '45.64.8.1', ports: ['22'], private: false, reason: 'restore', by: 'ann', since: '', until: '2026-11-21T01:00:00Z', remainingSeconds: 60, fault: null }] }) }, 'grants', 'info', /grant 3: shop to 45\.64\.8\.1 at 22 until 2026-11-21T01:00:00Z \(restore\)/],
  ['a service that is learnt from', { daemon: answering({ learning: [{ service: 'shop', until: '2026-11-21T01:00:00Z' }] }) }, 'learning', 'warning', /shop until 2026-11-21T01:00:00Z/],
  ['a bad configuration', { configProblem: 'netwalld.yaml:3:1: error' }, 'configuration', 'warning', /netwalld\.yaml:3:1/],

  ['a policy directory of a user', { policyDirectories: [{ path: '/p', way: way(1000, 0o40755) }] }, 'policy-directories', 'critical', /\/p: owner uid 1000, mode 0755/],
  ['… that anybody may write to', { policyDirectories: [{ path: '/p', way: way(0, 0o40777) }] }, 'policy-directories', 'critical', /mode 0777/],
  ['… below one that anybody may write to', { policyDirectories: [{ path: '/p', way: way(0, 0o40755, 0o40777) }] }, 'policy-directories', 'critical', /^\/: owner root, mode 0777/m],
  ['… below a sticky one', { policyDirectories: [{ path: '/p', way: way(0, 0o40755, 0o41777) }] }, 'policy-directories', 'ok'],
  ['… that is not there', { policyDirectories: [{ path: '/p', way: known([]) }] }, 'policy-directories', 'ok'],
  ['… that is not to be seen', { policyDirectories: [{ path: '/p', way: unknown('only root may look') }] }, 'policy-directories', 'info', /sudo netwallctl doctor/],
  ['a state directory of a user', { stateDirectory: known({ path: '/s', uid: 7, gid: 0, mode: 0o40700 }) }, 'state-directory', 'critical'],
  ['… that others may read', { stateDirectory: known({ path: '/s', uid: 0, gid: 0, mode: 0o40755 }) }, 'state-directory', 'info'],
  ['… that is gone', { stateDirectory: known(null) }, 'state-directory', 'warning'],
  ['… that never was', { stateDirectory: known(null), daemon: { reach: 'not reachable', message: '' } }, 'state-directory', 'ok'],
  ['no boot file', boot(null), 'boot-file', 'warning'],
  ['a boot file without a governed user', boot('add element inet netwall user_mode { 1002 : goto user_enforce }\n'), 'boot-file', 'warning', /without: shop/],
  ['… during a trial', { ...boot('add element inet netwall user_mode { 1002 : goto user_enforce }\n'), daemon: answering({ trial: { files: [], until: '' } }) }, 'boot-file', 'ok'],
  ['a boot file with others as well', boot('add element inet netwall user_mode { 7 : goto user_audit, 1001 comment "x" : goto user_enforce }\n'), 'boot-file', 'ok'],
  ['a boot file of the group alone', boot('add element inet netwall group_mode { 1001 : goto group_enforce }\n'), 'boot-file', 'warning'],
  ['a boot file that was cut', { bootFile: { way: way(0, 0o100600), text: known('add element inet netwall user_mode { 1001 : goto user_enforce }\n') } }, 'boot-file', 'warning', /^/],
  ['a boot file of a user', { bootFile: { way: way(1000, 0o100600), text: known('') } }, 'boot-file', 'critical'],
  ['no boot unit', units({ 'netwall-boot.service': { loaded: false } }), 'boot-unit', 'warning', /there is no netwall-boot\.service/],
  ['a boot unit that is not enabled', units({ 'netwall-boot.service': {} }), 'boot-unit', 'warning', /systemctl enable netwall-boot\.service/],
  ['no systemd', { units: known(null) }, 'boot-unit', 'info', /not checked: systemd does not run here/],

  ['no conntrack under a wall', { conntrack: known(null) }, 'conntrack', 'critical', /modprobe nf_conntrack/],
  ['no conntrack, and nothing that needs it', { conntrack: known(null), daemon: { reach: 'not reachable', message: '' } }, 'conntrack', 'info'],
  ['strict TCP tracking', conntrack({ loose: false }), 'conntrack-loose', 'info', /tcp_loose is 0/],
  ['79 %', conntrack({ count: 799 }), 'conntrack-table', 'ok', /79 %/],
  ['80 %', conntrack({ count: 800 }), 'conntrack-table', 'warning', /800 of 1000 entries \(80 %\)[^]*nf_conntrack_max=65536/],
  ['95 %', conntrack({ count: 950 }), 'conntrack-table', 'critical'],
  ['a table of no size', conntrack({ max: 0 }), 'conntrack-table', 'ok'],
  ['drops of long ago', conntrack({ dropped: 3 }), 'conntrack-drops', 'info', /3 packets dropped/],
  ['drops of a table that is full', conntrack({ dropped: 1, earlyDropped: 2, count: 990 }), 'conntrack-drops', 'warning', /1 packet dropped, 2 entries thrown out/],

  ['another table', { otherTables: known(['table ip f, chain o drops']) }, 'other-tables', 'warning', /table ip f, chain o drops/],
  ['tables that cannot be listed', { otherTables: unknown('only root may list tables') }, 'other-tables', 'info'],
  ['a flush that nothing loads', { ...units({ 'nftables.service': {} }), daemon: noGuard }, 'flush-ruleset', 'ok'],
  ['a flush under the guard', units({ 'nftables.service': { enabled: true } }), 'flush-ruleset', 'info'],
  ['a flush without the guard', { ...units({ 'nftables.service': { enabled: true } }), daemon: noGuard }, 'flush-ruleset', 'warning'],
  ['a flush, and a guard that nobody tells of', { ...units({ 'nftables.service': { enabled: true } }), daemon: { reach: 'not permitted', message: '' } }, 'flush-ruleset', 'info', /not checked/],
  ['a flush in a comment', { ...units({ 'nftables.service': { enabled: true } }), daemon: noGuard, nftablesConf: known('# flush ruleset\n') }, 'flush-ruleset', 'ok'],
  ['docker and firewalld', units({ 'docker.service': { active: true }, 'firewalld.service': { active: true } }), 'firewall-managers', 'info', /firewalld, docker/],
  ['a ufw unit that has nothing to do', units({ 'ufw.service': { active: true } }), 'firewall-managers', 'ok'],
  ['ufw', { ufwConf: known('# x\nENABLED=yes\n') }, 'firewall-managers', 'info', /ufw/],

  ['nss-resolve with its socket', { nsswitch: known('hosts: files resolve [!UNAVAIL=return] dns\n'), nameSockets: [RESOLVED] }, 'nsswitch', 'warning', /services with filtered or no DNS: shop[^]*hosts: files dns/],
  ['nss-resolve with nobody to ask', { nsswitch: known('hosts: files resolve [!UNAVAIL=return] dns\n'), nameSockets: [] }, 'nsswitch', 'info'],
  ['nss-resolve, in a comment', { nsswitch: known('hosts: files dns # resolve\n'), nameSockets: [RESOLVED] }, 'nsswitch', 'ok'],
  ['nss-resolve, for users', { nsswitch: known('passwd: files resolve\nhosts: files dns\n'), nameSockets: [RESOLVED] }, 'nsswitch', 'ok'],
  ['mdns', { nsswitch: known('hosts: files mdns4_minimal [NOTFOUND=return] dns\n') }, 'nsswitch', 'info', /mdns4_minimal/],
  ['no nsswitch.conf', { nsswitch: known(null), nameSockets: [RESOLVED] }, 'nsswitch', 'ok'],
  ['nss-resolve where DNS is the system\'s', { nsswitch: known('hosts: resolve\n'), nameSockets: [RESOLVED], services: policy('', 'system') }, 'nsswitch', 'ok'],
  ['resolved, to be asked', processes({ sockets: [RESOLVED] }), 'resolver-sockets', 'warning', /systemd-resolved .* can be asked by: shop[^]*InaccessiblePaths=-\/run\/systemd\/resolve\/io\.systemd\.Resolve$/],
  ['resolved, by a service that does not run', { processes: { governed: [], networks: 1, complete: true }, nameSockets: [RESOLVED] }, 'resolver-sockets', 'warning'],
  ['resolved, out of reach of the unit', { nameSockets: [RESOLVED] }, 'resolver-sockets', 'ok'],
  ['resolved, within reach or not', { ...processes({ sockets: null }), nameSockets: [RESOLVED] }, 'resolver-sockets', 'info', /not checked: only root/],
  ['nobody to ask, whoever it is', processes({ sockets: null }), 'resolver-sockets', 'ok'],
  ['resolved over D-Bus', { ...processes({ sockets: ['/run/dbus/system_bus_socket'] }), nameSockets: [RESOLVED] }, 'resolver-sockets', 'warning', /through D-Bus/],
  ['D-Bus without resolved', processes({ sockets: ['/run/dbus/system_bus_socket'] }), 'resolver-sockets', 'ok'],
  ['nscd', processes({ sockets: ['/run/nscd/socket'] }), 'resolver-sockets', 'warning', /nscd/],
  ['avahi', processes({ sockets: ['/run/avahi-daemon/socket'] }), 'resolver-sockets', 'info'],
  ['nscd, with dns: none', { ...processes({ sockets: ['/run/nscd/socket'] }), services: policy('', 'none') }, 'resolver-sockets', 'warning'],
  ['nscd, with dns: system', { ...processes({ sockets: ['/run/nscd/socket'] }), services: policy('', 'system') }, 'resolver-sockets', 'ok'],

  ['a resolver by address', { services: allow('{ to: 8.8.8.8, ports: [443] }') }, 'encrypted-dns', 'warning', /shop: \/etc\/netwall\.d\/test\.yaml:4: 8\.8\.8\.8 lets it reach 8\.8\.8\.8 \(Google\)/],
  ['… of IPv6', { services: allow('{ to: "2620:fe::fe", ports: [853] }') }, 'encrypted-dns', 'warning', /Quad9/],
  ['… by UDP', { services: allow('{ to: 1.1.1.1, ports: [443/udp] }') }, 'encrypted-dns', 'warning'],
  ['… at every port', { services: allow('{ to: 1.1.1.0/24, ports: [any] }') }, 'encrypted-dns', 'warning', /1\.1\.1\.1 \(Cloudflare\), 1\.1\.1\.2 \(Cloudflare\) and 1 more/],
  ['… at another port', { services: allow('{ to: 8.8.8.8, ports: [80, 8443] }') }, 'encrypted-dns', 'ok'],
  ['… that is denied', { services: policy('egress: { allow: [{ to: 8.8.8.0/24, ports: [443] }], deny: [{ to: 8.8.8.8 }] }') }, 'encrypted-dns', 'ok'],
  ['a resolver by name', { services: allow('{ to: dns.google, ports: [443] }') }, 'encrypted-dns', 'warning', /dns\.google lets it reach dns\.google \(Google\)/],
  ['… below a wildcard', { services: allow('{ to: "*.cloudflare-dns.com", ports: [443] }') }, 'encrypted-dns', 'warning'],
  ['… of which the name is denied', { services: policy('egress: { allow: [{ to: "*.quad9.net", ports: [443] }], deny: [{ to: "*.quad9.net" }] }') }, 'encrypted-dns', 'ok'],
  ['everything', { services: allow('{ to: [0.0.0.0/0, "::/0"], ports: [443] }') }, 'encrypted-dns', 'info', /0\.0\.0\.0\/0 lets it reach 8\.8\.8\.8/],
  ['everything, and a resolver besides', { services: allow('{ to: [8.8.4.4, 0.0.0.0/0], ports: [443] }') }, 'encrypted-dns', 'warning'],
  ['a resolver, with the system\'s DNS', { services: allow('{ to: 8.8.8.8, ports: [443] }', 'system') }, 'encrypted-dns', 'ok'],

  ['an ordinary setuid program', { setIdPrograms: [program('/usr/bin/passwd'), program('/usr/bin/su')] }, 'setuid-programs', 'info', /2 ordinary setuid programs, the most powerful su/],
  ['… that gains nothing', { setIdPrograms: [program('/usr/bin/su')], ...processes({ noNewPrivileges: true }) }, 'setuid-programs', 'ok'],
  ['… where one of two processes may gain', { setIdPrograms: [program('/usr/bin/su')], ...processes({ noNewPrivileges: true }, { pid: 2 }) }, 'setuid-programs', 'info'],
  ['… that only a group may run', { setIdPrograms: [program('/usr/bin/su', 0o104750, { gid: 27 })] }, 'setuid-programs', 'ok'],
  ['… and the user is in it', { setIdPrograms: [program('/usr/bin/su', 0o104750, { gid: 27 })], ...member(27) }, 'setuid-programs', 'info'],
  ['an unusual one', { setIdPrograms: [program('/opt/helper')] }, 'setuid-programs', 'warning', /\/opt\/helper: setuid root; can be run by shop/],
  ['a setuid shell', { setIdPrograms: [program('/usr/bin/bash')] }, 'setuid-programs', 'critical'],
  ['… under another name', { setIdPrograms: [program('/opt/su', 0o104755, { copyOf: '/usr/bin/dash' })] }, 'setuid-programs', 'critical', /the same as \/usr\/bin\/dash/],
  ['one that anybody may overwrite', { setIdPrograms: [program('/usr/bin/su', 0o104757)] }, 'setuid-programs', 'critical', /anybody may overwrite it/],
  ['one that is setuid the user itself', { setIdPrograms: [program('/opt/helper', 0o104755, { uid: 1001 })] }, 'setuid-programs', 'ok'],
  ['setgid does not matter to a user policy', { setIdPrograms: [program('/opt/helper', 0o102755)] }, 'setuid-programs', 'ok'],
  ['… but to a group policy', { setIdPrograms: [program('/opt/helper', 0o102755)], ...builder([]) }, 'setuid-programs', 'warning', /setgid 0; can be run by bob \(service builders\)/],
  ['ping with a capability', capable('/usr/bin/ping', 'cap_net_raw'), 'file-capabilities', 'info'],
  ['python with one', capable('/usr/bin/python3.11', 'cap_net_admin'), 'file-capabilities', 'critical', /python3\.11: cap_net_admin/],
  ['something else with one', capable('/opt/agent', 'cap_sys_ptrace'), 'file-capabilities', 'warning', /setcap -r \/opt\/agent/],
  ['a capability that does not pass the wall', capable('/opt/web', 'cap_net_bind_service'), 'file-capabilities', 'ok'],
  ['no getcap', { capablePrograms: unknown('getcap is missing: apt install libcap2-bin') }, 'file-capabilities', 'info', /libcap2-bin/],

  ['a policy for root', { services: governedBy('service: all\nmatch: { user: 0 }\n') }, 'root', 'warning'],
  ['group docker', member(998), 'groups', 'critical', /shop is in docker/],
  ['group docker, of a process only', processes({ groups: [998] }), 'groups', 'critical'],
  ['group sudo', member(27), 'groups', 'warning'],
  ['group adm', member(4), 'groups', 'info'],
  ['an ordinary group', member(2000), 'groups', 'ok'],
  ['groups that nobody tells', { people: unknown('getent group does not answer') }, 'groups', 'info', /not checked/],
  ['a governed group, and another one', builder([3000]), 'group-policies', 'warning', /bob \(service builders\)/],
  ['… that gains nothing', builder([3000], true), 'group-policies', 'ok'],
  ['a governed group alone', builder([]), 'group-policies', 'ok'],
  ['sudo for everything without a password', { sudoers: known('shop ALL=(ALL:ALL) NOPASSWD: ALL\n') }, 'sudoers', 'critical', /shop: shop ALL=/],
  ['sudo for one thing', { sudoers: known('shop ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop\n') }, 'sudoers', 'warning'],
  ['sudo with a password', { sudoers: known('%sudo ALL=(ALL:ALL) ALL\n'), ...member(27) }, 'sudoers', 'warning'],
  ['sudo for others', { sudoers: known('root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n') }, 'sudoers', 'ok'],
  ['sudoers that only root may read', { sudoers: unknown('only root may look') }, 'sudoers', 'info', /not checked: only root may look/],
  ['CAP_NET_RAW', processes({ capabilities: 1n << 13n }), 'process-capabilities', 'critical', /shopd\[4711\] of shop: cap_net_raw/],
  ['CAP_NET_BIND_SERVICE', processes({ capabilities: 1n << 10n }), 'process-capabilities', 'ok'],
  ['all of them, in a user namespace', processes({ capabilities: (1n << 41n) - 1n, sameUsers: false }), 'process-capabilities', 'ok'],
  ['… that cannot be seen', processes({ capabilities: (1n << 41n) - 1n, sameUsers: null }), 'process-capabilities', 'info', /not checked/],
  ['… of somebody else', processes({ capabilities: 1n << 13n, uid: 5, gid: 5 }), 'process-capabilities', 'ok'],
  ['a unit with CAP_NET_ADMIN', units({}, [{ ambient: ['cap_net_bind_service', 'cap_net_admin'] }]), 'unit-capabilities', 'warning', /shop\.service \(User=shop\): AmbientCapabilities=cap_net_admin/],
  ['a unit that may bind low ports', units({}, [{ ambient: ['cap_net_bind_service'] }]), 'unit-capabilities', 'ok'],
  ['socket activation', units({}, [{ sockets: ['shop.socket [::]:80 (Stream)'] }]), 'socket-activation', 'warning', /shop\.socket \[::\]:80/],
  ['systemctl that fails', { units: unknown('systemctl does not answer') }, 'socket-activation', 'info'],
  ['a crontab', { crontabs: known(['shop', 'other']) }, 'scheduled-jobs', 'info', /crontab: shop$/m],
  ['an at job', { atJobs: known([1001]) }, 'scheduled-jobs', 'info', /at: shop/],
  ['the crontab of another', { crontabs: known(['other']) }, 'scheduled-jobs', 'ok'],

  ['another network', processes({ sameNetwork: false, interfaces: ['lo', 'eth0'] }), 'network-namespaces', 'warning', /shopd\[4711\] of shop: interfaces lo, eth0/],
  ['another network with nothing in it', processes({ sameNetwork: false, interfaces: ['lo'] }), 'network-namespaces', 'info'],
  ['a network that cannot be seen', processes({ sameNetwork: null }), 'network-namespaces', 'info', /not checked: only root/],
  ['processes that are hidden', { processes: { governed: [], networks: null, complete: false } }, 'network-namespaces', 'info', /not checked: only root sees all processes/],
  ['… capabilities and all', { processes: { governed: [], networks: null, complete: false } }, 'process-capabilities', 'info', /not checked: only root sees all processes/],
  ['docker', { engines: known([{ engine: 'docker', path: '/run/docker.sock', uid: 0, gid: 998, mode: 0o140660 }]) }, 'containers', 'info'],
  ['docker that the user commands', { engines: known([{ engine: 'docker', path: '/run/docker.sock', uid: 0, gid: 998, mode: 0o140660 }]), ...member(998) }, 'containers', 'critical', /shop may write to \/run\/docker\.sock/],
  ['user namespaces', kernel({ userNamespaces: true }), 'user-namespaces', 'info'],

  ['rxrpc, loaded', kernelSockets({ protocols: known(['TCP', 'RXRPC']), loadable: known(['rxrpc']) }), 'kernel-sockets', 'warning', /^rxrpc is there\nSuch[^]*RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK/m],
  ['smc and rds, to be loaded', kernelSockets({ loadable: known(['smc', 'rds']) }), 'kernel-sockets', 'warning', /^smc is loaded for any user who asks\nrds is[^]*\/usr\/lib\/modprobe\.d\/netwall\.conf [^;]*$/m],
  ['an endpoint of MPTCP', kernelSockets({ mptcp: known({ endpoints: ['10.0.0.2 id 1 subflow'], accepted: 0 }) }), 'kernel-sockets', 'warning', /^MPTCP connects from 10\.0\.0\.2 id 1 subflow\nSuch[^]*\nip mptcp endpoint flush/m],
  ['MPTCP to where peers say', kernelSockets({ mptcp: known({ endpoints: [], accepted: 2 }) }), 'kernel-sockets', 'warning', /add_addr_accepted 2/],
  ['no MPTCP', kernelSockets({ mptcp: known(null) }), 'kernel-sockets', 'ok'],
  ['modules that cannot be seen', kernelSockets({ loadable: unknown('/lib/modules has nothing of this kernel') }), 'kernel-sockets', 'info', /not checked: \/lib\/modules/],
  ['… beside one that is there', kernelSockets({ protocols: known(['SMC']), loadable: unknown('x') }), 'kernel-sockets', 'warning', /smc is there/],
  ['no ip to ask', kernelSockets({ mptcp: unknown('ip is missing: apt install iproute2') }), 'kernel-sockets', 'info', /not checked: ip is missing/],

  ['an old kernel', kernel({ release: '5.10.0-20' }), 'kernel', 'critical'],
  ['Debian 12\'s', kernel({ release: '6.1.0-30-amd64' }), 'kernel', 'info', /before 6\.12[^]*before 6\.16/],
  ['6.12', kernel({ release: '6.12.3' }), 'kernel', 'info', /^before 6\.16/m],
  ['no nft', { nft: null }, 'nft', 'critical'],
  ['an old nft', { nft: '0.9.8' }, 'nft', 'warning'],
  ['modules that are missing, and no table', { ...kernel({ missingModules: known(['nft_redir']) }), daemon: { reach: 'not reachable', message: '' } }, 'kernel-modules', 'critical', /nft_redir/],
  ['modules that are missing, it seems', kernel({ missingModules: known(['nft_redir']) }), 'kernel-modules', 'ok'],
  ['route_localnet', kernel({ routeLocalnet: ['all', 'eth0'] }), 'route-localnet', 'warning', /sysctl -w net\.ipv4\.conf\.all\.route_localnet=0; sysctl/],
  ['no IPv6', kernel({ ipv6: 'absent' }), 'ipv6', 'ok'],
  ['an old Node', { runtime: '20.19.0' }, 'runtime', 'info', /since 2026-04-30/],
  ['a very old Node', { runtime: '18.1.0' }, 'runtime', 'info'],
  ['a Node of the future', { runtime: '30.0.0' }, 'runtime', 'ok'],
];

for (const [what, changes, id, severity, says] of ROWS) {
  test(`${id}: ${what}: ${severity}`, (t) => {
    const found = examine(healthy(changes)).filter((check) => check.id === id);
    t.is(found.length, 1);
    t.is(found[0]?.severity, severity, JSON.stringify(found));
    if (says !== undefined) t.regex([found[0]?.title, found[0]?.detail, found[0]?.remedy ?? ''].filter(Boolean).join('\n'), says);
  });
}

test('on a host where all is well everything is fine', (t) => {
  t.deepEqual(examine(healthy()).filter(({ severity }) => severity !== 'ok'), []);
});

test('an id is there once, whatever is found', (t) => {
  for (const changes of [{}, { daemon: { reach: 'not reachable', message: '' } } satisfies Partial<Survey>, { conntrack: unknown('x'), kernel: unknown('x'), units: unknown('x'), people: unknown('x') }]) {
    const ids = examine(healthy(changes)).map(({ id }) => id);
    t.is(new Set(ids).size, ids.length);
  }
});

test('the documentation has every id, and no other', (t) => {
  const text = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/[a-z0-9-]+/g)].map(([id]) => id));
  const ids = examine(healthy()).map(({ id }) => id);
  t.deepEqual(documented.filter((id) => !(SEVERITIES as readonly string[]).includes(id)).toSorted(), ids.toSorted());
});

test('what is wrong comes first, and says why and what to do', (t) => {
  for (const [, changes] of ROWS) {
    const checks = examine(healthy(changes));
    const order = checks.map(({ severity }) => SEVERITIES.indexOf(severity));
    t.deepEqual(order, order.toSorted((a, b) => a - b));
    for (const { id, severity, title, detail, remedy } of checks) {
      if (severity === 'ok' || title.startsWith('not checked')) continue;
      t.not(detail, '', id);
      t.not(remedy, null, id);
    }
  }
});
