# profile.sh - profile:1 and its kin: the figures are true, whoever frees and whatever is reused;
# the file is one that others read; leaks are told by stack; signals start and write it.
. test/support/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${LIB-}" ]; then
    echo "ok - glibc has no such option"
    exit 0
fi
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"

cat >"$work/sites.c" <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define SITE __attribute__((noinline, noclone))
static void *keep[400000];
static int kept;
SITE void *get(size_t bytes)
{
    void *block = malloc(bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}
// 20,000 blocks of 1,000 bytes, of which half go again.
SITE void site_half(void)
{
    for (int i = 0; i < 20000; i++) {
        keep[kept + i] = get(1000);
    }
    for (int i = 0; i < 10000; i++) {
        free(keep[kept + 2 * i]);
    }
    kept += 20000;
}
// A loop that always gets the same block, and never refills anything: 100 MB in all.
SITE void site_loop(void)
{
    for (int i = 0; i < 1000000; i++) {
        free(get(100));
    }
}
// What stays always gets blocks that were just freed; what goes again refills: 8 MB stay.
#define UNTAILED(block) __asm__ volatile("" : "+r"(block))
SITE void *site_temporary(void)
{
    void *block = get(200);
    UNTAILED(block);
    return block;
}
SITE void *site_hidden(void)
{
    void *block = get(200);
    UNTAILED(block);
    return block;
}
SITE void site_cycle(void)
{
    static void *some[40];
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 40; i++) {
            some[i] = site_temporary();
        }
        for (int i = 0; i < 40; i++) {
            free(some[i]);
        }
        for (int i = 0; i < 40; i++) {
            keep[kept++] = site_hidden();
        }
    }
}
SITE void site_large(void)
{
    for (int i = 0; i < 200; i++) {
        keep[kept++] = get(50000);
    }
}
SITE void site_huge(void) { keep[kept++] = get(30 << 20); }
// Grows in steps to 20 MB, in place or by moves.
SITE void site_growing(void)
{
    char *block = NULL;
    for (size_t bytes = 10000; bytes <= 20000000; bytes += 10000) {
        block = realloc(block, bytes);
        block[bytes - 1] = 1;
    }
    keep[kept++] = block;
}
SITE void site_zeroed(void)
{
    for (int i = 0; i < 4000; i++) {
        unsigned char *block = calloc(10, 100);
        for (int k = 0; k < 1000; k++) {
            if (block[k] != 0) {
                abort();
            }
        }
        keep[kept++] = block;
    }
}
SITE void site_aligned(void)
{
    for (int i = 0; i < 4000; i++) {
        void *block = aligned_alloc(256, 1024);
        if ((size_t)block % 256 != 0) {
            abort();
        }
        keep[kept++] = block;
    }
}
static void *give(void *block)
{
    free(block);
    return NULL;
}
// Freed by other threads than asked for them.
SITE void site_handed(void)
{
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, give, get(30000));
        pthread_join(thread, NULL);
    }
}
int main(int argc, char **argv)
{
    (void)argv;
    pthread_t first; // libc allocates for its stack, and keeps that for the threads after it
    pthread_create(&first, NULL, give, NULL);
    pthread_join(first, NULL);
    site_half();
    site_loop();
    site_cycle();
    site_large();
    site_huge();
    site_growing();
    site_zeroed();
    site_aligned();
    site_handed();
    if (argc > 1 && fork() == 0) {
        site_large();
        return 0;
    }
    wait(NULL);
    return 0;
}
END
gcc -O2 -g -o "$work/sites" "$work/sites.c" -pthread || exit 1

