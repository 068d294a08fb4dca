#!/bin/sh
# Tests of the myalloc command: golden output on a fixed tree of /proc, real processes, hostile
# input. Usage: test/cli/run.sh [--update]; --update writes the golden files anew: look at the diff.
# MYALLOC names the command (default ./myalloc), CC the compiler; NO_ASAN=1 leaves out that build.
# Prints `ok - NAME` or `not ok - NAME` for each test, after `# DETAILS`; last, the counts.
cd "$(dirname "$0")/../.." || exit 1
here=test/cli
myalloc=$(realpath "${MYALLOC:-./myalloc}")
update=${1:-}
passed=0
failed=0
unset MYALLOC_CONF LD_PRELOAD NO_COLOR CLICOLOR_FORCE
export LC_ALL=C.UTF-8 TERM=xterm

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export XDG_RUNTIME_DIR="$tmp/run"
mkdir -p "$tmp/run/myalloc"
chmod 700 "$tmp/run/myalloc"
page="$tmp/run/myalloc/4242"

ok() { passed=$((passed + 1)); printf 'ok - %s\n' "$1"; }
# fail NAME [FILE]: FILE holds the details.
fail() {
    failed=$((failed + 1))
    [ $# -lt 2 ] || head -n 20 "$2" | sed 's/^/# /'
    printf 'not ok - %s\n' "$1"
}
# check NAME CONDITION...: run a test(1) expression.
check() {
    name=$1; shift
    if [ "$@" ]; then ok "$name"; else fail "$name: [ $* ]"; fi
}
# golden NAME CMD...: compare stdout, stderr and exit code with golden/NAME.
golden() {
    name=$1; shift
    "$@" >"$tmp/out" 2>&1 </dev/null
    printf 'exit %d\n' $? >>"$tmp/out"
    if [ "$update" = --update ]; then cp "$tmp/out" "$here/golden/$name"; fi
    if diff "$here/golden/$name" "$tmp/out" >"$tmp/diff" 2>&1; then
        ok "golden $name"
    else
        fail "golden $name" "$tmp/diff"
    fi
}
# code NAME WANTED CMD...: compare the exit code only.
code() {
    name=$1; wanted=$2; shift 2
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    if [ $got -eq "$wanted" ]; then
        ok "$name"
    else
        fail "$name: exit $got, not $wanted" "$tmp/err"
    fi
}
# says NAME PATTERN: the last stderr holds a line like this.
says() {
    if grep -q "$2" "$tmp/err"; then ok "$1: $2"; else fail "$1: no '$2' in stderr" "$tmp/err"; fi
}

build() {
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -Iinclude "$@" || exit 1
}
build -o "$tmp/page_writer" $here/page_writer.c $here/page_fill.c
build -shared -fPIC -o "$tmp/live_library.so" $here/live_library.c $here/page_fill.c
printf 'int main(void) { return 0; }\n' >"$tmp/true.c"
build -static -o "$tmp/static" "$tmp/true.c"
build -o "$tmp/dynamic" "$tmp/true.c"
build -fsanitize=leak -o "$tmp/leak_sanitized" "$tmp/true.c"
build -o "$tmp/signals" $here/signals.c
printf '#include <stdlib.h>\nvoid *malloc(size_t n) { (void)n; return NULL; }\n
    int main(void) { return 0; }\n' >"$tmp/own.c"
build -rdynamic -o "$tmp/own_malloc" "$tmp/own.c"
build -fsanitize=address -o "$tmp/sanitized" "$tmp/true.c"

cp -r $here/tree "$tmp/tree"
chmod -R u+w "$tmp/tree"
sed -i "s/@UID@/$(id -u)/g" "$tmp"/tree/proc/*/status
"$tmp/page_writer" pagemap "$tmp/tree/proc/4242/pagemap" 0x600 384
fake() { MYALLOC_PROC_ROOT="$tmp/tree" "$@"; }

. $here/golden.sh
. $here/now.sh
. $here/profile.sh
. $here/real.sh
. $here/hostile.sh
printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ] && [ $passed -gt 0 ]
