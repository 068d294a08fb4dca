#!/bin/bash
# suite.sh NAME PROGRAM... - runs the programs of one suite and prints one line about it.
#
# A program prints a line `ok - CLAIM` or `not ok - CLAIM` for each claim, `# TEXT` for details,
# `# skipped: TEXT` for what this system cannot show, `# left out: CLAIM` for what TEST_EXCEPT
# names, and exits non-zero when a claim failed. One that crashes, hangs or claims nothing counts as
# a failure.
# C programs run under the library that LIB names, when it names one; scripts see to LIB themselves.
#   RESULTS  directory for logs and counts   JOBS  programs at a time   LIMIT  seconds per program
#   UNDER    a command that is to run the C programs, as valgrind does
set -u
export LIB="${LIB-}" LIMIT="${LIMIT:-400}" UNDER="${UNDER-}"
[ -n "$LIB" ] || unset LIB
# Of unit tests it names `SUITE::TEST: reason`; Criterion says `ok - SUITE::TEST  # SKIP` of those.
units=$(sed -n 's/^\([a-z_0-9]*\)::\([a-z_0-9]*\): .*/\1\/\2/p' "${TEST_EXCEPT:-/dev/null}" |
    paste -sd '|')
[ -z "$units" ] || export CRITERION_TEST_PATTERN="!($units)"
name=$1
shift
logs=$RESULTS/$name.logs
rm -rf "$logs"
mkdir -p "$logs"

run_program() {
    local log=$1/$(basename "$(dirname "$2")").${2##*/}.log
    case $2 in
    *.sh) timeout -k 5 "$LIMIT" bash "$2" ;;
    *) timeout -k 5 "$LIMIT" env ${LIB:+LD_PRELOAD="$LIB"} $UNDER "$2" ;;
    esac >"$log" 2>&1 </dev/null
    local status=$?
    grep -q '^not ok ' "$log" && return
    [ $status -eq 0 ] || echo "not ok - ${2##*/} ended with status $status" >>"$log"
    grep -Eq '^(not )?ok ' "$log" || echo "not ok - ${2##*/} claims nothing" >>"$log"
}
export -f run_program

[ $# -gt 0 ] || echo "not ok - $name has programs" >"$logs/none.log"
[ $# -eq 0 ] || printf '%s\0' "$@" |
    xargs -0 -n 1 -P "${JOBS:-3}" bash -c 'run_program "$0" "$1"' "$logs"

passed=$(cat "$logs"/*.log | grep -v '# SKIP' | grep -c '^ok ')
failed=$(cat "$logs"/*.log | grep -c '^not ok ')
echo "$passed $failed" >"$RESULTS/$name.counts"
printf '%-22s %4d passed, %d failed\n' "$name" "$passed" "$failed"
cat "$logs"/*.log | sed -n 's/^# skipped: /  skipped: /p'
left_out=$(cat "$logs"/*.log | grep -Ec '^# left out: |^ok .*# SKIP')
[ "$left_out" -eq 0 ] ||
    echo "  left out: $left_out claims, for the reasons in ${TEST_EXCEPT:-the tests}"
[ "$failed" -gt 0 ] || exit 0
for log in $(grep -l '^not ok ' "$logs"/*.log); do
    echo "  in $log:"
    grep -B 4 '^not ok ' "$log" | grep -E '^(not ok|#)' | cut -c 1-200 | sed 's/^/    /'
done | head -n 60
exit 1
