# kinds.sh - the programs of this suite again for each kind of slots that can be forced, and as
# where glibc registers no thread: old kernels, valgrind, gVisor. Two at a time.
. test/support/tap.sh
programs=(stepping livelock signals vfork unregistered own_sequences)
kinds=("where no thread is registered")
# Where the kernel has concurrency ids (28 bytes of features), caches by id are what the programs of
# the suite itself run with.
id=id
features=$(LD_SHOW_AUXV=1 /bin/true | sed -nE 's/^AT_(RSEQ_FEATURE_SIZE|\?\?\? \(0x1b\)): *//p')
[ $((features)) -lt 28 ] || id=
[ -z "${LIB-}" ] || kinds+=("with the caches of a "cpu "with the caches of a "thread
    ${id:+"with the caches of an id"})
export OPERATIONS=3000000
words=$(mktemp -d)
trap 'rm -rf "$words"' EXIT

# run PROGRAM KIND - leaves what it says, and how it ended.
run() {
    local setting=GLIBC_TUNABLES=glibc.pthread.rseq=0
    case $2 in
    with*) setting="MYALLOC_CONF=${MYALLOC_CONF:+$MYALLOC_CONF,}cpu_cache:${2##* }" ;;
    esac
    under env "$setting" "$TEST_PROGRAMS/sequences/$1" >"$words/$1 $2" 2>&1 ||
        echo "ended with status $?" >>"$words/$1 $2"
}
export -f run under
export words

ended_well() {
    local said="$words/$1 $2"
    [ -s "$said" ] && ! grep -q '^ended with status' "$said" || { cat "$said" && false; }
}

for program in "${programs[@]}"; do
    printf "$program\0%s\0" "${kinds[@]}"
done | xargs -0 -n 2 -P 2 bash -c 'run "$0" "$1"'
for program in "${programs[@]}"; do
    for kind in "${kinds[@]}"; do
        claim "$program $kind" ended_well "$program" "$kind"
    done
done
finish
