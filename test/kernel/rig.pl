#!/usr/bin/perl
# The hands of the differential test: sends packets as any uid and gid, injects packets from the wire, and says which of the
# former left the host. Perl, as perl-base is on every Debian, and as it can choose who a socket belongs to: setfsuid(2) takes
# neither root's saved ids nor CAP_NET_RAW away.
#
# Two network namespaces without a name, joined by a veth pair (eth0 <-> up0): the host, which this process is in, and a peer
# that has no addresses and so says nothing. Both are gone with this process, and it ends when its stdin does.
#
# stdin, a command a line, bytes in hexadecimal:
#   wire PACKET                           comes in over eth0
#   self FAMILY TO PACKET                 is sent by somebody whom no policy governs, to an address of the host
#   send INDEX UID GID FAMILY TO PACKET   is sent by a socket of that uid and gid, with the mark INDEX; it ends in TAG and INDEX
#   go                                    does it all, in that order, and waits until all of it is through
# stdout: `ready` once, and after each go: `errno INDEX NUMBER` for sends that failed, `left INDEX …`, `done`.
use strict;
use warnings;
use Socket;

# x86_64
use constant { SYS_SETFSUID => 122, SYS_SETFSGID => 123, SYS_SETAFFINITY => 203, SYS_GETAFFINITY => 204, SYS_UNSHARE => 272, SYS_SETNS => 308 };
use constant { CLONE_NEWNET => 0x40000000, AF_PACKET => 17, ETH_P_IP => 0x0800, ETH_P_IPV6 => 0x86dd, ETH_P_ALL => 3 };
use constant { PACKET_OUTGOING => 4, SO_MARK => 36, SO_SNDBUFFORCE => 32, SO_RCVBUFFORCE => 33, IPPROTO_RAW => 255 };
# Nobody a policy of the test governs.
use constant UNGOVERNED => 65432;
use constant { TAG => 'NWDT', BARRIER => 0xf0000000, HOST_MAC => "\x02\0\0\0\0\x01", PEER_MAC => "\x02\0\0\0\0\x02" };

$| = 1;

sub fail { die "rig: @_: $!\n" }
sub call { my $result = syscall(shift, @_); $result >= 0 or fail("syscall"); return $result }

sub run { system(@_) == 0 or die "rig: @_ ended with $?\n" }
sub setting {
	my ($name, $value) = @_;
	open my $file, '>', "/proc/sys/net/$name" or fail($name);
	syswrite($file, $value) or fail($name);
}
# In all and default as well: an interface takes the greater or its own, depending on the setting.
sub link_setting { my ($path, $value, @links) = @_; setting(sprintf($path, $_), $value) for @links }

sub configure {
	my ($peer) = @_;
	run('ip', 'link', 'add', 'eth0', 'address', '02:00:00:00:00:01', 'type', 'veth',
		'peer', 'name', 'up0', 'address', '02:00:00:00:00:02', 'netns', "/proc/$$/fd/" . fileno($peer));
	link_setting('ipv4/conf/%s/rp_filter', 0, 'all', 'default', 'eth0');
	link_setting('ipv6/conf/%s/accept_dad', 0, 'all', 'default', 'eth0');
	link_setting('ipv6/conf/%s/router_solicitations', 0, 'all', 'default', 'eth0');
	open my $ip, '|-', 'ip', '-batch', '-' or fail('ip');
	print $ip "$_\n" for (
		'link set lo up', 'link set eth0 up',
		'addr add 198.51.100.2/30 dev eth0', 'addr add 2001:db8:0:ffff::2/64 dev eth0 nodad',
		'neigh add 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent',
		'neigh add fe80::1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent',
		'route add default via 198.51.100.1', 'route add ::/0 via fe80::1 dev eth0',
		# addresses that the host is reached at; it sends from whatever a packet says
		'route add local 172.30.0.0/15 dev lo', 'route add local fd99::/64 dev lo', 'route add local fd98::/64 dev lo',
	);
	close $ip or die "rig: ip -batch ended with $?\n";
}

# One CPU for all: packets then come through veth and loopback in the order they were sent in, and before send returns.
sub stay_on_one_cpu {
	my $mask = "\0" x 128;
	my $length = call(SYS_GETAFFINITY, 0, length $mask, $mask);
	my $bits = unpack('b*', substr($mask, 0, $length));
	my $one = "\0" x $length;
	vec($one, index($bits, '1'), 1) = 1;
	call(SYS_SETAFFINITY, 0, $length, $one);
}

# struct sockaddr_ll
sub link_address { my ($protocol, $index) = @_; return pack('S n l S C C a8', AF_PACKET, $protocol, $index, 0, 0, 6, HOST_MAC) }
sub interface_index {
	my ($socket, $name) = @_;
	my $request = pack('a16 x24', $name);
	ioctl($socket, 0x8933, $request) or fail("SIOCGIFINDEX $name");
	return unpack('x16 l', $request);
}
sub packet_socket {
	my ($type, $protocol) = @_;
	socket(my $socket, AF_PACKET, $type, unpack('S', pack('n', $protocol))) or fail('packet socket');
	setsockopt($socket, SOL_SOCKET, SO_RCVBUFFORCE, pack('l', 64 << 20)) or fail('SO_RCVBUFFORCE');
	return $socket;
}

call(SYS_UNSHARE, CLONE_NEWNET);
open my $peer, '<', '/proc/self/ns/net' or fail('ns');
call(SYS_UNSHARE, CLONE_NEWNET);
open my $host, '<', '/proc/self/ns/net' or fail('ns');
configure($peer);
stay_on_one_cpu();

