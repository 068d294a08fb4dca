#!/bin/bash
# run.sh FUZZER CORPUS FOUND - fuzzes for FUZZ_SECONDS, prints executions and coverage; what crashes
# is left in FOUND.
set -u
name=${1##*/}
mkdir -p "$3/$name"
log=$3/$name.log
"$1" -close_fd_mask=3 -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$3/$name-" "$3/$name" "$2/$name" >"$log" 2>&1
status=$?
edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
executions=$(grep -o 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$')
echo "$name: ${executions:-0} executions, ${edges:-cov: 0} edges, status $status ($log)"
[ $status -eq 0 ] || grep -v '^#' "$log" | head -n 30
exit $status
