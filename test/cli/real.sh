# End-to-end tests on real processes; sourced by run.sh.
export MYALLOC_LIB="$tmp/live_library.so"

# The code and the fatal signal of the program become those of run.
code run-exit 7 "$myalloc" run sh -c 'exit 7'
code run-killed 137 sh -c "'$myalloc' run sh -c 'kill -9 \$\$'; exit \$?"
says run-killed 'killed by SIGKILL'
says run-killed-page 'peak heap 10 MiB'
code run-missing 127 "$myalloc" run /nonexistent
code run-not-executable 126 "$myalloc" run /etc/passwd
code run-usage 2 "$myalloc" run
code usage 2 "$myalloc" frobnicate
code record-without-file 2 "$myalloc" record true
says record-without-file "want -o FILE"
code record-exit 7 "$myalloc" record -o "$tmp/trace" sh -c 'exit 7'
says record-exit "no trace was written"
code usage-option 2 "$myalloc" maps --frobnicate 1
code usage-pid 2 "$myalloc" maps one
code usage-limit 2 "$myalloc" run --limit much true
code run-static 125 "$myalloc" run "$tmp/static"
says run-static 'statically linked'
code run-sanitized 125 "$myalloc" run "$tmp/sanitized"
says run-sanitized AddressSanitizer
code run-leak-sanitized 125 "$myalloc" run "$tmp/leak_sanitized"
says run-leak-sanitized LeakSanitizer
if [ "$(id -u)" -eq 0 ]; then
    cp "$tmp/dynamic" "$tmp/setuid" && chown nobody "$tmp/setuid" && chmod 4755 "$tmp/setuid"
    code run-setuid 125 "$myalloc" run "$tmp/setuid"
    says run-setuid 'is setuid'
fi
for command in run record maps watch top heap profile purge diff lab check doctor; do
    check "$command --version" "$("$myalloc" $command --version)" = "$("$myalloc" --version)"
done
code run-no-library 125 env MYALLOC_LIB=/nonexistent.so "$myalloc" run true
code run-summary 0 "$myalloc" run "$tmp/dynamic"
says run-summary '81 000 malloc, 75 970 free'
says run-fragmentation 'peak live 1.4 MiB in 2 MiB written to: fragmentation 32%'
says run-top-sizes 'top sizes: 32 B 49%'
check run-page-removed "$(ls "$tmp/run/myalloc" | wc -l)" -eq 0

# stdout stays the program's; an existing preload and configuration are kept.
check run-stdout "$("$myalloc" run echo hello 2>/dev/null)" = hello
check run-preload "$(LD_PRELOAD=libc.so.6 MYALLOC_CONF=stats:0 "$myalloc" run \
    sh -c 'echo $LD_PRELOAD,$MYALLOC_CONF' 2>/dev/null |
    sed 's/[0-9]*$/N/')" = "$MYALLOC_LIB:libc.so.6,stats:0,live:N"
check run-limit "$("$myalloc" run --limit 64M sh -c 'ulimit -d' 2>/dev/null)" = 65536
check run-stdin "$(echo text | "$myalloc" run cat 2>/dev/null)" = text
code run-no-page 0 env MYALLOC_LIB=/lib/x86_64-linux-gnu/libc.so.6 "$myalloc" run true
says run-no-page 'no view of the heap'
code run-compare 0 "$myalloc" run --compare "$tmp/dynamic"
says run-compare 'MYALLOC *WITHOUT *RATIO'
code run-terminated 143 sh -c "'$myalloc' run sleep 30 & p=\$!; sleep 0.3; kill \$p; wait \$p"
code run-timeline-png 2 "$myalloc" run --timeline "$tmp/t.png" touch "$tmp/was_run"
says run-timeline-png 'written as .svg or .html'
code run-timeline-nowhere 125 "$myalloc" run --timeline /nonexistent/t.svg touch "$tmp/was_run"
check run-timeline-before ! -e "$tmp/was_run"
code signals 0 "$tmp/signals" "$myalloc"
grep "^# skipped" "$tmp/out"
check signals-many "$(grep -c 'passed on once' "$tmp/out")" -gt 25
code run-timeline 0 "$myalloc" run --timeline "$tmp/t.html" sh -c 'sleep 0.1'
check run-timeline-page "$(grep -c '</svg>' "$tmp/t.html")" -eq 1
check run-timeline-mark "$(grep -c '<title>brk grow 1 MiB' "$tmp/t.html")" -eq 2

