# files.sh - what the library writes ends no program and serves no other user: files of others,
# links, containers, limits, full disks, few descriptors, pipes that nobody reads.
. test/support/tap.sh
if [ -z "${LIB-}" ]; then
    echo "ok - glibc writes no files"
    exit 0
fi
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
export XDG_RUNTIME_DIR=$private
program=$TEST_PROGRAMS/hazards/programs

# with OPTIONS COMMAND... - the command under the library; stderr goes to $private/said.
with() {
    local options=$1
    shift
    LD_PRELOAD=$LIB MYALLOC_CONF=$options "$@" 2>"$private/said"
}

# said LINE... - these lines, in which @ stands for anything, and nothing else.
said() {
    local line count=0
    for line in "$@"; do
        count=$((count + 1))
        # shellcheck disable=SC2053
        [[ $(sed -n "${count}p" "$private/said") == ${line//@/*} ]] ||
            { cat "$private/said" && return 1; }
    done
    [ "$(wc -l <"$private/said")" -eq $count ] || { cat "$private/said" && false; }
}

# before OPTIONS MAKE - MAKE runs with $name, the file that the program is about to make.
before() {
    # shellcheck disable=SC2016
    LD_PRELOAD="" bash -c 'name=$1.$$; '"$2"'
        LD_PRELOAD=$3 MYALLOC_CONF=$2 exec perl -e "@a = map { qq(x\$_) } 1 .. 50000;
            print qq(ran\n)"' \
        - "$private/f/t" "$1" "$LIB" 2>"$private/said"
}

fresh() {
    rm -rf "$private/f" && mkdir "$private/f" && chmod 1777 "$private/f" && chmod 755 "$private"
}

# What is there already keeps its bytes; ours goes beside it, for us alone.
beside() {
    fresh
    echo precious >"$private/precious" && chmod 666 "$private/precious"
    equal "$(before "$1" "$2")" ran && said &&
        equal "$(cat "$private/precious")" precious &&
        equal "$(stat -c '%a %h' "$private"/f/t.*.2)" "600 1" &&
        [ -n "$(find "$private/f" -name '*.2' -size +0)" ]
}

of_another_user() {
    fresh
    equal "$(before "$1" 'setpriv --reuid 65534 --clear-groups sh -c "umask 0; : >$name"')" ran &&
        equal "$(cat "$private"/f/t.*[0-9] | head -c 0; stat -c %s "$private"/f/t.* | sort -n |
            head -n 1)" 0
}

nobody_else_reads() {
    fresh && with "record:$private/f/t" /bin/true && said &&
        equal "$(stat -c %a "$private"/f/t.*)" 600
}

container() {
    LD_PRELOAD=$LIB MYALLOC_CONF=$1 unshare -pf perl -e "$2"
}

two_containers() {
    local first
    fresh
    container "record:$private/f/t" 'my $end = time + 3;
        while (time < $end) { my @a = map { "x" x $_ } 1 .. 2000; sleep 0.1 }' &
    sleep 1
    first=$(ls -i "$private"/f/t.1)
    container "record:$private/f/t" 'my @a = map { "x" x $_ } 1 .. 300' && wait $! &&
        equal "$(ls -i "$private/f/t.1")" "$first" && [ -s "$private/f/t.1.2" ]
}

two_pages() {
    local first
    container live:1 'select undef, undef, undef, 3' &
    sleep 1
    first=$(ls -i "$private/myalloc/1")
    container live:1 'print -s "'"$private"'/myalloc/1.2", "\n"' >"$private/bytes" &&
        [ "$(cat "$private/bytes")" -gt 10000 ] &&
        equal "$(ls -i "$private/myalloc/1")" "$first" && wait $! &&
        equal "$(ls "$private/myalloc")" ""
}

# A page that is left, as an exec does, is taken over by the next with its number.
left_page() {
    container live:1 'exec "perl", "-e", q(print -s "'"$private"'/myalloc/1.2")' >"$private/out" &&
        equal "$(cat "$private/out")" "" && not ls "$private"/myalloc/1
}

foreign_directory() {
    local kept=$XDG_RUNTIME_DIR status
    fresh && mkdir "$private/f/myalloc" && chmod "$2" "$private/f/myalloc"
    chown "$1" "$private/f/myalloc"
    XDG_RUNTIME_DIR=$private/f with live:1 sh -c 'ls "$XDG_RUNTIME_DIR/myalloc"' >"$private/out"
    status=$?
    XDG_RUNTIME_DIR=$kept
    [ $status -eq 0 ] && equal "$(cat "$private/out")" "" && said
}

# limited KIB OPTIONS LINE... - with such a limit of a file the program ends well, and says so.
limited() {
    local options=$2
    fresh
    (ulimit -f "$1" && LD_PRELOAD=$LIB MYALLOC_CONF=$options exec perl -e \
        '@a = map { "x" x 100 } 1 .. 60000; print STDERR "ran\n"') 2>&1 | cat >"$private/said"
    equal "${PIPESTATUS[0]}" 0 && shift 2 && said "$@"
}

stderr_at_its_limit() {
    head -c 8192 /dev/zero >"$private/log"
    (ulimit -f 8 && LD_PRELOAD=$LIB MYALLOC_CONF=bogus:1,stats:1 /bin/true 2>>"$private/log") &&
        equal "$(stat -c %s "$private/log")" 8192
}

# descriptors NUMBER OPTIONS - says something, or writes it.
descriptors() {
    fresh
    (ulimit -n "$1" && with "$2" /bin/ls /) >"$private/out" &&
        { grep -q '^myalloc: ' "$private/said" || [ -s "$(echo "$private"/f/t.*)" ]; }
}

# unread OPTIONS COMMAND... - how a command ends whose stderr is a pipe that nobody reads.
unread() {
    # shellcheck disable=SC2016
    perl -e 'pipe(R, W); close R; $SIG{PIPE} = "DEFAULT"; open(STDERR, ">&", W);
        $ENV{LD_PRELOAD} = shift; $ENV{MYALLOC_CONF} = shift;
        exit((system(@ARGV) & 127) || ($? >> 8))' "$LIB" "$@"
}

# The program holds SIGPIPE back itself: it has none then, or that of its own.
pending() {
    # shellcheck disable=SC2016
    unread live:0 perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGPIPE));
        kill PIPE => $$ if $ARGV[0]; $ENV{MYALLOC_CONF} = "bogus:1"; $ENV{LD_PRELOAD} = $ARGV[1];
        exec "perl", "-MPOSIX", "-e", q(sigpending($s = POSIX::SigSet->new);
            exit($s->ismember(SIGPIPE) ? 9 : 0))' "$1" "$LIB"
    equal "$?" "$2"
}

