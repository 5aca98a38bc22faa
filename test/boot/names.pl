# usage: names.pl LOG — a name server on 203.0.113.1: every name has the address 45.64.0.10. What it is asked for is written to LOG.
use strict; use warnings; use Socket;
my ($log) = @ARGV;
open(my $asked, '>>', $log) or die "$log: $!";
select((select($asked), $| = 1)[0]);
socket(my $socket, PF_INET, SOCK_DGRAM, 17) or die "socket: $!";
bind($socket, pack_sockaddr_in(53, inet_aton('203.0.113.1'))) or die "bind: $!";
while (defined(my $from = recv($socket, my $query, 4096, 0))) {
  my ($at, @labels) = (12);
  while ((my $length = ord(substr($query, $at, 1))) > 0) { push @labels, substr($query, $at + 1, $length); $at += $length + 1 }
  my $type = unpack('n', substr($query, $at + 1, 2));
  print $asked lc(join('.', @labels)), "\n";
  my $answer = $type == 1 ? pack('nnnNnC4', 0xC00C, 1, 1, 60, 4, 45, 64, 0, 10) : '';
  send($socket, substr($query, 0, 2) . pack('nnnnn', 0x8180, 1, $answer eq '' ? 0 : 1, 0, 0) . substr($query, 12, $at + 5 - 12) . $answer, 0, $from);
}
