# h17_exclude.sh - a program that MYALLOC_EXCLUDE names runs on libc's heap from its first call on.
. test/support/tap.sh
whose=$TEST_PROGRAMS/hazards/programs/whose

excluded() {
    under env MYALLOC_EXCLUDE="$1" "$whose" 2>&1
}

claim "an excluded program uses libc's heap" excluded whose
claim "an excluded program among others" excluded other:whose
claim "an excluded program among others, with commas" excluded other,whose,third
if [ -n "${LIB-}" ]; then
    refused "a program that is not named uses ours" excluded who
    refused "a longer name does not exclude" excluded whosever
fi
finish
