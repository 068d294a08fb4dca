# h5_fork_sampled.sh - guard:N changes nothing in how a child frees, nor in how a block grows.
. test/support/tap.sh
if [ -z "${LIB-}" ]; then
    echo "ok - glibc has no such option"
    exit 0
fi

# sampled PROGRAM - its claims hold while one block in a hundred thousand is sampled.
sampled() {
    ! MYALLOC_CONF=guard:100000 LD_PRELOAD=$LIB "$TEST_PROGRAMS/$1" | grep '^not ok'
}

claim "pages stay shared with a child that frees" sampled hazards/h5_fork_pages
claim "a block that grows by steps moves seldom" sampled api/realloc
finish
