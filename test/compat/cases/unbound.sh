# unbound.sh - unbound: a name server with local data and threads
# needs: unbound unbound-checkconf
# packages: unbound
# serves: unbound unbound-checkconf
cat >unbound.conf <<CONFIG
server:
    interface: 127.0.0.1
    port: $PORT
    num-threads: 2
    username: ""
    chroot: ""
    directory: "$PWD"
    pidfile: "$PWD/pid"
    do-daemonize: no
    use-syslog: no
    local-zone: "test." static
CONFIG
for ((i = 0; i < 3000; i++)); do
    echo "    local-data: \"host$i.test. A 192.0.2.$((i % 250))\""
done >>unbound.conf
run unbound-checkconf unbound.conf >/dev/null && echo "checked"
serve unbound -c unbound.conf
until_true grep -q 'start of service' server.log
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:'"$PORT"'", Proto => "udp") or die;
    my $sum = 0;
    for my $i (0 .. 999) {
        my $name = "host$i";
        $s->send(pack("n6", $i, 256, 1, 0, 0, 0).pack("C/a C/a C n n", $name, "test", 0, 1, 1));
        $s->recv(my $answer, 512);
        $sum += ord substr $answer, -1;
    }
    print "$sum\n"'
kill "$server"
wait "$server" && echo "ended well"
