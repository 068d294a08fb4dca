# What `heap` tells of processes at rest is what malloc_stats tells in them; sourced by run.sh.
# The library itself, not the one that only writes a page.
library=$(dirname "$myalloc")/libmyalloc.so
build -o "$tmp/resting" $here/resting.c -pthread
build -shared -fPIC -Dmain=unused_main -o "$tmp/resting.so" $here/resting.c

# settle PID: until it used no time for a moment.
settle() {
    before=
    for moment in $(seq 1 60); do
        sleep 0.5
        used=$(sed 's/.*) //' /proc/"$1"/stat | cut -d ' ' -f 12,13)
        [ "$used" != "$before" ] || break
        before=$used
    done
}
# same_figures NAME CONF PID: both figures, at the same moment.
same_figures() {
    settle "$3"
    told=$("$myalloc" heap --json "$3" 2>"$tmp/err" | tr ',' '\n' | sed -n 's/.*"live_bytes"://p')
    kill -USR2 "$3"
    for moment in $(seq 1 20); do
        counted=$(sed -n '/^Total/,$s/in use bytes *= *//p' "$tmp/stats")
        [ -z "$counted" ] || break
        sleep 0.1
    done
    check "figures of $1, $2" "$told" = "${counted:-none}" -a -n "$told"
}
# at_rest NAME CONF CMD...: in the background, its input open, its output until it rests.
at_rest() {
    name=$1 conf=$2
    shift 2
    mkfifo "$tmp/in" 2>/dev/null
    LD_PRELOAD="$library $tmp/resting.so" MYALLOC_CONF=$conf "$@" \
        <"$tmp/in" >/dev/null 2>"$tmp/stats" &
    rester=$!
    exec 8>"$tmp/in"
    printf '%s\n' "$input" >&8
    same_figures "$name" "$conf" $rester
    exec 8>&-
    kill -9 $rester
    wait $rester 2>/dev/null
}
for conf in live:0 live:1 live:0,brk:0 live:0,cpu_cache:thread live:0,harden:2; do
    at_rest 'a program with threads' $conf "$tmp/resting"
done
at_rest 'a trimmed program' live:0 "$tmp/resting" trim
LD_PRELOAD="$library" MYALLOC_CONF=live:0 "$tmp/resting" fork >/dev/null 2>"$tmp/stats" &
rester=$!
settle $rester
child=$(pgrep -P $rester)
same_figures 'a child that frees' live:0 "${child:-1}"
kill -9 $child
kill -9 $rester
wait $rester 2>/dev/null

! command -v perl >/dev/null || input='
    my %h; $h{$_} = [1..10] for 1..9000; delete $h{$_} for grep {$_ % 3} keys %h;
    sleep 100; __END__' \
    at_rest perl live:0 perl
! command -v sqlite3 >/dev/null || input='create table t(a, b);
    with recursive c(x) as (select 1 union all select x + 1 from c where x < 9000)
    insert into t select x, hex(x) from c; create index i on t(b); delete from t where a % 3 = 0;' \
    at_rest sqlite3 live:0 sqlite3
input='for ((i = 0; i < 9000; i++)); do a[i]="value $i"; done; unset "a[17]"' \
    at_rest bash live:0 bash --norc
if command -v git >/dev/null; then # in a checkout of its own: these sources may be none
    git init -q "$tmp/repository" &&
        git -C "$tmp/repository" -c user.name=Test -c user.email=test@example.org \
            commit -q --allow-empty -m first
    input=HEAD at_rest git live:0 git -C "$tmp/repository" cat-file --batch-check
fi
! command -v awk >/dev/null || input='1 2 3' \
    at_rest awk live:0 awk '{ for (i = 0; i < 9000; i++) a[i] = i }'

