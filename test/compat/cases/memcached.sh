# memcached.sh - memcached: slabs of its own above malloc, threads
# needs: memcached perl
# packages: memcached perl
# serves: memcached
# quick: yes
serve memcached -l 127.0.0.1 -p "$PORT" -u root -t 4 -m 64
until_true bash -c "</dev/tcp/127.0.0.1/$PORT"
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new("127.0.0.1:'"$PORT"'") or die;
    for my $i (1 .. 20000) { my $v = "v" x ($i % 900);
        print $s "set k$i 0 0 ".length($v)." noreply\r\n$v\r\n" }
    my $n = 0;
    for my $i (1 .. 2000) {
        print $s "get k", $i * 7, "\r\n";
        while (my $l = <$s>) { last if $l eq "END\r\n"; $n += length $l }
    }
    print "$n\n"'
stops_well "$server"
