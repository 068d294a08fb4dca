# perl.sh - perl: hashes, regular expressions, sort, fork
# needs: perl
# packages: perl
# serves: perl
# quick: yes
PERL_HASH_SEED=0 run perl -e '
    my %table;
    $table{$_ % 5003}{"k$_"} = "v" x ($_ % 97) for 1 .. 300000;
    my $count = 0;
    $count += keys %{$table{$_}} for keys %table;
    print "$count\n";
    my @sorted = sort { $a <=> $b } map { $_ * 7919 % 100003 } 1 .. 100000;
    print "$sorted[0] $sorted[-1]\n";
    my $text = join " ", map { "word$_" } 1 .. 50000;
    my $found = () = $text =~ /\bword\d*7\b/g;
    print "$found\n";
    $| = 1;
    if (my $pid = fork) { waitpid $pid, 0; print $? >> 8, "\n" } else { exit 5 }'
