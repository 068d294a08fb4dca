# h14_silence.sh - nothing is printed unasked; a privileged program ignores our environment.
. test/support/tap.sh
everything=$TEST_PROGRAMS/hazards/programs/all_functions

silent() {
    equal "$("$@" 2>&1)" ""
}

closed_descriptors() {
    under "$everything" >&- 2>&-
}

claim "a program that prints nothing prints nothing" silent under "$everything"
claim "threads print nothing" silent under "$TEST_PROGRAMS/hazards/programs/threads"
claim "standard descriptors may be closed" closed_descriptors

# Linked, not preloaded: the loader itself drops preloads of privileged programs.
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
build_privileged() {
    chmod 755 "$private" && cp "$LIB" "$private/libmyalloc.so" &&
        ln -s libmyalloc.so "$private/libmyalloc.so.0" &&
        "${CC:-gcc}" -fno-builtin -o "$private/main" test/hazards/programs/privileged.c \
            -Wl,--no-as-needed -L"$private" -lmyalloc -Wl,-rpath,"$private" &&
        chown nobody "$private/main" && chmod 4755 "$private/main" &&
        "$private/main"
}

if [ -n "${LIB-}" ] && [ "$(id -u)" -eq 0 ]; then
    claim "a privileged program runs" build_privileged
    claim "a privileged program ignores our options" \
        silent env MYALLOC_CONF=nonsense:1 MYALLOC_EXCLUDE=main "$private/main"
fi
finish
