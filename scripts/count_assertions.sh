#!/bin/bash
# count_assertions.sh [--check] [SRC] - functions, run-time assertions (ASSERT and VERIFY) and their
# ratio, for each module of SRC/LAYERS, then for each folder. --check: fails where a module that has
# state, as the list below says, has fewer than LEAST to a hundred functions.
set -u
LEAST=80
stateful='base/lock base/options base/live base/meta_alloc
    core/list core/size_class core/emergency core/thread core/slab core/slab_list core/inherited
    pool/pool_chunk pool/pool trace/record trace/recorder inspect/view inspect/walk
    front/mode front/start front/block front/fork'
checks=
[ "${1-}" != --check ] || { checks=1 && shift; }
src=${1:-src}
[ -s "$src/LAYERS" ] || { echo "$src/LAYERS is missing" && exit 1; }

# A function begins with a brace in the first column, a struct does not.
count() {
    cat "$src/$1.h" "$src/$1.c" 2>/dev/null | awk '
        /^{$/ { functions++ }
        /^#define/ { next }
        { sub(/\/\/.*/, ""); count += gsub(/(^|[^A-Z_])(ASSERT|VERIFY)\(/, "&") }
        END { print functions + 0, count + 0 }'
}

sed 's/#.*//; /:/d; /^ *$/d; s/\.h$//' "$src/LAYERS" | while read -r module; do
    echo "$module $(count "$module")"
done | awk -v checks="$checks" -v least="$LEAST" -v list="$stateful" '
    function show(name, functions, count) {
        if (!checks) printf "%-20s %5d %5d %6.2f\n", name, functions, count, count / max(functions)
    }
    function max(n) { return n > 0 ? n : 1 }
    BEGIN { split(list, names, /[ \n]+/); for (i in names) has_state[names[i]] = 1 }
    {
        show($1, $2, $3)
        folder = $1
        sub(/\/.*/, "", folder)
        functions[folder] += $2
        counts[folder] += $3
        if (checks && has_state[$1] && $3 * 100 < $2 * least) {
            print $1 ": " $3 " assertions in " $2 " functions"
            failed = 1
        }
        seen += has_state[$1]
    }
    END {
        for (folder in functions) show(folder, functions[folder], counts[folder])
        if (checks && !seen) { print "no module with state"; failed = 1 }
        exit failed
    }'
