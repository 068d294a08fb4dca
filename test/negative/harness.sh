# harness.sh - the machinery of the tests sees failures: crashes, silence, wrong texts, lost suites.
. test/support/tap.sh
broken=$(mktemp -d)
trap 'rm -rf "$broken"' EXIT

# suite_of BODY - runs a suite of one script; the counts end up in $broken/results.
suite_of() {
    mkdir -p "$broken/results"
    printf '%s\n' "$1" >"$broken/program.sh"
    LIB='' RESULTS=$broken/results LIMIT=1 test/support/suite.sh one "$broken/program.sh"
}

counts_are() {
    suite_of "$1" >/dev/null
    equal "$(cat "$broken/results/one.counts")" "$2"
}

claim "suite: a claim that holds is counted" counts_are 'echo "ok - a"' "1 0"
claim "suite: a claim that fails is counted" \
    counts_are 'echo "ok - a"; echo "not ok - b"; exit 1' "1 1"
claim "suite: a crash behind good claims is counted" counts_are 'echo "ok - a"; kill -SEGV $$' "1 1"
claim "suite: what is left out is told" grep -q '^  left out: 2 claims, .*/some.except$' \
    <(TEST_EXCEPT=test/some.except suite_of 'echo "ok - a"; printf "# left out: %s\n" b c')
claim "suite: a unit test that is skipped is not counted" \
    counts_are 'echo "ok - a"; echo "ok - s::b  # SKIP no such kernel"' "1 0"
claim "suite: a unit test that is left out is not run" grep -q '^ok - !(s/b)$' \
    <(echo "s::b: a reason" >"$broken/except" && TEST_EXCEPT="$broken/except" \
        suite_of 'echo "ok - $CRITERION_TEST_PATTERN"' && cat "$broken"/results/one.logs/*)
claim "suite: a program without claims is counted" counts_are 'true' "0 1"
claim "suite: a program that hangs is counted" counts_are 'sleep 60' "0 1"
refused "suite: a failed claim fails the suite" suite_of 'echo "not ok - b"; exit 1'
refused "suite: no programs fail the suite" \
    env RESULTS="$broken/results" test/support/suite.sh none

total() {
    test/support/total.sh "$broken/results" "$@"
}

echo "3 0" >"$broken/results/good.counts"
echo "3 1" >"$broken/results/bad.counts"
claim "total: good suites pass" total good
claim "total: the last line is the sum" equal "$(total good good | tail -n 1)" "6 passed, 0 failed"
refused "total: one failure fails" total good bad
refused "total: a suite that did not run fails" total good lost
refused "total: no suites fail" total

# Programs whose claims do not hold; each must say so, and soon.
export TEST_SECONDS=1
for program in "$TEST_PROGRAMS"/negative/*; do
    case $program in
    *.o) ;;
    *)
        refused "${program##*/}: its claims fail" "$program"
        claim "${program##*/}: no claim of it passes" equal "$("$program" | grep -c '^ok')" 0
        ;;
    esac
done
finish
