/** What is read of a host: the texts of the kernel, getcap and systemctl, and files as they lie. */
import { chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { statistics } from '../../../src/host/survey/conntrack.ts';
import { readNames, readOwned, readSudoers, readTextFile, readWay } from '../../../src/host/survey/files.ts';
import { missing } from '../../../src/host/survey/kernel.ts';
import { KERNEL_SENDERS, loadableByAlias, mptcpOf, readModprobe } from '../../../src/host/survey/kernel-sockets.ts';
import { attempt, attemptOr } from '../../../src/host/survey/known.ts';
import { mayWrite, openSockets, readProcesses, readStatus } from '../../../src/host/survey/processes.ts';
import { programDirectories, readGetcap, readSetIdPrograms } from '../../../src/host/survey/programs.ts';
import { blocks } from '../../../src/host/survey/units.ts';

const scratch = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'survey-')));

test('conntrack: hexadecimal, summed over CPUs, by title', (t) => {
  const counts = statistics('entries  clashres found drop early_drop\n00000010  00000000 00000001 0000000a 00000000\n00000010  00000000 00000001 00000001 00000002\n');
  t.deepEqual([counts.get('drop'), counts.get('early_drop'), counts.get('found'), counts.get('nothing')], [11, 2, 2, undefined]);
});

test('a process, from its status', (t) => {
  const text = 'Name:\tshopd\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \nCapPrm:\t0000000000002000\nCapEff:\t0000000000001000\nNoNewPrivs:\t1\n';
  t.deepEqual(readStatus(9, text), { pid: 9, name: 'shopd', uid: 4, gid: 8, groups: [10, 20], capabilities: 0x3000n, noNewPrivileges: true });
  t.is(readStatus(9, 'Name:\tx\n'), null);
});

test('this very process is found, and in its own network', (t) => {
  const { governed, complete } = readProcesses(({ pid }) => pid === process.pid, []);
  t.is(governed.length, 1);
  t.like(governed[0], { uid: process.geteuid?.(), sameNetwork: true, sameUsers: true, interfaces: [], sockets: [] });
  t.true(complete);
});

const WRITES: readonly (readonly [what: string, who: { uid: number; gid: number; groups: number[] }, mode: number, may: boolean])[] = [
  ['root', { uid: 0, gid: 0, groups: [] }, 0o000, true],
  ['the owner', { uid: 5, gid: 9, groups: [] }, 0o200, true],
  ['the owner counts before the world', { uid: 5, gid: 9, groups: [] }, 0o022, false],
  ['the group', { uid: 1, gid: 6, groups: [] }, 0o020, true],
  ['a supplementary group', { uid: 1, gid: 1, groups: [6] }, 0o020, true],
  ['the group counts before the world', { uid: 1, gid: 1, groups: [6] }, 0o002, false],
  ['the world', { uid: 1, gid: 1, groups: [] }, 0o002, true],
  ['nobody', { uid: 1, gid: 1, groups: [] }, 0o660, false],
];
for (const [what, who, mode, may] of WRITES) test(`who may write: ${what}`, (t) => t.is(mayWrite(who, { uid: 5, gid: 6, mode }), may));

