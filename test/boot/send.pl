# usage: send.pl PORT [ALLOWED] — as whoever it runs as: a datagram every millisecond to that port, and every tenth time one to the other as well.
# It begins before there is a network, and never gives up: what cannot be sent is tried again.
use strict; use warnings; use Socket;
my @ports = @ARGV;
socket(my $socket, PF_INET, SOCK_DGRAM, getprotobyname('udp') // 17) or die "socket: $!";
my ($to, $allowed) = map { pack_sockaddr_in($_, inet_aton('203.0.113.1')) } @ports;
for (my $n = 0; ; $n++) {
  send($socket, 'x', 0, $to);
  send($socket, 'x', 0, $allowed) if $allowed && $n % 10 == 0;
  select(undef, undef, undef, 0.001);
}