# figures FILE - of each site: its name, bytes in use, at the peak, allocated in all.
figures() {
    local base
    base=$(awk '/MAPPED/ { on = 1 } on && /\/sites$/ { sub(/-.*/, "", $1); print $1; exit }' "$1")
    awk '/^MAPPED/ { exit }
        /^[0-9]+: / { stack = ""; for (i = 6; i <= NF; i++) stack = stack " " $i }
        /^#=/ { print $3, $5, $7, stack }' "$1" >"$work/stacks"
    for address in $(cut -d' ' -f4- "$work/stacks" | tr ' ' '\n' | grep 0x | sort -u); do
        offset=$((address - 0x$base))
        [ $offset -lt 0 ] || [ $offset -gt 1000000 ] || echo "$address $((offset - 1))"
    done >"$work/addresses"
    awk '{ printf "0x%x\n", $2 }' "$work/addresses" | addr2line -f -s -e "$work/sites" |
        awk 'NR % 2' >"$work/names"
    awk 'FILENAME == ARGV[1] { address[FNR] = $1; next }
        FILENAME == ARGV[2] { name[address[FNR]] = $1; next }
        { for (i = 4; i <= NF && name[$i] !~ /^site_/; i++) { }
          if (i <= NF) { at = name[$i]; live[at] += $1; peak[at] += $2; total[at] += $3 } }
        END { for (at in live) print at, live[at], peak[at], total[at] }' \
        "$work/addresses" "$work/names" "$work/stacks"
}

# near FILE SITE COLUMN BYTES PERCENT - what the profile says of a site, against what is true.
near() {
    awk -v site="$2" -v column="$3" -v bytes="$4" -v percent="$5" '
        $1 == site { value = $column; found = 1 }
        END {
            low = bytes * (1 - percent / 100); high = bytes * (1 + percent / 100)
            if (!found && bytes > 0 || value < low || value > high) {
                print site, value, "not", bytes; exit 1
            }
        }' "$1"
}

# less FILE SITE COLUMN BYTES - it says less than that.
less() {
    awk -v site="$2" -v column="$3" -v bytes="$4" '
        $1 == site && $column >= bytes { print site, $column, "not below", bytes; exit 1 }' "$1"
}

# true_figures WHEN FILE PERCENT - all figures of the program. The least of them come from 400
# samples of 10 kB, which vary by 5 percent.
true_figures() {
    local at few=$(awk "BEGIN { print 2 * $3 }")
    at=$(figures "$2" | tee "$work/figures" >/dev/null; echo "$work/figures")
    claim "$1: what half went of" near "$at" site_half 2 10000000 "$3"
    claim "$1: all that it asked for" near "$at" site_half 4 20000000 "$3"
    claim "$1: a loop that refills nothing" near "$at" site_loop 4 100000000 "$3"
    claim "$1: and it holds nothing" near "$at" site_loop 2 0 0
    claim "$1: what stays in blocks that others freed" near "$at" site_hidden 2 8000000 "$3"
    claim "$1: what went holds nothing" near "$at" site_temporary 2 0 0
    claim "$1: large blocks" near "$at" site_large 2 10000000 "$3"
    claim "$1: a huge block" near "$at" site_huge 2 31457280 "$3"
    claim "$1: a block that grew" near "$at" site_growing 2 20000000 "$3"
    claim "$1: calloc" near "$at" site_zeroed 2 4000000 "$few"
    claim "$1: aligned blocks" near "$at" site_aligned 2 4096000 "$few"
    claim "$1: what other threads freed" less "$at" site_handed 2 1000
    local part
    part=$(awk "BEGIN { print $3 + 0.01 }")
    claim "$1: and was asked for" near "$at" site_handed 4 9000000 "$part"
}

# profiled OPTIONS COMMAND... - runs it; $work/p.*: the profiles.
profiled() {
    local options=$1
    shift
    rm -f "$work"/p.*
    MYALLOC_CONF=profile:1,profile_file:$work/p,$options LD_PRELOAD=$LIB "$@"
}

profiled profile_bytes:1 "$work/sites"
true_figures "every block" "$work"/p.* 0.001
profiled profile_bytes:10000 "$work/sites"
true_figures "a sample every 10 kB" "$work"/p.* 12
profiled profile_bytes:140000 "$work/sites"
# PROFILE-2: a free that does not miss would leave its sample in use.
claim "spans of their own: what half went of" near <(figures "$work"/p.*) site_half 2 10000000 45
claim "spans of their own: a loop that refills nothing" \
    near <(figures "$work"/p.*) site_loop 4 100000000 15
claim "spans of their own: what stays in blocks that others freed" \
    near <(figures "$work"/p.*) site_hidden 2 8000000 50
