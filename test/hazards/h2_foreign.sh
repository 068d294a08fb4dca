# h2_foreign.sh - pointers that are not ours: ignored with one line, or the end, as foreign: says.
. test/support/tap.sh
program=$TEST_PROGRAMS/hazards/programs/foreign

# run POLICY KIND OPERATION [PLACE] - sets status and errors.
run() {
    errors=$(under env MYALLOC_CONF="foreign:$1" "$program" "${@:2}" 2>&1)
    status=$?
}

one_line_warning() {
    run "$@"
    equal "$status" 0 && equal "$(wc -l <<<"$errors")" 1 &&
        grep -Eq '^myalloc: .*0x[0-9a-f]+.*foreign\+0x[0-9a-f]+' <<<"$errors"
}

one_line_death() {
    run "$@"
    equal "$status" 134 && equal "$(grep -c '^myalloc: fatal: ' <<<"$errors")" 1
}

silent_success() {
    run "$@"
    equal "$status" 0 && equal "$errors" ""
}

# The warning names the wrapper as its caller.
behind_wrapper() {
    local LIB="$TEST_PROGRAMS/hazards/plugins/wrapper.so $LIB"
    run ignore "$1" free
    equal "$status" 0 && equal "$(wc -l <<<"$errors")" 1
}

if [ -n "${LIB-}" ]; then
    for kind in libc libc-mmap mmap shared memfd; do
        claim "free of a $kind pointer is ignored with one line" one_line_warning ignore $kind free
        claim "realloc of a $kind pointer fails with one line" one_line_warning ignore $kind realloc
        claim "usable size of a $kind pointer is zero" silent_success ignore $kind usable
        claim "free of a $kind pointer ends the program on demand" one_line_death abort $kind free
        claim "realloc of a $kind pointer ends the program on demand" \
            one_line_death abort $kind realloc
    done
    for place in thread coroutine low-coroutine thread-coroutine; do
        for kind in libc libc-mmap; do
            claim "free of a $kind pointer in a $place is ignored with one line" \
                one_line_warning ignore $kind free $place
            claim "free of a $kind pointer in a $place goes to libc on demand" \
                silent_success forward $kind forwarded $place
        done
    done
    claim "free of a mapping right above a coroutine is ignored with one line" \
        one_line_warning ignore mmap free merged-coroutine
    for place in main thread; do
        claim "free of the stack of a $place ends the program" \
            one_line_death ignore stack free $place
    done
    claim "free of a file ends the program" one_line_death ignore file free
    claim "free of a libc pointer goes to libc on demand" silent_success forward libc forwarded
    claim "realloc of a libc pointer goes to libc on demand" silent_success forward libc moved
    for kind in libc libc-mmap; do
        claim "free of a $kind pointer, behind a preload that calls us, is ignored with one line" \
            behind_wrapper $kind
    done
else
    for place in main thread coroutine low-coroutine thread-coroutine; do
        claim "glibc frees its own pointer in a $place" "$program" libc forwarded $place
    done
fi
finish