test('sockets that somebody may connect to: no files, none that is shut', async (t) => {
  const root = scratch();
  const servers = ['open', 'shut'].map((name) => createServer().listen(join(root, name)));
  t.teardown(() => {
    for (const server of servers) server.close();
    rmSync(root, { recursive: true, force: true });
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  chmodSync(join(root, 'open'), 0o666);
  chmodSync(join(root, 'shut'), 0o600);
  writeFileSync(join(root, 'file'), '');
  chmodSync(join(root, 'file'), 0o666);
  t.deepEqual(openSockets(root, ['/open', '/shut', '/file', '/none'], { uid: 1, gid: 1, groups: [] }), ['/open']);
});

test('getcap, as it is now and as it was', (t) => {
  const found = readGetcap('/usr/bin/ping cap_net_raw=ep\n/usr/bin/old ping = cap_net_admin,cap_net_raw+eip\nFailed to get capabilities of file\n');
  t.deepEqual([...found], [['/usr/bin/ping', ['cap_net_raw']], ['/usr/bin/old ping', ['cap_net_admin', 'cap_net_raw']]]);
});

test('setuid and setgid programs: links are not counted twice, and a copied shell is known by its bytes', (t) => {
  const directory = scratch();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const put = (name: string, from: string, mode: number) => {
    copyFileSync(from, join(directory, name));
    chmodSync(join(directory, name), mode);
  };
  put('mend', realpathSync('/bin/sh'), 0o4755);
  put('helper', '/bin/true', 0o2755);
  put('plain', '/bin/true', 0o755);
  put('data', '/bin/true', 0o4644);
  symlinkSync('helper', join(directory, 'link'));
  linkSync(join(directory, 'plain'), join(directory, 'other'));
  mkdirSync(join(directory, 'folder'), { mode: 0o755 });
  chmodSync(join(directory, 'folder'), 0o2775);
  const found = readSetIdPrograms([directory, join(directory, 'none')]).map(({ path, mode, copyOf }) => `${path.slice(directory.length + 1)} ${(mode & 0o7777).toString(8)} ${copyOf}`);
  t.deepEqual(found.toSorted(), ['helper 2755 null', `mend 4755 ${realpathSync('/bin/sh')}`]);
});

test('directories of programs: each once, PATH first, nothing relative', (t) => {
  const directory = scratch();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  symlinkSync(directory, join(directory, 'self'));
  const found = programDirectories(`${directory}:.::bin:${directory}/self:/nowhere`);
  t.is(found[0], directory);
  t.deepEqual(found.filter((path) => path.startsWith(directory) || !path.startsWith('/') || path === '/nowhere'), [directory]);
  t.is(new Set(found).size, found.length);
});

test('modules: loaded, built in, or there to be loaded', (t) => {
  const listings = ['kernel/net/netfilter/nft_ct.ko\n', 'kernel/net/netfilter/nft-redir.ko.xz: kernel/net/x.ko.xz\nkernel/net/nft_reject.ko.zst:\n'];
  t.deepEqual(missing(['nf_tables', 'nft_ct', 'nft_redir', 'nft_reject', 'nft_reject_inet'], ['nf_tables'], listings), ['nft_reject_inet']);
});

/** As depmod writes them for Debian 12, and with the alias of RDS, which Debian leaves out. */
const DEPMOD = {
  aliases: [
    '# Aliases extracted from modules themselves.',
    'alias net-pf-33 rxrpc',
    'alias fs-afs kafs',
    'alias net-pf-43 smc',
    'alias net-pf-16-proto-16-family-SMC_PNETID smc_diag',
    'alias net-pf-21 rds',
    'alias pci:v00001014d000004EDsv*sd*bc*sc*i* rxrpc',
    'alias net-pf-2-proto-132 sctp',
  ].join('\n'),
  dependencies: 'kernel/net/rxrpc/rxrpc.ko: kernel/net/ipv4/udp_tunnel.ko\nkernel/fs/afs/kafs.ko.xz: kernel/net/rxrpc/rxrpc.ko.xz\nkernel/net/smc/smc.ko:\nkernel/net/smc/smc-diag.ko: kernel/net/smc/smc.ko\nkernel/net/rds/rds.ko:\n',
};
const MODPROBE: readonly (readonly [what: string, configuration: string, loadable: readonly string[]])[] = [
  ['nothing', '', ['rxrpc', 'smc', 'rds']],
  ['what the package brings', readFileSync(new URL('../../../scripts/packaging/netwall.modprobe', import.meta.url), 'utf8'), []],
  ['a comment', '# blacklist rds\n', ['rxrpc', 'smc', 'rds']],
  ['a blacklist', 'blacklist rds\n', ['rxrpc', 'smc']],
  ['a blacklist of what another module brings along', 'blacklist rxrpc\nblacklist smc\n', ['rxrpc', 'smc', 'rds']],
  ['… and of that one', 'blacklist rxrpc\nblacklist  kafs\n\tblacklist smc\nblacklist smc-diag\n', ['rds']],
  ['commands that load nothing', 'install rxrpc /bin/false\ninstall smc /usr/bin/true # CIS\ninstall rds \\\n  /bin/false\n', []],
  ['a command in place of what brings it along', 'blacklist smc\ninstall smc_diag /bin/false\n', ['rxrpc', 'smc', 'rds']],
  ['a command that loads it', 'install rds /sbin/modprobe --ignore-install rds && logger rds\n', ['rxrpc', 'smc', 'rds']],
  ['aliases that lead nowhere', 'alias net-pf-21 off\ninstall net-pf-33 /bin/true\ninstall fs-afs /bin/true\n', ['smc']],
];
for (const [what, configuration, loadable] of MODPROBE) test(`modules for anybody: ${what}`, (t) => t.deepEqual(loadableByAlias(KERNEL_SENDERS, { ...DEPMOD, configuration }), loadable));

test('modprobe.d: of two files by one name the first, and nothing that is not *.conf', (t) => {
  const directory = scratch();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, text] of [['etc/netwall.conf', ''], ['lib/netwall.conf', 'blacklist rds'], ['lib/b.conf', 'blacklist smc'], ['lib/c.conf.dpkg-old', 'blacklist rxrpc']] as const) {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const read = readModprobe([join(directory, 'etc'), join(directory, 'none'), join(directory, 'lib')]);
  t.is(read.ok ? read.value.trim() : read.why, 'blacklist smc');
});

test('MPTCP: endpoints that are connected from, and addresses that are connected to', (t) => {
  const endpoints = '10.2.0.1 id 1 subflow \n10.3.0.1 id 2 signal dev eth0 \n10.4.0.1 id 3 subflow fullmesh dev eth1 \n';
  t.deepEqual(mptcpOf(endpoints, 'add_addr_accepted 2 subflows 4 \n'), { endpoints: ['10.2.0.1 id 1 subflow', '10.4.0.1 id 3 subflow fullmesh dev eth1'], accepted: 2 });
  t.deepEqual(mptcpOf('', ''), { endpoints: [], accepted: 0 });
});

test('systemctl: blocks, keys that come again', (t) => {
  const [first, second] = blocks('Id=a.socket\nListen=/run/a (Stream)\nListen=[::]:80 (Stream)\n\nId=b.socket\nEmpty=\n');
  t.deepEqual(first?.get('Listen'), ['/run/a (Stream)', '[::]:80 (Stream)']);
  t.deepEqual([second?.get('Id'), second?.get('Empty'), second?.get('None')], [['b.socket'], [''], undefined]);
});

test('sudoers: what it includes, in order; editors\' leavings and circles are left out', (t) => {
  const directory = scratch();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  mkdirSync(join(directory, 'd'));
  write('sudoers', `first\n#includedir ${directory}/d\n@include "${directory}/extra"\n# @include ${directory}/comment\n`);
  write('extra', '@include sudoers\n@include missing\nextra\n');
  write('comment', 'comment\n');
  write('d/b', 'second\n');
  write('d/a', 'before\n');
  write('d/a~', 'leaving\n');
  write('d/a.bak', 'leaving\n');
  const read = readSudoers(join(directory, 'sudoers'));
  const words = read.ok ? (read.value ?? '').split('\n').filter((line) => /^\w/.test(line)) : [];
  t.deepEqual(words.toSorted(), ['before', 'extra', 'first', 'second']);
  t.deepEqual(readSudoers(join(directory, 'none')), { ok: true, value: null });
});

test('files: what is not there is known not to be there', (t) => {
  t.deepEqual([readOwned('/nowhere'), readTextFile('/nowhere'), readNames('/nowhere'), readWay('/nowhere')], [
    { ok: true, value: null },
    { ok: true, value: null },
    { ok: true, value: [] },
    { ok: true, value: [] },
  ]);
});

test('the way to a file: itself first, then all above it, behind links as well', (t) => {
  const directory = scratch();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'real'));
  writeFileSync(join(directory, 'real', 'file'), '');
  symlinkSync('real', join(directory, 'link'));
  const way = readWay(join(directory, 'link', 'file'));
  const paths = way.ok ? way.value.map(({ path }) => path) : [];
  t.is(paths[0], join(directory, 'link', 'file'));
  for (const path of ['real/file', 'real', 'link', '']) t.true(paths.includes(join(directory, path).replace(/\/$/, '')), path);
  t.true(paths.includes('/'));
});

test('why something is not known', (t) => {
  const denied = () => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  };
  t.deepEqual(attempt(denied), { ok: false, why: 'only root may look' });
  t.deepEqual(attemptOr(null, denied), { ok: false, why: 'only root may look' });
  const gone = attempt(() => readFileSync('/nowhere'));
  t.regex(gone.ok ? '' : gone.why, /ENOENT/);
});