# What malloc_trim would give back is what it gives back, of pages between blocks in use and of what
# lies in caches, with pages that were purged before and blocks of more than a page.
cat >"$tmp/thin.c" <<'END'
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define BLOCKS 20000
static char *blocks[BLOCKS];
static const size_t bytes[] = {112, 1000, 5000, 10000, 700};
static void trim(int number)
{
    (void)number;
    malloc_trim(0);
    (void)!write(STDOUT_FILENO, "trimmed\n", 8);
}
int main(int argc, char **argv)
{
    (void)argv;
    for (size_t kind = 0; kind < sizeof(bytes) / sizeof(bytes[0]); kind++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = memset(malloc(bytes[kind]), 1, bytes[kind]);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            if (i % 29 > kind) {
                free(blocks[i]);
            }
        }
    }
    if (argc > 1) {
        malloc_trim(0);
        for (size_t i = 0; i < BLOCKS; i++) {
            if (i % 58 <= 4) {
                free(blocks[i]);
            }
        }
    }
    signal(SIGUSR2, trim);
    puts("ready");
    fflush(stdout);
    for (;;) {
        pause();
    }
}
END
build -fno-builtin -o "$tmp/thin" "$tmp/thin.c"
resident_bytes() { awk '/^Rss:/ { printf "%d", $2 * 1024 }' "/proc/$1/smaps_rollup"; }
ways=; [ "$(getconf PAGESIZE)" -ne 4096 ] || ways='once again'
for how in $ways; do
    how=${how#once}
    LD_PRELOAD=$library "$tmp/thin" $how >"$tmp/out" &
    thin=$!
    until grep -q ready "$tmp/out"; do sleep 0.05; done
    told=$("$myalloc" heap --json $thin | tr ',' '\n' | sed -n 's/.*"trim_bytes"://p')
    before=$(resident_bytes $thin)
    kill -USR2 $thin
    until grep -q trimmed "$tmp/out"; do sleep 0.05; done
    less=$((before - $(resident_bytes $thin)))
    # The first time the kernel may have put in more at the top than was ever used; the second
    # time, a few lists and purged pages are all that an error could be about.
    [ -n "$how" ] && least=1000000 more=12288 || least=40000000 more=1500000
    check "trim-told${how:+-$how}" "${told:-0}" -ge $least -a \
        "$less" -ge $((told - 65536)) -a "$less" -le $((told + more))
    kill -9 $thin
    wait $thin 2>/dev/null
done

# The processes that a program starts are counted, however short they live, and killed ones.
rm -f "$tmp/run/myalloc"/*
MYALLOC_LIB=$library "$myalloc" run sh -c 'for i in 1 2 3 4 5; do awk "BEGIN {}"; done
    sh -c "kill -9 \$\$"; true' 2>"$tmp/err"
says run-children 'and 6 processes that it started'
says run-children-killed '~.* sh, killed'
MYALLOC_LIB=$library "$myalloc" run sh -c 'awk "BEGIN {}"; true' 2>"$tmp/err"
says run-child 'and 1 process that it started'
check run-children-left "$(ls "$tmp/run/myalloc" | wc -l)" -eq 0
MYALLOC_LIB=$library "$myalloc" run -t "$tmp/t.html" sh -c 'sleep 0.3; sleep 0.3; true' \
    2>"$tmp/err"
check run-children-charts "$(grep -c '</svg>' "$tmp/t.html")" -eq 3

# A chart tells what is in use at each moment, also of a program that only frees; and a child's
# is of the program in its title, not of the copy of its parent that executed it.
cat >"$tmp/falls.c" <<'END'
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char *blocks[200000];
int main(void)
{
    for (int i = 0; i < 200000; i++) {
        blocks[i] = memset(malloc(200), 1, 200);
    }
    if (fork() == 0) {
        usleep(500000);
        execlp("sleep", "sleep", "0.5", NULL);
    }
    for (int i = 0; i < 200000; i++) {
        free(blocks[i]);
    }
    wait(NULL);
    sleep(1);
    return 0;
}
END
build -fno-builtin -o "$tmp/falls" "$tmp/falls.c"
MYALLOC_LIB=$library "$myalloc" run -t "$tmp/falls.html" "$tmp/falls" 2>"$tmp/err"
awk -v RS='</svg>' -v to="$tmp/falls." '{ print >(to NR) }' "$tmp/falls.html"
# The end of the line of live blocks, in pixels from the top; the axis lies at 350.
lowest=$(grep -o "class='line live' points='[^']*" "$tmp/falls.1" | sed 's/.*,//; s/\..*//')
check chart-of-now "${lowest:-0}" -ge 340
check chart-of-child "$(grep -c '>sleep (pid ' "$tmp/falls.2")" -ge 1 -a \
    "$(grep -cE '>[0-9]{2,} MiB<' "$tmp/falls.2")" -eq 0

# A snapshot for Prometheus, also of a name that is no UTF-8.
odd=$(printf '%s/odd\377"\\' "$tmp")
cp "$(command -v sleep)" "$odd"
LD_PRELOAD=$library MYALLOC_CONF=live:1 "$odd" 30 &
odd=$!
LD_PRELOAD=$library MYALLOC_CONF=live:1 sleep 30 &
rester=$!
sleep 0.5
"$myalloc" top --openmetrics >"$tmp/metrics"
# Lines are as wide as the terminal, 80 columns when that is not known; of words none is broken.
for columns in '' 60 120; do
    for command in "heap $rester" "maps --explain $rester" 'top -b -n 1' doctor 'check sh' \
        --help; do
        COLUMNS=$columns "$myalloc" $command >"$tmp/out" 2>&1
        check "columns of $command, ${columns:-unknown}" -s "$tmp/out" -a -z "$(awk \
            -v most="${columns:-80}" 'length > most && $0 ~ /[^ ] +[^ ]/' "$tmp/out")"
    done
done
# A row of a table is one line: spare columns go, and bars become shorter.
COLUMNS=60 "$myalloc" top -b -n 1 >"$tmp/out"
check columns-top "$(grep -cE "^ *$rester .*  sleep\$" "$tmp/out")" -eq 1
COLUMNS=60 "$myalloc" heap $rester >"$tmp/out"
check columns-bars "$(grep -cE '^ *#+$' "$tmp/out")" -eq 0 -a "$(grep -c 'B  *#' "$tmp/out")" -ge 1
COLUMNS=60 "$myalloc" maps --explain $rester | tr -s ' \n' '\n' >"$tmp/narrow"
COLUMNS=200 "$myalloc" maps --explain $rester | tr -s ' \n' '\n' >"$tmp/wide"
# What the process holds may change between the two looks: numbers are not compared.
sed -i -E 's/[0-9]+/N/g' "$tmp/narrow" "$tmp/wide"
check columns-words -z "$(diff "$tmp/narrow" "$tmp/wide")"
kill $rester $odd
check metrics-utf-8 "$(iconv -f UTF-8 -t UTF-8 "$tmp/metrics" | grep -cF 'name="odd?')" -ge 4
check metrics "$(grep -c "^myalloc_live_bytes{pid=\"$rester\",name=\"sleep\"} [0-9]" \
    "$tmp/metrics")" -eq 1
check metrics-end "$(tail -n 1 "$tmp/metrics")" = '# EOF'
! command -v promtool >/dev/null || code promtool 0 sh -c "promtool check metrics <'$tmp/metrics'"

# Where the memory may not be read, the age of the counts is told.
"$tmp/page_writer" old "$tmp/run/myalloc/99" 99
"$myalloc" heap 99 >"$tmp/out"
check old-figures "$(grep -c 'about .* live' "$tmp/out")" -eq 1
check old-figures-age "$(grep -c 'counted by the process .* ago' "$tmp/out")" -eq 1
rm -f "$tmp/run/myalloc"/*
