# h15_valgrind.sh - a leak finder still sees every call, so our functions must be plain ones.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards/programs

leak_is_found() {
    local report
    report=$(under valgrind --leak-check=full "$programs/leak" 2>&1)
    grep -q 'definitely lost: 123 bytes in 1 blocks' <<<"$report" ||
        { echo "$report" && false; }
}

threads_run() {
    under valgrind --error-exitcode=9 -q "$programs/threads"
}

claim "valgrind finds the 123 lost bytes" leak_is_found
claim "threads run under valgrind without an error" threads_run
finish
