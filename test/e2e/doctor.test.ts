/** netwallctl doctor: each thing that weakens the wall, caused for real; found, and no longer found once it is put right. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ChildProcess } from 'node:child_process';
import test from 'ava';
import type { DoctorCheck, DoctorReport, Severity } from '../../src/control/api.ts';
import { quickDns } from './daemon.ts';
import type { Account } from './plan.ts';
import { worldFor } from './sentences.ts';
import type { RunOptions } from './run.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

/** An id that no other world has: the process table is the machine's. */
const patient: Account = { uid: 23_451, gid: 23_451, groups: [] };
const config = { dns: quickDns };
const policy = (rest = '') => `service: patient\nmatch: { user: patient }\n${rest}`;

/** As the package installs it, so that the modules of this machine's kernel are none for anybody. */
const modprobe = (made: World) => made.host.write('/etc/modprobe.d/netwall.conf', readFileSync(new URL('../../scripts/packaging/netwall.modprobe', import.meta.url), 'utf8'));

const world = worldFor(test, async (made) => {
  await made.host.write('/etc/passwd', `${await made.host.read('/etc/passwd')}patient:x:23451:23451::/nonexistent:/usr/sbin/nologin\n`);
  await made.host.write('/etc/group', `${await made.host.read('/etc/group')}patient:x:23451:\n`);
  await made.host.write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  await modprobe(made);
  await made.policy('patient.yaml', policy());
});

async function examine(options: RunOptions & { readonly who?: Account | 'stranger' } = {}): Promise<{ exitCode: number; checks: readonly DoctorCheck[] }> {
  const { exitCode, stdout, stderr } = await world().ctl(['doctor', '--json'], options);
  if (stdout === '') throw new Error(stderr);
  const report: DoctorReport = JSON.parse(stdout);
  return { exitCode, checks: report.checks };
}

const bad = ({ checks }: { readonly checks: readonly DoctorCheck[] }) => checks.filter(({ severity }) => severity === 'warning' || severity === 'critical').map(({ id, title, detail }) => `${id}: ${title}: ${detail}`);
const stop = async (child: ChildProcess) => {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
};
/** Starts a program that says a line once it is ready. */
const started = async (child: ChildProcess): Promise<ChildProcess> => {
  await new Promise((resolve) => createInterface({ input: child.stdout ?? process.stdin }).once('line', resolve));
  return child;
};
const sh = async (script: string) => {
  const { exitCode, stderr } = await world().exec('/bin/sh', ['-c', script]);
  if (exitCode !== 0) throw new Error(stderr);
};
/** Ready, then asleep. */
const AS_PATIENT = '/usr/bin/setpriv --reuid=23451 --regid=23451 --clear-groups';
const SLEEP = "/bin/sh -c 'echo ready; exec sleep 600'";
const socketAt = (path: string, mode = '0666') =>
  world().spawn('/usr/bin/perl', ['-MIO::Socket::UNIX', '-e', '$|=1; ($p,$m)=@ARGV; unlink $p; $s=IO::Socket::UNIX->new(Local=>$p,Listen=>1) or die $!; chmod oct($m),$p; print "ready\\n"; sleep 600', path, mode]);
const resolved = '/run/systemd/resolve/io.systemd.Resolve';

test.serial('without a daemon: critical, the rest is looked at all the same, 3 and not 5', async (t) => {
  const { exitCode, checks } = await examine();
  t.is(exitCode, 3);
  t.is(checks[0]?.id, 'daemon');
  t.is(checks[0]?.severity, 'critical');
  t.like(checks.find(({ id }) => id === 'drift'), { severity: 'info', title: 'not checked: netwalld has to be asked' });
  t.like(checks.find(({ id }) => id === 'nsswitch'), { severity: 'ok' });
});

test.serial('on a plain confined host: 0, and nothing above info', async (t) => {
  await world().daemon.start({ config });
  const found = await until('the boot file is written', async () => {
    const now = await examine();
    return now.checks.some(({ id, severity }) => id === 'boot-file' && severity === 'ok') && now;
  });
  t.deepEqual(bad(found), []);
  t.is(found.exitCode, 0);
});

test.serial('for people: what is fine is one line, unless it is asked for', async (t) => {
  const short = await world().ctl(['doctor']);
  t.is(short.exitCode, 0);
  t.regex(short.stdout, /^ok: \d+ more checks; -v shows them$/m);
  t.notRegex(short.stdout, /^ {2}daemon: /m);
  for (const flag of ['-v', '--all']) t.regex((await world().ctl(['doctor', flag])).stdout, /^ {2}daemon: netwalld enforces 1 policy, generation \d+$/m);
});

