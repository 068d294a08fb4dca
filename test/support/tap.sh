# tap.sh - for test scripts: claims as commands. Source it, make claims, end with `finish`.
failed_count=0

# claim NAME COMMAND... - ok when the command succeeds; its output is shown when it does not.
claim() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok - $name"
    else
        sed 's/^/# /' <<<"$output" | head -n 20
        echo "not ok - $name"
        failed_count=$((failed_count + 1))
    fi
}

# refused NAME COMMAND... - ok when the command fails.
refused() {
    local name=$1
    shift
    claim "$name" not "$@"
}

not() {
    ! "$@"
}

# equal ACTUAL EXPECTED - for claims about texts.
equal() {
    [ "$1" = "$2" ] || { printf 'got:  %s\nwant: %s\n' "$1" "$2" && false; }
}

# under COMMAND... - the command under the library, or under glibc when LIB is unset.
under() {
    env ${LIB:+LD_PRELOAD="$LIB"} "$@"
}

finish() {
    [ "$failed_count" -eq 0 ]
    exit
}
