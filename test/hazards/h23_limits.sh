# h23_limits.sh - nearly all of a limit can be used, a shell starts within a small one, and what is
# freed in one size serves another before a group of processes is over its limit.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards/programs
megabytes=150 limit=$((256 << 20))

bash_starts() (
    ulimit -v 65536
    equal "$(under bash -c 'echo $((6 * 7)) | cat')" 42
)

changes_sizes() (
    ulimit -v $((limit >> 10))
    under "$programs/changing_sizes" "$megabytes"
)

# Version 1 of the groups: a directory below our own, for as long as the program runs.
own=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
group=$own/myalloc-$$

changes_sizes_in_group() (
    # shellcheck disable=SC3028
    echo "$BASHPID" >"$group/cgroup.procs" && under "$programs/changing_sizes" "$megabytes"
)

claim "bash starts within 64 MiB of addresses" bash_starts
for bytes in 100 1200000; do
    claim "85 % of 256 MiB are usable for blocks of $bytes bytes" \
        under "$programs/use_space" $bytes $limit 85
done
claim "150 MB of changing sizes fit in 256 MiB of addresses" changes_sizes
if mkdir "$group" 2>/dev/null; then
    trap 'rmdir "$group"' EXIT
    if echo $limit >"$group/memory.limit_in_bytes"; then
        claim "150 MB of changing sizes fit in a group of 256 MiB" changes_sizes_in_group
        [ -z "${LIB-}" ] || claim "the group met its limit or stayed below, and killed nobody" \
            grep -q '^oom_kill 0$' "$group/memory.oom_control"
    fi
fi
finish