test.serial('without privilege: says what it could not look at', async (t) => {
  const { exitCode, checks } = await examine({ who: 'stranger' });
  t.is(exitCode, 0, bad({ checks }).join('\n'));
  for (const id of ['daemon', 'boot-file', 'other-tables']) t.regex(checks.find((check) => check.id === id)?.title ?? '', /^not checked: only root/, id);
  t.like(checks.find(({ id }) => id === 'policy-directories'), { severity: 'ok' });
});

/** `cause` returns how to undo it. */
type Condition = { readonly what: string; readonly id: string; readonly severity: Severity; readonly says: RegExp; readonly cause: () => Promise<() => Promise<unknown>>; readonly options?: RunOptions };

const TOOLS = { PATH: '/run/tools:/usr/sbin:/usr/bin:/sbin:/bin' };

const CONDITIONS: readonly Condition[] = [
  {
    what: 'systemd-resolved can be asked over its socket',
    id: 'resolver-sockets',
    severity: 'warning',
    says: /systemd-resolved .*can be asked by: patient/,
    cause: async () => {
      await sh('mkdir -p /run/systemd/resolve');
      const server = await started(socketAt(resolved));
      return async () => {
        await stop(server);
        await sh(`rm ${resolved}`);
      };
    },
  },
  {
    what: 'nss-resolve is in nsswitch.conf, with systemd-resolved behind it',
    id: 'nsswitch',
    severity: 'warning',
    says: /hosts: files resolve dns/,
    cause: async () => {
      await world().host.write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files resolve [!UNAVAIL=return] dns\n');
      const server = await started(socketAt(resolved));
      return async () => {
        await world().host.write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
        await stop(server);
        await sh(`rm ${resolved}`);
      };
    },
  },
  {
    what: 'a setuid copy of a shell lies in PATH',
    id: 'setuid-programs',
    severity: 'critical',
    says: /\/run\/tools\/mend: setuid root, the same as \/\S*sh; can be run by patient/,
    options: { env: TOOLS },
    cause: async () => {
      await sh('mkdir -p /run/tools && cp "$(readlink -f /bin/sh)" /run/tools/mend && chmod 4755 /run/tools/mend');
      return () => sh('rm -r /run/tools');
    },
  },
  {
    what: 'a program has CAP_NET_ADMIN',
    id: 'file-capabilities',
    severity: 'warning',
    says: /\/run\/tools\/mend: cap_net_admin/,
    options: { env: TOOLS },
    cause: async () => {
      await sh('mkdir -p /run/tools && cp /bin/true /run/tools/mend && /usr/sbin/setcap cap_net_admin+ep /run/tools/mend');
      return () => sh('rm -r /run/tools');
    },
  },
  {
    what: 'a process has CAP_NET_RAW',
    id: 'process-capabilities',
    severity: 'critical',
    says: /of patient: cap_net_raw/,
    cause: async () => {
      const child = await started(world().spawn('/bin/sh', ['-c', `exec ${AS_PATIENT} --inh-caps=+net_raw --ambient-caps=+net_raw ${SLEEP}`]));
      return () => stop(child);
    },
  },
  {
    what: 'a process is in another network',
    id: 'network-namespaces',
    severity: 'warning',
    says: /of patient: interfaces .*up0/,
    cause: async () => {
      const child = await started(world().spawnOnInternet('/bin/sh', ['-c', `exec ${AS_PATIENT} ${SLEEP}`]));
      return () => stop(child);
    },
  },
  {
    what: 'a process is in a network with nothing in it',
    id: 'network-namespaces',
    severity: 'info',
    says: /of patient: interfaces lo$/m,
    cause: async () => {
      const child = await started(world().spawn('/bin/sh', ['-c', `exec unshare --net ${AS_PATIENT} ${SLEEP}`]));
      return () => stop(child);
    },
  },
  {
    what: 'another table drops what a policy allows',
    id: 'other-tables',
    severity: 'warning',
    says: /table inet other, chain out \(hook output\) drops by default/,
    cause: async () => {
      await world().nft('table inet other {\nchain out {\ntype filter hook output priority 100; policy drop;\naccept\n}\n}');
      return () => world().nft('delete table inet other');
    },
  },
  {
    what: 'a service is only watched',
    id: 'audit',
    severity: 'info',
    says: /patient/,
    cause: async () => {
      await world().policy('patient.yaml', policy('mode: audit\n'));
      return () => world().policy('patient.yaml', policy());
    },
  },
  {
    what: 'a policy is not understood',
    id: 'services',
    severity: 'warning',
    says: /patient is stale/,
    cause: async () => {
      await world().policy('patient.yaml', policy('moed: audit\n'));
      return () => world().policy('patient.yaml', policy());
    },
  },
  {
    what: 'a public resolver is allowed',
    id: 'encrypted-dns',
    severity: 'warning',
    says: /patient\.yaml:3: 9\.9\.9\.9 lets it reach 9\.9\.9\.9 \(Quad9\)/,
    cause: async () => {
      await world().policy('patient.yaml', policy('egress: { allow: [{ to: 9.9.9.9, ports: [443] }] }\n'));
      return () => world().policy('patient.yaml', policy());
    },
  },
  {
    what: 'the user is in group docker',
    id: 'groups',
    severity: 'critical',
    says: /patient is in docker/,
    cause: async () => {
      const before = await world().host.read('/etc/group');
      await world().host.write('/etc/group', `${before.replaceAll(/^docker:.*\n/gm, '')}docker:x:23460:patient\n`);
      return () => world().host.write('/etc/group', before);
    },
  },
  {
    what: 'the user may write to the socket of docker',
    id: 'containers',
    severity: 'critical',
    says: /patient may write to \/run\/docker\.sock/,
    cause: async () => {
      const server = await started(socketAt('/run/docker.sock'));
      return async () => {
        await stop(server);
        await sh('rm /run/docker.sock');
      };
    },
  },
  {
    what: 'sudo lets the user do everything',
    id: 'sudoers',
    severity: 'critical',
    says: /patient: HELPERS ALL=/,
    cause: async () => {
      await world().host.write('/etc/sudoers', 'Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n', { mode: 0o440 });
      await world().host.write('/etc/sudoers.d/patient', 'User_Alias HELPERS = someone, patient\nHELPERS ALL=(ALL) NOPASSWD: ALL\n', { mode: 0o440 });
      return () => sh('rm /etc/sudoers /etc/sudoers.d/patient');
    },
  },
  {
    what: 'a policy directory is open to a group',
    id: 'policy-directories',
    severity: 'critical',
    says: /\/run\/netwall\.d: owner root, mode 0775/,
    cause: async () => {
      await sh('mkdir /run/netwall.d && chmod 775 /run/netwall.d');
      return () => sh('rmdir /run/netwall.d');
    },
  },
  {
    what: 'the boot file is a user\'s',
    id: 'boot-file',
    severity: 'critical',
    says: /\/etc\/netwall\/boot\.nft: owner uid 23451/,
    cause: async () => {
      await sh('chown 23451 /etc/netwall/boot.nft');
      return () => sh('chown 0 /etc/netwall/boot.nft');
    },
  },
  {
    what: 'the boot file is of an earlier state',
    id: 'boot-file',
    severity: 'warning',
    says: /without: patient/,
    cause: async () => {
      await sh("cp -p /etc/netwall/boot.nft /run/boot.nft && sed -i 's/23451\" :/23452\" :/; $d' /etc/netwall/boot.nft && echo \"# end $(sha256sum </etc/netwall/boot.nft | cut -d ' ' -f 1)\" >>/etc/netwall/boot.nft");
      return () => sh('cp -p /run/boot.nft /etc/netwall/boot.nft');
    },
  },
  {
    what: '127.0.0.0/8 is routed',
    id: 'route-localnet',
    severity: 'warning',
    says: /net\.ipv4\.conf\.eth0\.route_localnet is 1/,
    cause: async () => {
      await sh('sysctl -qw net.ipv4.conf.eth0.route_localnet=1');
      return () => sh('sysctl -qw net.ipv4.conf.eth0.route_localnet=0');
    },
  },
  {
    what: 'MPTCP has an address to connect from',
    id: 'kernel-sockets',
    severity: 'warning',
    says: /MPTCP connects from 203\.0\.112\.2 id 1 subflow/,
    cause: async () => {
      await sh('ip mptcp endpoint add 203.0.112.2 subflow');
      return () => sh('ip mptcp endpoint flush');
    },
  },
  {
    what: 'the kernel would load a protocol that has no users',
    id: 'kernel-sockets',
    severity: 'warning',
    says: /rxrpc is loaded for any user who asks/,
    cause: async () => {
      await sh('rm /etc/modprobe.d/netwall.conf && mkdir -p /run/library/upper /run/library/work && mount -t overlay overlay -o lowerdir=/usr/lib,upperdir=/run/library/upper,workdir=/run/library/work /usr/lib');
      await sh('cd /usr/lib && mkdir -p "modules/$(uname -r)" && cd "modules/$(uname -r)" && echo "alias net-pf-33 rxrpc" >modules.alias && echo "kernel/net/rxrpc/rxrpc.ko:" >modules.dep');
      return async () => {
        await sh('umount -l /usr/lib');
        await modprobe(world());
      };
    },
  },
  {
    what: 'TCP is tracked from its beginning only',
    id: 'conntrack-loose',
    severity: 'info',
    says: /nf_conntrack_tcp_loose is 0/,
    cause: async () => {
      await sh('sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0');
      return () => sh('sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1');
    },
  },
  {
    what: 'the connection table is full',
    id: 'conntrack-table',
    severity: 'critical',
    says: /\d+ of 1 entries/,
    cause: async () => {
      // the true limit is the machine's; a flow is in the table for half a minute after its last packet
      await sh('echo 1 > /run/max && mount --bind /run/max /proc/sys/net/netfilter/nf_conntrack_max');
      await world().as('stranger').udp('45.64.0.10', 443);
      return () => sh('umount /proc/sys/net/netfilter/nf_conntrack_max');
    },
  },
  {
    what: 'a crontab',
    id: 'scheduled-jobs',
    severity: 'info',
    says: /crontab: patient/,
    cause: async () => {
      await sh('mkdir -p /run/spool/crontabs && touch /run/spool/crontabs/patient && mkdir -p /var/spool/cron && mount --bind /run/spool /var/spool/cron');
      return () => sh('umount /var/spool/cron');
    },
  },
  {
    what: 'the wall is unloaded',
    id: 'daemon',
    severity: 'critical',
    says: /unloaded/,
    cause: async () => {
      await world().ctl(['unload']);
      return () => world().ctl(['reload']);
    },
  },
];

