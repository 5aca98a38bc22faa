# Datagrams to ADDRESS PORT without end, about twenty thousand a second, until stdin is closed; then how many were tried.
# What the local kernel refuses is tried again with the next one: nothing it says stops the flood.
use strict;
use Socket;
my ($address, $port) = @ARGV;
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
my $to = pack_sockaddr_in($port, inet_aton($address));
my ($tried, $reading) = (0, '');
vec($reading, fileno(STDIN), 1) = 1;
for (;;) {
  for (1 .. 20) { $tried++; send($socket, 'leak', 0, $to) }
  my $ready = $reading;
  last if select($ready, undef, undef, 0.001);
}
print "$tried\n";