# The peer's end: frames that are written to it come in at eth0.
call(SYS_SETNS, fileno($peer), CLONE_NEWNET);
setting('ipv6/conf/up0/disable_ipv6', 1);
setting('ipv4/conf/all/forwarding', 0);
run('ip', 'link', 'set', 'up0', 'up');
socket(my $wire, AF_PACKET, SOCK_RAW, 0) or fail('packet socket');
my $wire_index = interface_index($wire, 'up0');
call(SYS_SETNS, fileno($host), CLONE_NEWNET);

# What goes out of any interface of the host, and what comes in.
my $tap = packet_socket(SOCK_DGRAM, ETH_P_ALL);

sub to_wire {
	my ($packet) = @_;
	my $protocol = ord($packet) >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
	my $frame = HOST_MAC . PEER_MAC . pack('n', $protocol) . $packet;
	defined send($wire, $frame, 0, link_address($protocol, $wire_index)) or fail('send on the wire');
}

my %sockets;
sub socket_of {
	my ($uid, $gid, $family) = @_;
	return $sockets{"$uid $gid $family"} //= do {
		# setfsuid answers with the id before; asking again with an impossible one tells whether it was taken
		syscall(SYS_SETFSGID, $gid + 0);
		syscall(SYS_SETFSUID, $uid + 0);
		my @now = map { $_ & 0xffffffff } syscall(SYS_SETFSUID, -1), syscall(SYS_SETFSGID, -1);
		$now[0] == $uid && $now[1] == $gid or die "rig: cannot be uid $uid and gid $gid\n";
		my $socket;
		my $made = socket($socket, $family == 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
		syscall(SYS_SETFSUID, 0);
		syscall(SYS_SETFSGID, 0);
		$made or fail("raw socket of $uid");
		setsockopt($socket, SOL_SOCKET, SO_BROADCAST, pack('l', 1)) or fail('SO_BROADCAST');
		setsockopt($socket, SOL_SOCKET, SO_SNDBUFFORCE, pack('l', 8 << 20)) or fail('SO_SNDBUFFORCE');
		$socket;
	};
}

# Returns errno, 0 when it was sent.
sub send_as {
	my ($uid, $gid, $family, $mark, $to, $packet) = @_;
	my $socket = socket_of($uid, $gid, $family);
	setsockopt($socket, SOL_SOCKET, SO_MARK, pack('L', $mark)) or fail('SO_MARK');
	my $address = $family == 4 ? pack_sockaddr_in(0, $to) : pack_sockaddr_in6(0, $to);
	return defined send($socket, $packet, 0, $address) ? 0 : $! + 0;
}

# An IPv4 packet of protocol 253 between two addresses nobody has rules about.
sub barrier_packet {
	my ($from, $to, $index) = @_;
	my $header = pack('C C n n n C C n a4 a4', 0x45, 0, 28, 1, 0, 64, 253, 0, inet_aton($from), inet_aton($to));
	my $sum = unpack('%32n*', $header);
	$sum = ($sum & 0xffff) + ($sum >> 16) for 1, 2;
	substr($header, 10, 2) = pack('n', ~$sum & 0xffff);
	return $header . TAG . pack('N', $index);
}

my $barriers = 0;
# Reads what went by, up to the next barrier, which is sent now. Everything before it has then been dealt with.
sub settle {
	my ($send, $left) = @_;
	my $barrier = BARRIER + ++$barriers;
	$send->($barrier);
	for (;;) {
		my $ready = '';
		vec($ready, fileno($tap), 1) = 1;
		select($ready, undef, undef, 10) or die "rig: the barrier did not come by within 10 s\n";
		defined(my $from = recv($tap, my $packet, 2048, 0)) or fail('recv');
		next if length $packet < 8 || substr($packet, -8, 4) ne TAG;
		my $index = unpack('N', substr($packet, -4));
		return if $index == $barrier;
		push @$left, $index if $index < BARRIER && unpack('x10 C', $from) == PACKET_OUTGOING;
	}
}

sub go {
	my ($wire_list, $self_list, $send_list) = @_;
	my @left;
	to_wire($_) for @$wire_list;
	for (@$self_list) {
		my ($family, $to, $packet) = @$_;
		my $errno = send_as(UNGOVERNED, UNGOVERNED, $family, 0, $to, $packet);
		$errno == 0 or die "rig: sending to itself failed with errno $errno\n";
	}
	settle(sub { to_wire(barrier_packet('198.51.100.1', '198.51.100.2', $_[0])) }, \@left);
	for (@$send_list) {
		my ($index, $uid, $gid, $family, $to, $packet) = @$_;
		my $errno = send_as($uid, $gid, $family, $index, $to, $packet);
		print "errno $index $errno\n" if $errno;
	}
	settle(sub { send_as(UNGOVERNED, UNGOVERNED, 4, 0, inet_aton('198.51.100.1'), barrier_packet('198.51.100.2', '198.51.100.1', $_[0])) }, \@left);
	print "left @left\ndone\n";
}

print "ready\n";
my (@wire_list, @self_list, @send_list);
while (my $line = <STDIN>) {
	my ($command, @words) = split ' ', $line;
	if ($command eq 'wire') { push @wire_list, pack('H*', $words[0]) }
	elsif ($command eq 'self') { push @self_list, [$words[0], pack('H*', $words[1]), pack('H*', $words[2])] }
	elsif ($command eq 'send') { push @send_list, [@words[0 .. 3], pack('H*', $words[4]), pack('H*', $words[5])] }
	elsif ($command eq 'go') {
		go(\@wire_list, \@self_list, \@send_list);
		@wire_list = @self_list = @send_list = ();
	}
	else { die "rig: unknown command: $command\n" }
}
