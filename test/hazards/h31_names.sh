# h31_names.sh - what we call by name is what nobody else can take, and memory goes away where those
# who listen hear of it.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards/programs
TMPDIR=${TMPDIR:-/tmp}

own_names() {
    local conf=$1
    shift
    under env MYALLOC_CONF="$conf" "$programs/own_names" "$@"
}


dies_of_corruption() {
    errors=$(own_names '' corrupt 2>&1)
    equal "$?" 134 && grep -q '^myalloc: fatal: double free' <<<"$errors"
}

claim "a program with functions of its own under all names" own_names ''
if [ -n "${LIB-}" ]; then
    claim "its own environ does not hide our options" own_names perturb:1 perturbed
    claim "its own abort, which returns, does not keep it alive" dies_of_corruption
    for conf in brk:0 live:1 harden:1 guard:1 cpu_cache:cpu "record:$TMPDIR/h31.%p"; do
        claim "such a program under $conf" own_names "$conf"
    done
    rm -f "$TMPDIR"/h31.*
fi
for call in munmap madvise mremap sbrk; do
    # OS-2
    claim "who patches $call hears of memory that goes away" under "$programs/patched_calls" $call
done

finish