for (const { what, id, severity, says, cause, options } of CONDITIONS) {
  test.serial(`${severity}: ${what}`, async (t) => {
    const find = async () => {
      const found = await examine(options);
      return { exitCode: found.exitCode, check: found.checks.find((check) => check.id === id) };
    };
    const there = ({ check }: Awaited<ReturnType<typeof find>>) => check?.severity === severity && says.test(`${check.title}\n${check.detail}`);
    t.false(there(await find()), 'before');
    const undo = await cause();
    const found = await until('it is found', async () => {
      const now = await find();
      return there(now) && now;
    }, 10_000);
    t.is(found.exitCode, severity === 'info' ? 0 : 3);
    t.truthy(found.check?.remedy);
    await undo();
    const after = await until('it is gone', async () => {
      const now = await examine(options);
      return now.exitCode === 0 && !there({ ...now, check: now.checks.find((check) => check.id === id) }) && now;
    }, 10_000);
    t.deepEqual(bad(after), []);
  });
}

test.serial('what the remedy takes out of reach of a service is no finding any more', async (t) => {
  const server = await started(socketAt(resolved));
  const running = await started(world().spawn('/bin/sh', ['-c', `exec ${AS_PATIENT} ${SLEEP}`]));
  const severity = async () => (await examine()).checks.find(({ id }) => id === 'resolver-sockets')?.severity;
  t.is(await severity(), 'warning');
  await stop(running);
  // as InaccessiblePaths= does
  const hidden = await started(world().spawn('/bin/sh', ['-c', `exec unshare --mount /bin/sh -c "mount -t tmpfs -o mode=0 none /run/systemd/resolve && exec ${AS_PATIENT} ${SLEEP}"`]));
  t.is(await severity(), 'ok');
  await stop(hidden);
  await stop(server);
  await sh(`rm ${resolved}`);
});

