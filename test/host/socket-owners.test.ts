import test from 'ava';
import { readSockets } from '../../src/host/socket-owners.ts';
import { formatAddress } from '../../src/net/address.ts';

const LINES: readonly [what: string, line: string, expected: readonly [protocol: string, uid: number, localPort: number, remote: string | null, remotePort: number | null, processes: string]][] = [
  ['a connection', 'tcp   ESTAB 0      0      10.0.0.2:41234 140.82.112.6:443  users:(("node",pid=812,fd=20)) uid:1001 ino:1 sk:1 cgroup:/x <->', ['tcp', 1001, 41_234, '140.82.112.6', 443, 'node[812]']],
  ['a listener on every address', 'tcp   LISTEN 0     128    *:22   *:*  users:(("sshd",pid=1,fd=3)) ino:5 sk:2', ['tcp', 0, 22, null, null, 'sshd[1]']],
  ['IPv6', 'udp   ESTAB 0      0      [2001:db8::2]:5000 [2001:db8::9]:53  users:(("a",pid=7,fd=1)) uid:7', ['udp', 7, 5000, '2001:db8::9', 53, 'a[7]']],
  ['IPv4 in an IPv6 socket', 'tcp   ESTAB 0 0 [::ffff:10.0.0.2]:1 [::ffff:10.0.0.3]:2 uid:7', ['tcp', 7, 1, '10.0.0.3', 2, '']],
  ['an interface', 'udp   UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=9,fd=1)) uid:101', ['udp', 101, 53, null, null, 'systemd-resolve[9]']],
  ['a link-local address', 'udp   UNCONN 0 0 [fe80::1]%eth0:546 [::]:* uid:100', ['udp', 100, 546, null, null, '']],
  ['two processes, one of them twice', 'tcp   LISTEN 0 0 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=3,fd=6),("nginx",pid=2,fd=6),("nginx",pid=2,fd=7)) uid:33', ['tcp', 33, 80, null, null, 'nginx[3] nginx[2]']],
  ['a name that is made to confuse', 'tcp   LISTEN 0 0 0.0.0.0:80 0.0.0.0:* users:(("a b\\",pid=1",pid=3,fd=6)) uid:33', ['tcp', 33, 80, null, null, 'a b\\",pid=1[3]']],
];
for (const [what, line, expected] of LINES) {
  test(`a line of ss: ${what}`, (t) => {
    const found = readSockets(`${line}\n`).map(({ protocol, uid, localPort, remote, remotePort, processes }) => [
      protocol, uid, localPort, remote === null ? null : formatAddress(remote), remotePort, processes.map(({ name, pid }) => `${name}[${pid}]`).join(' '),
    ]);
    t.deepEqual(found, [[...expected]]);
  });
}

test('what is no socket of ours is left out', (t) => t.deepEqual(readSockets('\nu_str ESTAB 0 0 * 1 * 2\nState Recv-Q\n'), []));
