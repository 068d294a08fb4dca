# h17_exclude.sh - a program that MYALLOC_EXCLUDE names runs on libc's heap from its first call on.
. test/support/tap.sh
whose=$TEST_PROGRAMS/hazards/programs/whose

starter=$TEST_PROGRAMS/hazards/programs/starter
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#!%s\n' "$whose" >"$work/script"
chmod +x "$work/script"
ln -s "$whose" "$work/link"
cp "$whose" "$work/gone"

excluded() {
    started_excluded "$1" "$whose"
}

# started_excluded LIST COMMAND... - the program that the command starts uses libc's heap.
started_excluded() {
    local list=$1
    shift
    under env MYALLOC_EXCLUDE="$list" "$@" 2>&1
}

# As after an update: the file that runs has lost its name.
removed_excluded() {
    started_excluded gone sh -c 'exec 3<"$1" && rm "$1" && exec "$2" fd /dev/fd/3' sh "$work/gone" \
        "$starter"
}

claim "an excluded program uses libc's heap" excluded whose
claim "an excluded program among others" excluded other:whose
claim "an excluded program among others, with commas" excluded other,whose,third
claim "a program started by a descriptor" started_excluded whose "$starter" fd "$whose"
claim "a program started out of memory" started_excluded whose "$starter" memory "$whose"
claim "a program whose file is gone" removed_excluded
claim "the interpreter of a script" started_excluded whose "$work/script"
claim "a script" started_excluded script "$work/script"
claim "a link" started_excluded link "$work/link"
claim "what a link leads to" started_excluded whose "$work/link"
claim "a program that the dynamic linker was asked to run" \
    started_excluded whose /lib64/ld-linux-x86-64.so.2 "$whose"
if [ -n "${LIB-}" ]; then
    refused "the starter of a program" started_excluded starter "$starter" fd "$whose"
    refused "an empty name excludes nobody" excluded ,:,
    refused "a program that is not named uses ours" excluded who
    refused "a longer name does not exclude" excluded whosever
fi
finish
