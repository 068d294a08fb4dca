#!/bin/sh
# demo.sh - from a bare Debian to a heap that can be seen: installs a compiler and make if they are
# missing, builds, runs perl that reads many strings and drops all but a few, under glibc's malloc
# and under the library, prints what both heaps did, side by side, and why what stays there stays.
# DEMO_KEYS: how many strings.
set -eu
cd "$(dirname "$0")/.."
keys=${DEMO_KEYS:-40000}

say() {
    printf '\n== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "demo.sh: to install what is missing, run as root: $*" >&2
        exit 1
    fi
}

# The headers may be missing where the compiler is there: ask it.
can_build() {
    command -v make >/dev/null && command -v "${CC:-gcc}" >/dev/null &&
        echo '#include <stdlib.h>' | "${CC:-gcc}" -E - >/dev/null 2>&1
}

if ! can_build; then
    say "Installing gcc and make"
    as_root apt-get update -qq
    words=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends gcc libc6-dev make </dev/null 2>&1) || {
        echo "$words" >&2
        exit 1
    }
fi

say "Building ./libmyalloc.so and ./myalloc"
make -s CC="${CC:-gcc}"
du -k libmyalloc.so myalloc | awk '{ print $2 ": " $1 " KiB, with debug information" }'

# What perl does; after each step it adds its own mappings up. [heap] is what the program break
# gave; anonymous writable mappings (not the stack) are what mmap gave.
# shellcheck disable=SC2016
program='
my $keys = shift;
sub look {
    my ($step) = @_;
    $| = 1;
    my ($brk, $mmap, $rss, $kind) = (0, 0, 0, 0);
    open my $maps, "<", "/proc/self/smaps" or die;
    while (<$maps>) {
        if (/^([0-9a-f]+)-([0-9a-f]+) (....) \S+ (\S+) \d+ *(.*)/) {
            my ($bytes, $mode, $name) = (hex($2) - hex($1), $3, $5);
            $kind = $name eq "[heap]" ? 1 : $name eq "" && $mode =~ /^rw/ ? 2 : 0;
            $brk += $bytes if $kind == 1;
            $mmap += $bytes if $kind == 2;
        } elsif (/^Rss: +(\d+)/) {
            $rss += $1;
        }
    }
    printf "%s\t%.1f\t%.1f\t%.1f\n", $step, $brk / 1048576, $mmap / 1048576, $rss / 1024;
}
look("at the start");
my @lines;
push @lines, "line $_ " . "v" x (2000 + $_ % 1000) for 1 .. $keys;
look("strings read");
undef $lines[$_] for grep { $_ % 1000 } 0 .. $#lines;
look("all but every 1000th dropped");
my $text = "";
$text .= "x" x 4000 for 1 .. 8000;
look("a string grown to 32 MB");
undef $text;
look("the string dropped");
if (@ARGV) {
    <STDIN>; # to be looked at
}
@lines = ();
look("all dropped");
'
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

LC_ALL=C perl -e "$program" "$keys" >"$results/glibc"
LC_ALL=C LD_PRELOAD="$PWD/libmyalloc.so" perl -e "$program" "$keys" >"$results/myalloc"

say "What the two heaps held, in MiB: brk is [heap] in /proc/PID/maps, mmap the anonymous mappings"
awk -F '\t' -v keys="$keys" '
    BEGIN {
        printf "%-28s %-24s %s\n", "", "        glibc", "       libmyalloc"
        printf "%-28s %7s %7s %7s  %7s %7s %7s\n", "perl, " keys " strings",
            "brk", "mmap", "RSS", "brk", "mmap", "RSS"
    }
    NR == FNR { brk[FNR] = $2; mmap[FNR] = $3; rss[FNR] = $4; next }
    {
        printf "%-28s %7.1f %7.1f %7.1f  %7.1f %7.1f %7.1f\n",
            $1, brk[FNR], mmap[FNR], rss[FNR], $2, $3, $4
    }
' "$results/glibc" "$results/myalloc"

say "Why what stays stays (./myalloc heap PID, in that perl once the string was dropped)"
mkfifo "$results/hold"
LC_ALL=C LD_PRELOAD="$PWD/libmyalloc.so" perl -e "$program" "$keys" wait \
    <"$results/hold" >"$results/held" &
perl=$!
exec 3>"$results/hold"
until grep -q 'the string dropped' "$results/held" || ! kill -0 $perl; do sleep 0.1; done
./myalloc heap $perl | sed -n '/^free, and yet resident/,/^$/p; /^heap of/,$p'
exec 3>&-
wait $perl

say "Time and peak RSS of both (./myalloc run --compare -- perl ...)"
{ ./myalloc run --compare -- perl -e "$program" "$keys" >/dev/null; } 2>&1

say "Try next"
cat <<'END'
./myalloc run -- CMD                 any program under the library, and what its heap did
./myalloc lab heap                   see malloc and free move the heap, step by step (--lang ko)
LD_PRELOAD=$PWD/libmyalloc.so CMD    nothing but the library
make check                           all tests; installs what they need
END
