# h2_foreign.sh - pointers that are not ours: ignored with one line, or the end, as foreign: says.
. test/support/tap.sh
program=$TEST_PROGRAMS/hazards/programs/foreign

# run POLICY KIND OPERATION - sets status and errors.
run() {
    errors=$(under env MYALLOC_CONF="foreign:$1" "$program" "$2" "$3" 2>&1)
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

if [ -n "${LIB-}" ]; then
    for kind in libc mmap; do
        claim "free of a $kind pointer is ignored with one line" one_line_warning ignore $kind free
        claim "realloc of a $kind pointer fails with one line" one_line_warning ignore $kind realloc
        claim "usable size of a $kind pointer is zero" silent_success ignore $kind usable
        claim "free of a $kind pointer ends the program on demand" one_line_death abort $kind free
        claim "realloc of a $kind pointer ends the program on demand" \
            one_line_death abort $kind realloc
    done
    claim "free of a libc pointer goes to libc on demand" silent_success forward libc forwarded
else
    claim "glibc frees its own pointer" "$program" libc forwarded
fi
finish