if command -v python3 >/dev/null; then
    code run-python 0 "$myalloc" run --stats python3 -c 'x = [str(i) for i in range(10000)]'
    says run-python 'BLOCK'
    json() {
        name="json $1"; shift
        "$@" >"$tmp/out" 2>&1
        if python3 -m json.tool --json-lines "$tmp/out" >/dev/null 2>"$tmp/err"; then
            ok "$name"
        else
            fail "$name" "$tmp/err"
        fi
    }
    json run "$myalloc" run --json true
    "$myalloc" run --json -o "$tmp/run.json" true
    json run-children "$myalloc" run --json sh -c 'true; true'
    # The library beside the command; a path with a blank cannot be preloaded, so not in a checkout.
    mkdir "$tmp/beside" && cp "$myalloc" "${myalloc%/*}/libmyalloc.so" "$tmp/beside"
    json record env -u MYALLOC_LIB "$tmp/beside/myalloc" record --json -o "$tmp/trace" true
    json top "$myalloc" top --json -n 2 -d 0.01
    json lab "$myalloc" lab layout --json --lang ko
    json diff "$myalloc" diff --json "$tmp/run.json" "$tmp/run.json"
    json run-compare "$myalloc" run --json --compare true
    json maps "$myalloc" maps --json $$
    json heap "$myalloc" heap --json $$
    json doctor "$myalloc" doctor --json
    json check "$myalloc" check --json "$tmp/static"
    json watch "$myalloc" watch --json -n 2 -d 0.01 $$
fi