profiled profile_bytes:10000,harden:1 "$work/sites"
claim "harden: what half went of" near <(figures "$work"/p.*) site_half 2 10000000 12
claim "harden: a block that grew" near <(figures "$work"/p.*) site_growing 2 20000000 12
profiled profile_bytes:140000,guard:1000 "$work/sites"
claim "guard: a loop that refills nothing" near <(figures "$work"/p.*) site_loop 4 100000000 15
GLIBC_TUNABLES=glibc.pthread.rseq=0 profiled profile_bytes:10000 "$work/sites"
claim "without sequences: what half went of" near <(figures "$work"/p.*) site_half 2 10000000 12

profiled profile_bytes:1 "$work/sites" forks
claim "a child writes its own" equal "$(ls "$work"/p.* | wc -l)" 2
for file in "$work"/p.*; do
    figures "$file" | awk '$1 == "site_large" { print $2 }'
done | sort | tr '\n' ' ' >"$work/two"
claim "with what it inherited and asked for" equal "$(cat "$work/two")" "10000000 20000000 "
profiled profile_bytes:140000 "$work/sites"
claim "no sample is lost" grep -q '^# samples without room: 0$' "$work"/p.*
claim "the command stands there" grep -q "^# command: $work/sites" "$work"/p.*
claim "nothing is said" equal "$(profiled profile_bytes:140000 "$work/sites" 2>&1)" ""
for reader in jeprof google-pprof; do
    [ -n "$(type -p $reader)" ] || { echo "# no $reader" && continue; }
    $reader --text --show_bytes "$work/sites" "$work"/p.* >"$work/read" 2>/dev/null
    claim "$reader reads it" grep -q 'site_huge' "$work/read"
    claim "$reader scales it" awk '/site_large/ { found = $4 > 5000000 && $4 < 16000000 }
        END { exit !found }' "$work/read"
done

# ---- leaks ----

cat >"$work/leaks.c" <<'END'
#include <stdlib.h>
#include <unistd.h>
#define SITE __attribute__((noinline, noclone))
#define SEEN(block) __asm__ volatile("" : : "r"(block))
SITE void leak_small(void)
{
    for (int i = 0; i < 100; i++) {
        SEEN(malloc(24));
    }
}
SITE void leak_medium(void)
{
    for (int i = 0; i < 7; i++) {
        SEEN(malloc(5000));
    }
}
SITE void leak_large(void)
{
    SEEN(malloc(1000000));
}
SITE void no_leak(void)
{
    for (int i = 0; i < 50; i++) {
        void *block = malloc(333);
        SEEN(block);
        free(block);
    }
}
int main(int argc, char **argv)
{
    (void)argv;
    leak_small();
    leak_medium();
    no_leak();
    leak_large();
    if (argc > 1) {
        _exit(0);
    }
    return 0;
}
END
gcc -O2 -g -no-pie -o "$work/leaks" "$work/leaks.c" || exit 1
# leaks COMMAND... - the report, each line of a place with the name of the function that leaked.
leaks() {
    MYALLOC_CONF=profile_leaks:1,profile_bytes:1 LD_PRELOAD=$LIB "$@" 2>&1
}
want="1000000 bytes in 1 blocks leak_large
35000 bytes in 7 blocks leak_medium
2400 bytes in 100 blocks leak_small"
told() {
    local line
    leaks "$@" | while read -r line; do
        case $line in
        *" bytes in "*" allocated by")
            printf '%s ' "$(sed 's/.*myalloc: *//; s/, allocated.*//' <<<"$line")"
            ;;
        *leaks+0x*)
            addr2line -f -s -e "$work/leaks" \
                "$(printf '0x%x' $((0x${line##*+0x} + 0x400000 - 1)))" | head -1
            ;;
        esac
    done | awk '/leak_/ { print }'
}
claim "three leaks, largest first, exactly" equal "$(told "$work/leaks")" "$want"
claim "the same of a program that ends by _exit" equal "$(told "$work/leaks" quick)" "$want"
claim "the sum stands first" equal "$(leaks "$work/leaks" | head -1)" \
    "myalloc: in use at exit: 1037400 bytes in 108 blocks, from 3 places"

