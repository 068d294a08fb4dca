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
! command -v git >/dev/null || input=HEAD at_rest git live:0 git cat-file --batch-check
! command -v awk >/dev/null || input='1 2 3' \
    at_rest awk live:0 awk '{ for (i = 0; i < 9000; i++) a[i] = i }'

# The processes that a program starts are counted, however short they live, and killed ones.
rm -f "$tmp/run/myalloc"/*
MYALLOC_LIB=$library "$myalloc" run sh -c 'for i in 1 2 3 4 5; do awk "BEGIN {}"; done
    sh -c "kill -9 \$\$"; true' 2>"$tmp/err"
says run-children 'and 6 processes that it started'
says run-children-killed '~.* sh, killed'
check run-children-left "$(ls "$tmp/run/myalloc" | wc -l)" -eq 0
MYALLOC_LIB=$library "$myalloc" run -t "$tmp/t.html" sh -c 'sleep 0.3; sleep 0.3; true' \
    2>"$tmp/err"
check run-children-charts "$(grep -c '</svg>' "$tmp/t.html")" -eq 3

# A snapshot for Prometheus.
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
COLUMNS=60 "$myalloc" maps --explain $rester | tr -s ' \n' '\n' >"$tmp/narrow"
COLUMNS=200 "$myalloc" maps --explain $rester | tr -s ' \n' '\n' >"$tmp/wide"
# What the process holds may change between the two looks: numbers are not compared.
check columns-words -z "$(diff <(tr 0-9 N <"$tmp/narrow") <(tr 0-9 N <"$tmp/wide"))"
kill $rester
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
