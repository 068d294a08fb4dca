#!/bin/bash
# total.sh RESULTS SUITE... - adds up the suites; one that left no counts counts as one failure.
set -u
results=$1
shift
passed=0 failed=0
for suite in "$@"; do
    if ! read -r suite_passed suite_failed 2>/dev/null <"$results/$suite.counts"; then
        echo "$suite: did not run"
        suite_passed=0 suite_failed=1
    fi
    passed=$((passed + suite_passed)) failed=$((failed + suite_failed))
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