# The totals of maps are those of the kernel, for a process that stands still.
sleep 60 &
sleeper=$!
sleep 0.2
rss=$("$myalloc" maps --json $sleeper | sed 's/.*"total":{[^}]*"rss_bytes":\([0-9]*\).*/\1/')
rss_kb=$(sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' /proc/$sleeper/smaps_rollup)
check maps-total "$rss" -eq $((rss_kb * 1024))
code heap-real 0 "$myalloc" heap --svg "$tmp/h.svg" $sleeper
check heap-svg "$(grep -c '</svg>' "$tmp/h.svg")" -eq 1
"$myalloc" watch -d 0.05 $sleeper >"$tmp/watched" 2>&1 &
watcher=$!
sleep 0.3
kill -9 $sleeper
wait $sleeper 2>/dev/null
wait $watcher
check watch-end $? -eq 0
check watch-lines "$(grep -c rss "$tmp/watched")" -gt 1
code maps-ended 1 "$myalloc" maps $sleeper
says maps-ended "there is no process"

# What was asked for wrongly, or cannot be had, is said in a line.
refused() {
    name=$1 wanted=$2 sentence=$3
    shift 3
    code "$name" "$wanted" "$myalloc" "$@"
    says "$name" "$sentence"
}
refused no-command 2 "want a command"
refused bad-colour 2 "want" maps --color pink $$
refused bad-language 2 "want" lab heap --lang xx
refused bad-count 2 "want a number" top --count 0
refused bad-delay 2 "want seconds" top --delay x
refused output-missing 125 "cannot write" doctor -o /nonexistent/file
refused record-missing 127 "/nonexistent" record -o "$tmp/none" /nonexistent
refused record-comma 2 "without a comma" record -o "$tmp/a,b" true
refused record-directory 125 "No such file" record -o /nonexistent/trace true
refused heap-missing 1 "there is no process" heap 4194304
refused diff-directory 1 "/etc" diff /etc /etc
refused diff-endless 1 "File too large" diff /dev/zero /etc/passwd
refused diff-text 1 "want what a command" diff /etc/passwd /etc/passwd

code check-yes 0 "$myalloc" check "$tmp/dynamic"
code check-static 1 "$myalloc" check "$tmp/static"
code check-missing 127 "$myalloc" check /nonexistent
code check-name 0 "$myalloc" check sh

# A script is what it starts in the end, as far as its text tells.
write_script() { printf '#!/bin/sh\n%s\n' "$2" >"$tmp/$1"; chmod +x "$tmp/$1"; }
write_script wrapper 'NAME=own_malloc
FOLDER=`dirname "$0"`
[ -n "$FOLDER" ] || exec gdb --args x
exec >/dev/null
exec "$FOLDER/$NAME" "$@"'
code check-own-malloc 1 "$myalloc" check "$tmp/own_malloc"
code check-wrapper 1 "$myalloc" check "$tmp/wrapper"
check check-wrapper-why "$(grep -c "$tmp/own_malloc exports a malloc" "$tmp/out")" -eq 1
code run-wrapper 0 "$myalloc" run "$tmp/wrapper"
says run-wrapper 'exports a malloc of its own'
write_script wrapper "D='$tmp'; exec \${D}/static"
code check-wrapper-unknown 0 "$myalloc" check "$tmp/wrapper"
check check-wrapper-says "$(grep -c 'was not examined' "$tmp/out")" -eq 1
write_script wrapper "exec '$tmp/static'"
code check-wrapper-static 1 "$myalloc" check "$tmp/wrapper"
write_script wrapper "exec '$tmp/dynamic'"
code check-wrapper-good 0 "$myalloc" check "$tmp/wrapper"
for lab in layout brk mmap pool heap fit; do
    for language in en ko; do
        code "lab-$lab-$language" 0 "$myalloc" lab $lab --auto --lang $language
        cp "$tmp/out" "$tmp/lab-$lab-$language"
    done
done
cat >"$tmp/columns.py" <<'END'
import sys, unicodedata
wide = lambda c: 2 if unicodedata.east_asian_width(c) in 'WF' else 1
print(max(sum(map(wide, line.rstrip('\n'))) for name in sys.argv[1:] for line in open(name)))
END
check lab-columns "$(python3 "$tmp/columns.py" "$tmp"/lab-*-*)" -le 80
# In the labs: what the kernel says of a mapping, and does to a stack and to a write.
shown() { grep -c "$2" "$tmp/lab-$1-en"; }
check lab-fields "$(shown layout 'device  [0-9a-f]*:[0-9a-f]*  on which')" -eq 1
stack_start() { sed -n "s/^ *$1 *\([0-9a-f]*\)-.*/0x\1/p" "$tmp/lab-layout-en"; }
check lab-stack "$(($(stack_start before) - $(stack_start within)))" -gt 1500000
check lab-read-only "$(shown mmap 'writing: signal 11, Segm')" -eq 1
check lab-mprotect "$(shown mmap 'allowed to write: signal 0')" -eq 1
check lab-out-of-memory "$(shown pool 'NULL: Out of memory (96 bytes are left)')" -eq 1
MYALLOC_LIB=$(dirname "$myalloc")/libmyalloc.so "$myalloc" lab heap -a --lang en >"$tmp/lab-heap-en"
check lab-header-of-glibc "$(shown heap '8 bytes before it 0000000000000071 .* 112 bytes')" -eq 1
# The process can be looked at while the lab waits.
"$myalloc" lab pool --auto -d 0.7 --lang en >"$tmp/paused" &
pid=$!
until grep -q "^\[PID $pid; from another" "$tmp/paused" || ! kill -0 $pid; do sleep 0.05; done
code lab-paused 0 "$myalloc" maps $pid
kill $pid
code output 0 "$myalloc" doctor -o "$tmp/doctor"
check output-file -s "$tmp/doctor"
code output-full 125 "$myalloc" maps -o /dev/full $$

# A process of ours that may not be read is not called another user's.
cat >"$tmp/closed.c" <<'END'
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    printf("%d\n", getpid());
    fflush(stdout);
    return pause();
}
END
build -o "$tmp/closed" "$tmp/closed.c"
as_user=
[ "$(id -u)" -ne 0 ] || as_user='setpriv --reuid=65534 --regid=65534 --clear-groups'
cp "$myalloc" "$tmp/myalloc" && chmod 711 "$tmp"
$as_user "$tmp/closed" >"$tmp/closed.pid" &
until [ -s "$tmp/closed.pid" ]; do sleep 0.05; done
closed=$(cat "$tmp/closed.pid")
code closed 1 $as_user "$tmp/myalloc" maps $closed
says closed 'may not be read, although it is ours'
kill $closed

