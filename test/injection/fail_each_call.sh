# fail_each_call.sh - the n-th system call of the library fails, for every n of a run, and then all do.
# LIB names a debug build, which counts its system calls and obeys MYALLOC_FAIL_AFTER.
. test/support/tap.sh
program=$TEST_PROGRAMS/injection/refused_calls

for n in $(seq 1 120); do
    claim "system call $n fails" under env MYALLOC_FAIL_AFTER="$n" "$program" refused_system_calls_lose_nothing
done
for n in 1 2 3 5 8 13 21 34 55; do
    claim "system calls from $n on fail" \
        under env MYALLOC_FAIL_AFTER="-$n" "$program" refused_system_calls_lose_nothing
done
finish
