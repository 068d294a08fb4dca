# live.sh - the live page of real processes: made, kept by a kill, removed by exit, one a process.
. test/support/tap.sh

private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
export XDG_RUNTIME_DIR=$private
pages=$private/myalloc

# field NAME FILE - a number of the page, as the layout of include/myalloc_live.h has it.
cat >"$private/field.c" <<'END'
#include "myalloc_live.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    int fd = open(argv[argc - 1], O_RDONLY);
    struct myalloc_live *p = mmap(NULL, sizeof *p, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || p->header.magic != MYALLOC_LIVE_MAGIC) {
        return 1;
    }
#define FIELD(name, value) \
    if (strcmp(argv[1], name) == 0) printf("%llu\n", (unsigned long long)(value))
    FIELD("pid", p->header.pid);
    FIELD("state", p->header.state);
    FIELD("live", p->counters.live_bytes);
    FIELD("brk", p->counters.brk_bytes);
    FIELD("mmap", p->counters.mmap_bytes);
    FIELD("mallocs", p->counters.mallocs);
    FIELD("events", p->event_count);
    FIELD("huge", p->counters.huge_blocks);
    FIELD("owned", p->slots[0].is_used);
    FIELD("chunks", p->chunks.count);
    FIELD("counted", p->counters.counted_ns >= p->header.started_ns);
    unsigned tables = 0;
    for (int i = 0; i < MYALLOC_LIVE_REGIONS_MAX; i++) {
        tables += p->regions[i].kind == MYALLOC_LIVE_REGION_TABLE && p->regions[i].bytes != 0;
    }
    FIELD("tables", tables);
    unsigned long long most = 0;
    for (int i = 0; i < MYALLOC_LIVE_SLOTS_MAX; i++) {
        most = p->slots[i].mallocs > most ? p->slots[i].mallocs : most;
    }
    FIELD("most", most);
    return 0;
}
END

field() {
    "$private/field" "$1" "$2"
}

between() {
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || { echo "$1 is not within $2 and $3" && false; }
}

live() {
    LD_PRELOAD=$LIB MYALLOC_CONF=live:1 "$@"
}

leaves_no_page() {
    live /bin/ls / >/dev/null && equal "$(ls "$pages")" ""
}

modes() {
    equal "$(stat -c %a "$pages") $(stat -c %a "$killed")" "700 600"
}

# The region has not grown when it forks.
forks_first() {
    echo 'int fork(void); int main(void) { fork(); return 0; }' >"$private/first.c" &&
        "${CC:-gcc}" -o "$private/first" "$private/first.c" && live timeout 10 "$private/first"
}

# The thread of a child gives back blocks at hand that were counted before the fork.
child_gives_back() {
    cat >"$private/back.c" <<'END'
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    static void *blocks[300];
    for (int i = 0; i < 290; i++) { // the rest of a page stays at hand
        blocks[i] = malloc(48);
    }
    if (fork() == 0) {
        free(malloc(3000));
        malloc_trim(0);
        for (int i = 0; i < 600; i++) { // the page is drawn anew when the heap grows, in its turn
            usleep(i == 300 ? 300000 : 0);
            blocks[i % 300] = malloc(100000);
        }
        kill(getpid(), SIGKILL);
    }
    wait(NULL);
    return 0;
}
END
    rm -f "$pages"/*
    "${CC:-gcc}" -O0 -fno-builtin -o "$private/back" "$private/back.c" && live "$private/back" &&
        between "$(field most "$pages"/*)" 1 100000
}

no_page_unasked() {
    rm -rf "$pages" && LD_PRELOAD=$LIB /usr/bin/perl -e 'kill 9, $$'
    [ ! -e "$pages" ]
}

hostile_directory() {
    rm -rf "$pages" && mkdir "$pages" && chmod 777 "$pages" &&
        equal "$(live /bin/echo ran 2>&1)" ran && equal "$(ls "$pages")" "" && rmdir "$pages"
}

file_is_no_link() {
    mkdir -m 700 "$pages" && (umask 77 && echo text >"$private/text") &&
        /bin/sh -c "ln -s $private/text $pages/\$\$ && exec \"\$@\"" sh \
            env LD_PRELOAD="$LIB" MYALLOC_CONF=live:1 /bin/echo ran >/dev/null &&
        equal "$(cat "$private/text")" text
}

if [ -n "${LIB-}" ]; then
    claim "the reader is built" "${CC:-gcc}" -Iinclude -o "$private/field" "$private/field.c"
    claim "a process that exits removes its page" leaves_no_page
    live /usr/bin/perl -e 'my @a = map {"z" x 1000} 1 .. 20000; my $b = "y" x 30000000; kill 9, $$'
    killed=$(echo "$pages"/*)
    claim "a killed process leaves its page, whoever kills it" [ -s "$killed" ]
    claim "directory and page are ours alone" modes
    claim "its state is still running" equal "$(field state "$killed")" 1
    claim "its process is in it" equal "$(field pid "$killed")" "$(basename "$killed")"
    claim "live bytes are those of the program" between "$(field live "$killed")" 75000000 96000000
    claim "the break holds the small ones" between "$(field brk "$killed")" 15000000 40000000
    claim "mappings hold the large one" between "$(field mmap "$killed")" 25000000 80000000
    claim "huge blocks are counted" between "$(field huge "$killed")" 1 3
    claim "calls are counted" between "$(field mallocs "$killed")" 20000 100000
    claim "calls of the system are events" between "$(field events "$killed")" 10 500
    claim "the main thread has a slot" equal "$(field owned "$killed")" 1
    claim "chunks are drawn" between "$(field chunks "$killed")" 900 3000
    claim "the time of the count is told" equal "$(field counted "$killed")" 1
    claim "the tables of the library are told" between "$(field tables "$killed")" 3 9
    rm -f "$pages"/*
    live /usr/bin/perl -e 'my @a = map {"z" x 1000} 1 .. 5000; my $child = fork; wait if $child;
                           print "$$\n"; close STDOUT; kill 9, $$' >"$private/ended"
    # LIVE-2
    claim "a child has a page of its own" equal "$(ls "$pages" | wc -l)" 2
    for page in "$pages"/*; do
        claim "page of parent or child: process" equal "$(field pid "$page")" "$(basename "$page")"
        claim "page of parent or child: tables" between "$(field tables "$page")" 3 9
        claim "page of parent or child: counted" equal "$(field counted "$page")" 1
    done
    # The parent's counts are those of its last turn; the child's are drawn before its fork returns.
    child=$pages/$(head -n 1 "$private/ended")
    claim "page of the child: live" between "$(field live "$child")" 5000000 9000000
    claim "a program that forks before it allocates goes on" forks_first
    claim "no slot of a child counts below zero" child_gives_back
    claim "nothing is made unasked" no_page_unasked
    claim "a directory that others may write to is not used" hostile_directory
    claim "a link in place of the page is not followed" file_is_no_link
else
    claim "glibc keeps no page" [ ! -e "$pages" ]
fi
finish