# ---- probes ----

# probes LIBRARY - name and arguments of those that lie on a nop.
probes() {
    readelf -n "$1" | awk '/Provider: otel_memory/ { on = 1 } /Name:/ && on { name = $2 }
        /Location:/ && on { at = $2; sub(",", "", at) }
        /Arguments:/ && on { print at, name, NF - 1; on = 0 }' | while read -r at name count; do
        objdump -d --start-address=$at --stop-address=$((at + 4)) "$1" | grep -q '[[:blank:]]nop' &&
            echo "$name $count"
    done | sort -u | tr '\n' ' '
}
# The program of leaks begins with a block of 24 bytes.
claim "a nop and a note for each probe" equal "$(probes "$LIB")" "alloc 3 free 1 "
if gdb --version >/dev/null 2>&1 && gdb -batch -ex run true 2>&1 | grep -q 'exited normally'; then
    gdb -batch -ex "set environment LD_PRELOAD=$LIB" -ex 'set breakpoint pending on' \
        -ex 'set environment MYALLOC_CONF=profile_leaks:1,profile_bytes:1' \
        -ex 'set startup-with-shell off' \
        -ex 'break -probe-stap otel_memory:alloc' -ex run \
        -ex 'print $_probe_argc' -ex 'print $_probe_arg1' -ex 'print $_probe_arg2' \
        -ex 'disable' -ex continue "$work/leaks" >"$work/probed" 2>&1
    claim "a debugger stops at the probe" grep -q '^\$1 = 3$' "$work/probed"
    claim "and reads what was asked for there" grep -q '^\$2 = 24$' "$work/probed"
    claim "and how many bytes there are to a sample" grep -q '^\$3 = 1$' "$work/probed"
else
    echo "# no gdb, or no ptrace: the probes were not hit"
fi

# ---- in a running process ----

cat >"$work/runs.c" <<'END'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void take(int count)
{
    for (int i = 0; i < count; i++) {
        memset(malloc(1000), 1, 1000);
    }
}
int main(void)
{
    char line[10];
    take(3000);
    puts("ready");
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
        take(5000);
        puts("more");
        fflush(stdout);
    }
    return 0;
}
END
gcc -O2 -o "$work/runs" "$work/runs.c" || exit 1
# start_running OPTIONS - the program, its words from descriptor 5, orders to 6.
start_running() {
    mkfifo "$work/in" "$work/out"
    MYALLOC_CONF=$1 LD_PRELOAD=$LIB "$work/runs" <"$work/in" >"$work/out" &
    running=$!
    exec 6>"$work/in" 5<"$work/out"
    read -r line <&5
}
more() { echo >&6 && read -r line <&5; }
stop_running() {
    exec 6>&- 5<&-
    wait $running
    rm -f "$work/in" "$work/out"
}
answer() {
    local file=$XDG_RUNTIME_DIR/myalloc/$running.heap
    for _ in $(seq 100); do
        [ -e "$file" ] && mv "$file" "$work/answer" && return
        sleep 0.05
    done
    false
}
start_running profile_signal:12,profile_bytes:1
kill -12 $running
claim "a signal starts the profile of an idle process" answer
more
kill -12 $running
claim "the same signal has it written" answer
sum=$(awk '/^#=/ { sum += $3 } END { print (sum >= 5000000 && sum < 5010000) }' "$work/answer")
claim "what was allocated since is there" equal "$sum" 1
from=$(sed -n 's/^# bytes from before: //p' "$work/answer")
claim "what was there before is told as such" [ "$from" -ge 3000000 ] && [ "$from" -le 3300000 ]
stop_running
claim "and ends as it would" equal $? 0
start_running profile_signal:12
more
claim "without the signal nothing is written" not test -e "$XDG_RUNTIME_DIR/myalloc/$running.heap"
stop_running
says=$(MYALLOC_CONF=profile_signal:9 LD_PRELOAD=$LIB /bin/echo ran 2>&1)
claim "a signal that cannot be taken costs a line" equal "$says" \
    "myalloc: profile_signal:9: this signal cannot be taken
ran"
finish
