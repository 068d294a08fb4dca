# options.sh - MYALLOC_CONF: good values are silent, bad ones cost a line; the program runs on.
. test/support/tap.sh

# says OPTIONS TEXT - with OPTIONS the program runs and its stderr is exactly TEXT.
says() {
    local output
    output=$(LD_PRELOAD=$LIB MYALLOC_CONF=$1 /bin/echo ran 2>&1 >/dev/null)
    equal "$output" "$2"
}

runs() {
    equal "$(LD_PRELOAD=$LIB MYALLOC_CONF=$1 /bin/echo ran 2>/dev/null)" ran
}

one_line() {
    local output
    output=$(LD_PRELOAD=$LIB MYALLOC_CONF=$1 /bin/echo ran 2>&1 >/dev/null)
    equal "$(wc -l <<<"$output")" 1 && grep -q '^myalloc: MYALLOC_CONF: ' <<<"$output" ||
        { echo "$output" && false; }
}

if [ -n "${LIB-}" ]; then
    for option in brk:0 brk:1 fit:first fit:best fit:segregated foreign:ignore foreign:forward \
        foreign:abort deepbind:strip deepbind:keep deepbind:warn brk:0,fit:best ''; do
        claim "'$option' is silent" says "$option" ""
    done
    claim "an unknown key is named with the nearest one" says ft:best \
        "myalloc: MYALLOC_CONF: unknown key 'ft', did you mean 'fit'?"
    claim "a bad value is named with the good ones" says fit:x \
        "myalloc: MYALLOC_CONF: bad value 'x' for 'fit' (first|best|segregated)"
    for option in nonsense:1 fit fit: :best brk:2 brk:-1 brk:99999999999999999999 foreign:no,; do
        claim "'$option' costs one line" one_line "$option"
        claim "the program runs on with '$option'" runs "$option"
    done
    long=$(printf 'x%.0s' {1..5000})
    claim "a key of 5000 letters costs one line" one_line "$long:1"
    claim "the program runs on with a key of 5000 letters" runs "$long:1"
    claim "good options behind a bad one count" says "ft:1,fit:best" \
        "myalloc: MYALLOC_CONF: unknown key 'ft', did you mean 'fit'?"
else
    claim "glibc ignores MYALLOC_CONF" env MYALLOC_CONF=ft:best /bin/true
fi
finish