test.serial('a service that gains no privileges has no use for setuid programs', async (t) => {
  await sh('mkdir -p /run/tools && cp /bin/true /run/tools/mend && chmod 4755 /run/tools/mend');
  const severity = async () => (await examine({ env: TOOLS })).checks.find(({ id }) => id === 'setuid-programs')?.severity;
  t.is(await severity(), 'warning');
  const child = await started(world().spawn('/bin/sh', ['-c', `exec ${AS_PATIENT} --no-new-privs ${SLEEP}`]));
  t.is(await severity(), 'ok');
  await stop(child);
  await sh('rm -r /run/tools');
});

test.serial('who is governed by group and in another one has a way out, which is found', async (t) => {
  await world().policy('crew.yaml', 'service: crew\nmatch: { group: 23470 }\ndns: none\n');
  await world().ctl(['reload']);
  const member: Account = { uid: 23_471, gid: 23_470, groups: [23_472] };
  const send = `use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '45.64.0.10', PeerPort => 9) or die; exit(defined($s->send('x')) ? 0 : 3)`;
  await sh('mkdir -m 777 /run/crew');
  const run = async (who: Account, script: string) => (await world().exec('/bin/sh', ['-c', script, 'sh', send], { who })).exitCode;
  t.is(await run(member, 'exec /usr/bin/perl -e "$1"'), 3);
  t.is(await run(member, 'cp /usr/bin/perl /run/crew/p && chgrp 23472 /run/crew/p && chmod 2755 /run/crew/p && exec /run/crew/p -e "$1"'), 0);
  t.is(await run(member, 'exec /usr/bin/setpriv --no-new-privs /run/crew/p -e "$1"'), 3);
  const check = async () => (await examine()).checks.find(({ id }) => id === 'group-policies');
  t.is((await check())?.severity, 'ok');
  for (const [how, severity] of [['', 'warning'], ['--no-new-privs', 'ok']] as const) {
    const child = await started(world().spawn('/bin/sh', ['-c', `exec /usr/bin/setpriv --reuid=23471 --regid=23470 --groups=23472 ${how} ${SLEEP}`]));
    const found = await check();
    t.is(found?.severity, severity);
    if (severity === 'warning') t.regex(found?.detail ?? '', /uid 23471 \(service crew\) is in other groups as well/);
    await stop(child);
  }
  await world().policy('crew.yaml', null);
  await world().ctl(['reload']);
});

