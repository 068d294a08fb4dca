# scene.sh - real programs as users run them, under the library and under glibc: same output, same
# exit status. A test/preload/*.sh defines `programs` and a function `scene`, sources this file, and
# calls `compare_scene`. The scene runs in an empty directory, the same path both times.
. test/support/tap.sh

project=$PWD
scene_name=$(basename "$0" .sh)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
export PROBE_LOG=$stage/probe PROJECT=$project HOME=$stage/run LC_ALL=C.UTF-8 TZ=UTC

# The scene's whole shell and all it starts run with the preloads given.
run_scene() {
    rm -rf "$stage/run" && mkdir "$stage/run" || return
    (cd "$stage/run" && LD_PRELOAD=$2 bash -c "$(declare -f scene); scene" \
        >"$stage/$1.out" 2>"$stage/$1.err")
    echo "exit status $?" >>"$stage/$1.out"
}

same_output() {
    diff "$stage/glibc.out" "$stage/library.out" && diff "$stage/glibc.err" "$stage/library.err"
}

ended_well() {
    equal "$(tail -n 1 "$stage/glibc.out")" "exit status 0" || { cat "$stage/glibc.err" && false; }
}

# Every process of the scene noted whose malloc it had; each of the named programs must be there.
library_was_used_by() {
    grep -q "^$1 .*${LIB:+/libmyalloc.so}" "$PROBE_LOG"
}

no_process_escaped() {
    [ -z "${LIB-}" ] || ! grep -v '/libmyalloc.so$' "$PROBE_LOG"
}

compare_scene() {
    local program
    for program in "${programs[@]}"; do
        claim "$scene_name: $program is installed" command -v "$program"
    done
    run_scene glibc ""
    claim "$scene_name: runs under glibc" ended_well
    rm -f "$PROBE_LOG"
    run_scene library "${LIB-} $TEST_PROGRAMS/preload/probe.so"
    claim "$scene_name: same output and exit status" same_output
    for program in "${programs[@]}" "${children[@]}"; do
        claim "$scene_name: $(basename "$program") ran with the library" \
            library_was_used_by "$(basename "$program")"
    done
    claim "$scene_name: no process had another malloc" no_process_escaped
    finish
}
