#!/bin/bash
# faults.sh - `make faults`: what the suites do for seconds, done for long, with counts; some ten
# minutes. LIB names the library, TEST_PROGRAMS what the suites run. As root it also switches the
# system to strict overcommit, for a moment, when OVERCOMMIT=1 asks for it.
. test/support/tap.sh
export TEST_SECONDS=1200
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# told NAME COMMAND... - a claim that also shows the counts which its command prints behind `# `.
told() {
    local name=$1
    shift
    if "$@" >"$directory/out" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        tail -n 5 "$directory/out"
        failed_count=$((failed_count + 1))
    fi
    grep '^# [0-9R]' "$directory/out"
}

strict_overcommit() {
    local setting=/proc/sys/vm/overcommit_memory before status
    before=$(cat $setting) && echo 2 >$setting || return
    under "$TEST_PROGRAMS/hazards/programs/all_functions" &&
        under "$TEST_PROGRAMS/hazards/h18_large_requests" sixty_four_terabytes_are_refused
    status=$?
    echo "$before" >$setting
    return $status
}

told "random calls against the model" \
    under env SOAK_SECONDS="${SOAK_SECONDS:-300}" "$TEST_PROGRAMS/soak/soak"
told "forks of four threads beside four that allocate" \
    under env FORKS=10000 "$TEST_PROGRAMS/stress/forks"
told "forks with handlers that allocate" under env FORKS=2000 "$TEST_PROGRAMS/hazards/h5_fork"
told "threads one after the other" under env THREADS=9000 "$TEST_PROGRAMS/stress/threads"
told "threads one after the other, many" under env THREADS=100000 "$TEST_PROGRAMS/stress/threads"
told "signals at 10 kHz" under env SIGNALS=50000 "$TEST_PROGRAMS/hazards/h16_signals"
told "execs beside threads that allocate" \
    under env EXECS=2000 "$TEST_PROGRAMS/hazards/h7_exec_storm"
told "no memory in any function" under "$TEST_PROGRAMS/hazards/h23_no_memory"
told "no mappings left" under "$TEST_PROGRAMS/hazards/h10_maps_exhausted"
told "limits and groups" bash test/hazards/h23_limits.sh
[ -z "${OVERCOMMIT-}" ] || told "strict overcommit" strict_overcommit
finish