# A page without its process is told from one of another process.
"$tmp/page_writer" good "$tmp/run/myalloc/$$" $$
code stale 0 "$myalloc" heap --json $$
check stale-page "$(grep -c '"has_page":false' "$tmp/out")" -eq 1
rm -f "$tmp/run/myalloc/$$"

# The page of a killed process can be read, and goes when it is old; others stay.
ended=$(sh -c 'echo $$')
left="$tmp/run/myalloc/$ended"
sweep() { touch -d "$1" "$left"; "$myalloc" top -b -n 1 >/dev/null; }
"$tmp/page_writer" new "$left" "$ended"
code left-read 0 "$myalloc" heap "$ended"
sweep '20 minutes ago'; check left-new -e "$left"
"$tmp/page_writer" old "$left" "$ended"
sweep now; check left-new-file -e "$left"
sweep '20 minutes ago'; check left-old ! -e "$left"
echo text >"$left"
sweep '20 minutes ago'; check left-text ! -e "$left"
"$tmp/page_writer" old "$tmp/run/myalloc/$$" $$
echo text >"$tmp/run/myalloc/notes"
ln -s "$tmp/run/myalloc/notes" "$left"
touch -d '20 minutes ago' "$tmp/run/myalloc"/*
"$myalloc" run true 2>/dev/null
check left-living -e "$tmp/run/myalloc/$$"
check left-notes -e "$tmp/run/myalloc/notes"
check left-link -L "$left"
rm -f "$tmp/run/myalloc"/*

# Colour goes where a person reads: what run says is on stderr.
if ! script -qc true /dev/null >/dev/null 2>&1; then
    echo "# skipped: colours on a terminal: no terminal can be made here (/dev/pts is missing?)"
else
    script -qc "'$myalloc' run --compare -- true 2>'$tmp/err'" /dev/null >/dev/null
    check run-colour-file "$(grep -c "$(printf '\033')" "$tmp/err")" -eq 0
    script -qc "'$myalloc' run --compare -- true >/dev/null" /dev/null >"$tmp/out"
    check run-colour-terminal "$(grep -c "$(printf '\033')" "$tmp/out")" -gt 0
    script -qc "NO_COLOR=1 '$myalloc' run --compare -- true >/dev/null" /dev/null >"$tmp/out"
    check run-no-colour "$(grep -c "$(printf '\033')" "$tmp/out")" -eq 0
fi

code diff-missing 1 "$myalloc" diff "$tmp/run.json" /nonexistent
code diff-usage 2 "$myalloc" diff "$tmp/run.json"

# The man page, the completion and the help know the same options.
commands='run record maps watch top heap profile purge diff lab check doctor'
for option in $(for command in $commands; do "$myalloc" $command --help; done |
    grep -o -e '--[a-z]*' | sort -u); do
    word=${option#--}
    in_manual=$(grep -e "\\\\-\\\\-$word" -e "Fl \\\\-$word" -e "Fl -$word" src/man/myalloc.1)
    check "myalloc.1 has $option" -n "$in_manual"
done
for command in $commands; do
    helped=$("$myalloc" $command --help | grep -o -e ' --[a-z]\+' | sort | tr -d '\n')
    completed=$(bash -c '. src/man/completion/myalloc.bash
        COMP_WORDS=(myalloc '$command' --) COMP_CWORD=2; _myalloc
        printf " %s\n" "${COMPREPLY[@]}"' | sort | tr -d '\n')
    check "completion of $command" "$completed" = "$helped"
done
