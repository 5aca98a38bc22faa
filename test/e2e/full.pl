# A connection whose sender has more to send than the receiver takes. `receive ADDRESS PORT`: accepts, and reads only when a line comes on stdin;
# then prints how many bytes came. `send ADDRESS PORT`: writes until nothing more goes, prints how much, and closes when a line comes.
use strict;
use Socket;
use Fcntl;
$| = 1;
my ($what, $address, $port) = @ARGV;
my $to = pack_sockaddr_in($port, inet_aton($address));
socket(my $socket, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
alarm 60;
if ($what eq 'receive') {
  setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
  setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('l', 4096));
  bind($socket, $to) && listen($socket, 1) or die "listen: $!";
  print "ready\n";
  accept(my $peer, $socket) or die "accept: $!";
  <STDIN>;
  my ($total, $data) = (0, '');
  for (;;) {
    # a peer that is gone without a word would be waited for for ever
    my $ready = '';
    vec($ready, fileno($peer), 1) = 1;
    last unless select($ready, undef, undef, 3);
    my $read = sysread($peer, $data, 65536);
    last unless $read;
    $total += $read;
  }
  print "$total\n";
} else {
  connect($socket, $to) or die "connect: $!";
  fcntl($socket, F_SETFL, O_NONBLOCK);
  my ($total, $idle) = (0, 0);
  while ($idle < 20) {
    my $written = syswrite($socket, 'x' x 65536);
    if ($written) { $total += $written; $idle = 0 } else { $idle++; select(undef, undef, undef, 0.01) }
  }
  print "$total\n";
  <STDIN>;
  close $socket;
  print "closed\n";
}