# full_disk OPTIONS LINE - in a directory of 200 KiB, without fallocate.
full_disk() {
    # shellcheck disable=SC2016
    unshare -m bash -c 'mount -t tmpfs -o size=200k none "$1" && cd "$1" || exit 77
        export XDG_RUNTIME_DIR=$PWD
        [ "$4" != live:1 ] || head -c 190000 /dev/zero >filler
        "$2" env LD_PRELOAD="$3" MYALLOC_CONF="$4" \
            perl -e "@a = map { q(x) x 100 } 1 .. 50000; print qq(ran\n)" 2>"$5"' - "$private/f" \
        "$program/no_fallocate" "$LIB" "$1" "$private/said" >"$private/out"
    equal "$?" 0 && equal "$(cat "$private/out")" ran && said "$2"
}

room_is_taken() {
    fresh
    "$program/no_fallocate" env LD_PRELOAD="$LIB" MYALLOC_CONF="record:$private/f/t" /bin/true &&
        [ "$(stat -c %b "$private"/f/t.*)" -ge 128 ]
}

claim "a trace is its user's alone" nobody_else_reads
for kind in record stats; do
    # OS_REPORT-1, PLACE-2
    claim "$kind: a file that is there stays" beside "$kind:$private/f/t" 'echo x >"$name"'
    claim "$kind: a link is not followed" beside "$kind:$private/f/t" \
        "ln -s '$private/precious' \"\$name\""
    claim "$kind: a hard link is not written to" beside "$kind:$private/f/t" \
        "ln '$private/precious' \"\$name\""
    [ "$(id -u)" -ne 0 ] || claim "$kind: another user's file is not used" of_another_user \
        "$kind:$private/f/t"
done
if unshare -pf true 2>/dev/null; then
    claim "containers: two processes with one number have a trace each" two_containers
    claim "containers: two processes with one number have a page each" two_pages
    claim "a page that is left is taken over" left_page
fi
claim "live: a directory that others may write to is not used" foreign_directory "$(id -u)" 777
[ "$(id -u)" -ne 0 ] ||
    claim "live: another user's directory is not used" foreign_directory 65534 755

# LIVE-1
claim "a file limit: live" limited 8 live:1 "myalloc: no live page in @: file size limit" ran
claim "a file limit: record" limited 8 "record:$private/f/t" \
    "myalloc: no trace in @: file size limit" ran
claim "a file limit: a long trace" limited 200 "record:$private/f/t" \
    "myalloc: the trace ends early, @: file size limit" ran
claim "a file limit: stats" limited 0 "stats:$private/f/t" ran \
    "myalloc: not all numbers are in @: file size limit"
claim "a file limit: backing" limited 8 "backing:$private/f,huge_bytes:40000" \
    "myalloc: backing:@: file size limit; using anonymous memory" ran
claim "a file limit: standard error" stderr_at_its_limit
for number in 150 20 8 5; do
    for options in stats:1 "stats:$private/f/t" "record:$private/f/t"; do
        claim "$number descriptors: ${options%%:*}" descriptors $number "$options"
    done
done
for options in bogus:1 stats:1 record:/nonexistent/x stats:/nonexistent/x live:1,stats:1; do
    claim "a pipe that nobody reads: $options" unread "$options" /bin/true
done
claim "a pipe that nobody reads: a free of foreign memory" \
    unread live:0 "$program/foreign" mapped free
# DIE-1
claim "a pipe that nobody reads: a fatal message ends by abort" \
    equal "$(unread guard:1 "$program/sampled" twice; echo $?)" 6
# QUIET-1, OS_REPORT-2
claim "a pipe that nobody reads: no signal is left pending" pending 0 0
claim "a pipe that nobody reads: that of the program is left pending" pending 1 9
if unshare -m true 2>/dev/null; then
    fresh
    claim "a full disk without fallocate: record" full_disk record:t \
        "myalloc: the trace ends early, @: disk full"
    claim "a full disk without fallocate: live" full_disk live:1 \
        "myalloc: no live page in @: disk full"
fi
claim "without fallocate a trace has its room all the same" room_is_taken
finish
