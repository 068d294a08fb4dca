# h22_hardened.sh - hardened mode: behind a filter that allows the system calls of H9 only, and
# within limits of data and addresses, where what is freed in one size serves all others.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards

behind_filter() {
    under env MYALLOC_CONF=harden:"$1" "$programs/h22_seccomp" "$2"
}

refills() {
    under env MYALLOC_CONF=harden:"$1" "$programs/programs/refill_space" "${@:2}"
}

# Each level where nothing else is special; elsewhere the one that has all of it.
levels="1 2 3"
[ -z "${MYALLOC_CONF-}${GLIBC_TUNABLES-}" ] || levels=3
for level in $levels; do
    claim "harden:$level: the first call may come behind the filter" \
        behind_filter $level the_first_call_may_come_behind_the_door
    claim "harden:$level: the heap works on behind the filter" \
        behind_filter $level the_heap_works_on_behind_the_door
    # The shares are those of 4-KiB pages: with larger ones a block between guards takes more.
    case ${LIB-} in *page16k* | *page64k*) continue ;; esac
    claim "harden:$level: 24 MiB of addresses serve all sizes, again and again" \
        refills $level as 24 8
    claim "harden:$level: 24 MiB of data do" refills $level data 24 8
    claim "harden:$level: so they do where the kernel has no marks for guards" \
        refills $level data 24 8 old
done
finish
