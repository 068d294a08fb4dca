# fail_each_call.sh - the n-th system call of the library fails, for every n; then all from it on.
# LIB names a debug build, which counts its system calls and obeys MYALLOC_FAIL_AFTER.
. test/support/tap.sh
program=$TEST_PROGRAMS/injection/refused_calls

survives() {
    under env MYALLOC_FAIL_AFTER="$1" "$program" refused_system_calls_lose_nothing
}

# Without this the whole suite could pass because nothing ever fails.
[ -z "${LIB-}" ] || refused "with no system call at all nothing can be had" \
    under env MYALLOC_FAIL_AFTER=-1 "$TEST_PROGRAMS/hazards/programs/all_functions"

for n in $(seq 1 120); do
    claim "system call $n fails" survives "$n"
done
for n in 1 2 3 5 8 13 21 34 55; do
    claim "system calls from $n on fail" survives "-$n"
done

# The same with huge blocks in a file, and of pools, the walk and mapped files.
directory=$(mktemp -d)
trap 'rmdir "$directory"' EXIT

survives_backed() {
    under env MYALLOC_CONF="backing:$directory" MYALLOC_FAIL_AFTER="$1" "$program" \
        refused_system_calls_lose_nothing
}

survives_pools() {
    under env MYALLOC_FAIL_AFTER="$1" "$TEST_PROGRAMS/injection/refused_pools" \
        refused_system_calls_lose_nothing
}

for n in $(seq 1 60) -1 -5 -13 -21; do
    claim "system call $n fails, with huge blocks in a file" survives_backed "$n"
done
for n in $(seq 1 50) -1 -5 -13 -21; do
    claim "system call $n fails among pools" survives_pools "$n"
done
finish
