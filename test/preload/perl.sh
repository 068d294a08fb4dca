# perl.sh - perl: hashes of hashes, regular expressions, sorting, fork.
. test/support/scene.sh
programs=(perl)
children=()

scene() {
    export PERL_HASH_SEED=0
    perl -e '
        my %h;
        $h{$_ % 5003}{"k$_"} = "v" x ($_ % 97) for 1 .. 300000;
        my $n = 0;
        $n += keys %{$h{$_}} for keys %h;
        print "$n\n";
        my @sorted = sort { $a->[1] cmp $b->[1] || $a->[0] <=> $b->[0] }
            map { [$_, join "-", reverse split //, $_] } 1 .. 50000;
        print join(",", map { $_->[0] } @sorted[0 .. 20]), "\n";
        my $text = join " ", 1 .. 100000;
        my $count = () = $text =~ /\b(\d)\d*\1\b/g;
        print "$count\n";
        for my $i (1 .. 20) {
            my $pid = fork();
            if ($pid == 0) { my @copy = (%h); exit(@copy == 2 * 5003 ? 0 : 1); }
            waitpid($pid, 0);
            die "child: $?" if $?;
        }
        print "children ended well\n";
    '
}
compare_scene
