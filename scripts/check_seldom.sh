#!/bin/bash
# check_seldom.sh [LIBRARY] - that ordinary processes run nothing of seldom_text, whose pages would
# come with it (src/front/libmyalloc.ld): in a copy of the library all code there becomes a trap,
# and programs that allocate, fork, thread and die run under the copy. And that what they read of
# the library is in its first 64 KiB.
set -u
library=${1:-./libmyalloc.so}
work=$(mktemp -d)
copy=$work/lib.so
trap 'rm -rf "$work"' EXIT
failed=0

read -r offset bytes < <(readelf -SW "$library" | sed 's/^ *\[ *[0-9]*\]//' |
    awk '$1 == "seldom_text" { print $4, $5 }')
[ -n "${bytes:-}" ] && [ $((0x$bytes)) -gt 0 ] || { echo "$library: no seldom_text" && exit 1; }
cp "$library" "$copy"
head -c $((0x$bytes)) /dev/zero | tr '\0' '\314' |
    dd of="$copy" bs=64K oflag=seek_bytes seek=$((0x$offset)) conv=notrunc status=none

# ordinary NAME COMMAND... - the command does what it does without the library.
ordinary() {
    local name=$1
    shift
    if ! cmp -s <("$@" 2>&1; echo $?) <(LD_PRELOAD=$copy "$@" 2>&1; echo $?); then
        echo "$library: seldom_text: $name runs some of it"
        failed=1
    fi
}
ordinary sh sh -c 'for i in 1 2 3; do echo $(echo $i | cat); done; (exit 3); echo $?'
ordinary sort sh -c 'seq 200000 | sort -R --random-source=/dev/zero | cksum'
ordinary perl perl -e 'my %h; $h{$_ % 5000} = "x" x ($_ % 3000) for 1 .. 60000; %h = ();
    my @big = map { "y" x (1 << $_) } 1 .. 24; @big = (); fork // die; wait; print "done\n"'

"${CC:-gcc}" -x c -o "$work/threads" - <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
static void *run(void *blocks[500])
{
    for (int i = 0; i < 20000; i++) {
        free(blocks[i % 500]);
        blocks[i % 500] = malloc((size_t)(i % 97) * (i % 89) * (i % 7));
    }
    return blocks;
}
int main(void)
{
    static void *blocks[4][500];
    for (int round = 0; round < 20; round++) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            pthread_create(&threads[i], NULL, (void *(*)(void *))run, blocks[(i + round) % 4]);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    return dlopen("libm.so.6", RTLD_NOW) == NULL;
}
END
ordinary threads "$work/threads"

# Resident KiB of the code segment in a process that maps it where it asks to be, if it is so.
resident() {
    "$@" | awk -v name="${library##*/}" '/^[0-9a-f]+-/ {
            is_ours = index($0, name) && /r-xp/ && substr($1, index($1, "-") - 4, 4) == "0000"
        }
        is_ours && $1 == "Rss:" { print $2 }'
}
# With the flags of some packagers it does not fit.
if [ "$(size -A "$library" | awk '$1 == ".rodata" { print $2 + $3 }')" -le 65536 ]; then
    kib=$(LD_PRELOAD=$library resident cat /proc/self/smaps)
    [ "${kib:-0}" -le 64 ] || {
        echo "$library: cat maps $kib KiB of its code: do constants that it reads lie behind?"
        failed=1
    }
    kib=$(MYALLOC_CONF=harden:1 LD_PRELOAD=$library resident cat /proc/self/smaps)
    [ "${kib:-128}" -gt 64 ] || {
        echo "$library: with harden:1, cat maps no more of its code: how does this count?"
        failed=1
    }
fi

# And that the trap works: an option which needs that code.
if sh -c 'MYALLOC_CONF=harden:1 LD_PRELOAD=$0 /bin/true' "$copy" 2>/dev/null; then
    echo "$library: seldom_text: harden:1 runs without it"
    failed=1
fi
exit $failed
