# kinds.sh - the programs of this suite again for each kind of slots that can be forced, and as
# where glibc registers no thread: old kernels, valgrind, gVisor.
. test/support/tap.sh
programs=(stepping livelock signals vfork unregistered own_sequences)
export OPERATIONS=5000000

run() {
    under env "${@:2}" "$TEST_PROGRAMS/sequences/$1"
}

for program in "${programs[@]}"; do
    if [ -n "${LIB-}" ]; then
        for kind in cpu thread; do
            claim "$program with the caches of a $kind" run "$program" \
                "MYALLOC_CONF=${MYALLOC_CONF:+$MYALLOC_CONF,}cpu_cache:$kind"
        done
        claim "$program with the caches of a concurrency id" run "$program" \
            "MYALLOC_CONF=${MYALLOC_CONF:+$MYALLOC_CONF,}cpu_cache:id"
    fi
    claim "$program where no thread is registered" run "$program" \
        GLIBC_TUNABLES=glibc.pthread.rseq=0
done
finish
