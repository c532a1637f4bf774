# The file of keys of a backup set (its format is in docs/redis.md), from standard input, as RESTORE commands for
# redis-cli --pipe. Fails where the file is cut, was changed or is something else.
use strict; use Digest::SHA; binmode STDIN; binmode STDOUT;
my $sha = Digest::SHA->new(256); my $count = 0;
sub take { my ($length, $digested) = @_; my $data = "";
  while (length($data) < $length) { read(STDIN, $data, $length - length($data), length($data)) or die "the file ends before its end\n" }
  $sha->add($data) if $digested; return $data }
take(15, 1) eq "TYK-DR REDIS 1\n" or die "it is no file of keys\n";
while (1) {
  my $kind = take(1, 0); last if $kind eq "E"; $kind eq "K" or die "there is no record after $count keys\n"; $sha->add($kind);
  my $key = take(unpack("N", take(4, 1)), 1); my $expires = unpack("Q>", take(8, 1)); my $payload = take(unpack("N", take(4, 1)), 1);
  $count++; print "*6\r\n";
  print "\$", length($_), "\r\n", $_, "\r\n" for "RESTORE", $key, $expires, $payload, "REPLACE", "ABSTTL";
}
my $end = take(40, 0);
unpack("Q>", $end) == $count or die "its end speaks of another number of keys\n";
$sha->digest eq substr($end, 8) or die "its digest is another\n";
