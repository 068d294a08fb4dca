# record.sh - traces: complete, one a process, whole after a kill; the reader of bench/ judges.
. test/support/tap.sh

private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
tool=build/bench/trace_tool

record() {
    LD_PRELOAD=$LIB MYALLOC_CONF=record:$private/$1 "${@:2}"
}

# sums FILE... - what the reader says, which refuses a trace that is not sound.
sums() {
    local trace
    for trace in "$@"; do
        "$tool" check "$trace" || return
    done
}

cat >"$private/calls.c" <<'END'
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static void *work(void *kept)
{
    for (int i = 0; i < 5000; i++) {
        free(malloc(100 + (size_t)i % 900));
    }
    free(kept);
    return NULL;
}
int main(int argc, char **argv)
{
    (void)argv;
    void *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = malloc(1000);
        blocks[i] = realloc(blocks[i], 4000 + 1000 * (size_t)i);
    }
    void *aligned = aligned_alloc(4096, 8192);
    free(calloc(3, 70000));
    for (int i = 0; i < 100; i++) {
        free(calloc(7, 8));
    }
    free(malloc(3000000));
    free(aligned);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, work, blocks[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 4; i < 64; i++) {
        free(blocks[i]);
    }
    if (argc > 1 && fork() == 0) {
        free(malloc(10));
        _exit(0);
    }
    _exit(0);
}
END

whole() {
    record whole.%p "$private/calls" && sums "$private"/whole.* &&
        sums "$private"/whole.* | grep -q ' 5 threads,' &&
        sums "$private"/whole.* | grep -q '^0 frees of unknown blocks, 0 missing frees, 0 failed'
}

# count LETTERS NUMBER - so many records of an operation.
operations() {
    "$tool" dump "$private"/whole.* | awk '{ for (i = 1; i <= NF; i++) seen[$i]++ }
        END { exit !(seen["realloc"] == 64 && seen["aligned"] >= 1 && seen["calloc"] >= 101) }'
}

of_each_process() {
    record forked.%p "$private/calls" fork && sleep 0.3 &&
        equal "$(ls "$private"/forked.* | wc -l)" 2 && sums "$private"/forked.* >/dev/null
}

after_kill() {
    record killed.%p /usr/bin/perl -e 'my @a = map {"z" x 100} 1 .. 50000; kill 9, $$'
    sums "$private"/killed.* >"$private/sums" &&
        [ "$(sed -n 's/ records.*//p' "$private/sums")" -gt 50000 ]
}

runs_on() {
    equal "$(LD_PRELOAD=$LIB MYALLOC_CONF=record:/nonexistent/x /bin/echo ran 2>/dev/null)" ran
}

full_disk() {
    (ulimit -f 256 && trap '' XFSZ && equal "$(record full.%p /usr/bin/perl -e \
        'my @a = map {"z" x 100} 1 .. 50000; print "ran"')" ran) && sums "$private"/full.*
}

if [ -n "${LIB-}" ]; then
    claim "the reader is built" env -u MAKEFLAGS -u MFLAGS make -s "$tool"
    claim "the program is built" \
        "${CC:-gcc}" -O0 -fno-builtin -pthread -o "$private/calls" "$private/calls.c"
    # RECORDER-1
    claim "a trace of threads is whole" whole
    claim "every kind of call is in it" operations
    claim "parent and child have a trace each" of_each_process
    # RECORD-2
    claim "the trace of a killed program is sound" after_kill
    claim "a file that cannot be made is no obstacle" runs_on
    # RECORD-1
    claim "a file that cannot grow ends the recording only" full_disk
else
    claim "glibc records nothing" env MYALLOC_CONF=record:"$private/x" /bin/true
fi
finish