test.serial('a table that accepts earlier lets nothing past, and is no finding', async (t) => {
  await world().nft('table inet early {\nchain out {\ntype filter hook output priority -10; policy accept;\nmeta skuid 23451 accept\n}\n}');
  await world().ctl(['reload']);
  t.deepEqual(bad(await examine()), []);
  t.is((await world().as(patient).tcp('45.64.0.10', 443)).result, 'refused');
  await world().nft('delete table inet early');
});

/** Says what the file /run/units says of units: blocks as systemctl prints them. */
const systemctl = `#!/bin/sh
case "$2" in
  *AmbientCapabilities*) cat /run/units/services ;;
  *Listen*) cat /run/units/sockets ;;
  *) cat /run/units/states ;;
esac
`;
const services = (ambient: string, triggered: string) => `Id=patient.service\nUser=patient\nDynamicUser=no\nAmbientCapabilities=${ambient}\nTriggeredBy=${triggered}\n\nId=other.service\nUser=\nAmbientCapabilities=cap_net_admin\nTriggeredBy=\n`;
const unit = (id: string, state: string) => `Id=${id}\nLoadState=loaded\nActiveState=active\nUnitFileState=${state}\n\n`;

test.serial('what systemd says: the boot unit, capabilities, sockets that it opens', async (t) => {
  await world().host.write('/run/systemd/system/.keep', '');
  await world().host.write('/run/systemctl', systemctl, { mode: 0o755 });
  await world().host.write('/run/units/services', services('cap_net_raw', 'patient.socket'));
  await world().host.write('/run/units/sockets', 'Id=patient.socket\nListen=/run/patient.sock (Stream)\nListen=[::]:8080 (Stream)\n');
  await world().host.write('/run/units/states', unit('docker.service', 'enabled'));
  await sh('mount --bind /run/systemctl /usr/bin/systemctl');
  const wrong = await examine();
  const told = (id: string) => wrong.checks.find((check) => check.id === id);
  t.like(told('boot-unit'), { severity: 'warning', title: 'there is no netwall-boot.service' });
  t.regex(told('unit-capabilities')?.detail ?? '', /^patient\.service \(User=patient\): AmbientCapabilities=cap_net_raw$/m);
  t.regex(told('socket-activation')?.detail ?? '', /^patient\.service \(User=patient\) takes over patient\.socket \[::\]:8080 \(Stream\)$/m);
  t.notRegex(told('socket-activation')?.detail ?? '', /patient\.sock /);
  t.regex(told('firewall-managers')?.title ?? '', /docker/);
  await world().host.write('/run/units/services', services('cap_net_bind_service', ''));
  await world().host.write('/run/units/states', unit('netwall-boot.service', 'enabled'));
  t.deepEqual(bad(await examine()), []);
});
