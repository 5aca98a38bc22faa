/** A host on which all is well, to be made worse by a test: one policy, one governed user with one process. */
import { DEFAULT_CONFIG } from '../../../src/config/config.ts';
import type { StatusReport } from '../../../src/control/api.ts';
import { known } from '../../../src/host/survey/known.ts';
import type { Inspected } from '../../../src/host/survey/processes.ts';
import type { Governed, Survey } from '../../../src/cli/doctor/survey.ts';
import { parsePolicyFile } from '../../../src/policy/parse.ts';
import { linkPolicy } from '../../../src/policy/rule.ts';
import { sealed } from '../../../src/ruleset/boot.ts';

const POLICY = 'service: shop\nmatch: { user: 1001 }\negress: { allow: [{ to: 45.64.0.0/16, ports: [443] }] }\n';

/** Services as their file says, with numbers for users and groups. */
export function governedBy(yaml: string): readonly Governed[] {
  const { policies, groups } = parsePolicyFile('/etc/netwall.d/test.yaml', yaml);
  return policies.map((policy) => {
    const { linked } = linkPolicy(policy, new Map(groups.map((group) => [group.name, group])));
    return { service: policy.service, mode: policy.mode, dns: policy.dns, kind: policy.kind, ids: policy.subjects.map(({ id }) => Number(id)), linked };
  });
}

export const status = (changes: Partial<StatusReport> = {}): StatusReport => ({
  apiVersion: 'netwall/v1',
  version: '0.1.0',
  state: 'enforcing',
  message: null,
  generation: 3,
  trial: null,
  grants: [],
  learning: [],
  policyDirs: ['/etc/netwall.d'],
  guard: { state: 'held', message: null },
  serviceCount: 1,
  services: [
    {
      service: 'shop',
      match: { kind: 'user', names: [1001] },
      mode: 'enforce',
      state: 'active',
      source: { file: '/etc/netwall.d/test.yaml', line: 1 },
      message: null,
      uids: [1001],
      gids: [],
      names: [],
      dns: { mode: 'filtered', port: 20_001 },
      counters: { packets: 0, bytes: 0, deniedPackets: 0 },
    },
  ],
  drift: { open: [], repaired: 0, last: null },
  ...changes,
});

export const answering = (changes: Partial<StatusReport> = {}): Survey['daemon'] => ({ reach: 'answers', status: status(changes) });

export const process = (changes: Partial<Inspected> = {}): Inspected => ({
  pid: 4711,
  name: 'shopd',
  uid: 1001,
  gid: 1001,
  groups: [],
  capabilities: 0n,
  noNewPrivileges: false,
  sameNetwork: true,
  sameUsers: true,
  interfaces: [],
  sockets: [],
  ...changes,
});

const owned = (path: string, mode = 0o40755) => ({ path, uid: 0, gid: 0, mode });

export const healthy = (changes: Partial<Survey> = {}): Survey => ({
  now: new Date('2026-11-21T00:00:00Z'),
  runtime: '24.21.0',
  daemon: answering(),
  config: DEFAULT_CONFIG,
  configProblem: null,
  services: governedBy(POLICY),
  conntrack: known({ loose: true, count: 100, max: 262_144, dropped: 0, earlyDropped: 0 }),
  otherTables: known([]),
  nftablesConf: known('#!/usr/sbin/nft -f\n\nflush ruleset\n'),
  ufwConf: known(null),
  nsswitch: known('passwd: files systemd\nhosts: files mymachines dns\n'),
  nameSockets: ['/run/dbus/system_bus_socket'],
  processes: { governed: [process()], networks: 1, complete: true },
  people: known({ persons: [{ name: 'shop', uid: 1001, gid: 1001, groups: [1001] }], groupNames: new Map([[1001, 'shop'], [27, 'sudo'], [998, 'docker'], [4, 'adm'], [2000, 'ci']]) }),
  setIdPrograms: [],
  capablePrograms: known([]),
  sudoers: known(null),
  crontabs: known([]),
  atJobs: known([]),
  engines: known([]),
  kernel: known({ release: '6.18.44-fc', missingModules: known([]), routeLocalnet: [], ipv6: 'on', userNamespaces: false }),
  kernelSockets: { protocols: known(['TCP', 'UDP', 'MPTCP']), loadable: known([]), mptcp: known({ endpoints: [], accepted: 0 }) },
  nft: '1.0.6',
  units: known({ services: [], states: new Map([['netwall-boot.service', { loaded: true, active: true, enabled: true }]]) }),
  policyDirectories: [{ path: '/etc/netwall.d', way: known([owned('/etc/netwall.d'), owned('/etc'), owned('/')]) }],
  bootFile: { way: known([owned('/etc/netwall/boot.nft', 0o100600), owned('/etc/netwall'), owned('/etc'), owned('/')]), text: known(sealed('add element inet netwall user_mode { 1001 : goto user_enforce }\n')) },
  stateDirectory: known(owned('/var/lib/netwall', 0o40700)),
  ...changes,
});
