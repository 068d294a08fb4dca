# h22_modes.sh - what the features of one process do behind a filter that allows the system calls of
# H9 and H22 only.
. test/support/tap.sh
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT

behind_filter() {
    under env XDG_RUNTIME_DIR="$private" MYALLOC_CONF="$1" "$TEST_PROGRAMS/hazards/h22_seccomp" \
        the_heap_works_on_behind_the_door_until_a_bare_exit
}

for conf in cpu_cache:thread guard:1 profile:1,profile_bytes:1000 live:1 stats:1; do
    claim "$conf: the heap works on behind the filter" behind_filter "$conf"
done
finish
