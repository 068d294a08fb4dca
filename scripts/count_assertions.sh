#!/bin/bash
# count_assertions.sh [--check | --stateful] [SRC] - functions, run-time assertions (ASSERT and
# VERIFY) and their ratio, for each module of SRC/LAYERS, then for each folder. A module has state
# when its .c file defines an object g_NAME that is not constant, or when the list below names it:
# its state is that of its caller, or of a thread. --stateful: names these modules. --check: fails
# where one of them has fewer than LEAST assertions to a hundred functions.
set -u
LEAST=80
stateful='base/lock front/fork core/list core/size_class core/thread core/slab core/slab_list
    pages/dirty pool/pool_chunk hardened/guarded trace/recorder sampling/sampled inspect/walk'
mode=
case ${1-} in --check | --stateful) mode=$1 && shift ;; esac
src=${1:-src}
[ -s "$src/LAYERS" ] || { echo "$src/LAYERS is missing" && exit 1; }

# A function begins with a brace in the first column, a struct does not. An object that is not
# constant begins in the first column, or with a `static` in a function.
count() {
    cat "$src/$1.h" "$src/$1.c" 2>/dev/null | awk '
        { sub(/ *\/\/.*/, "") }
        /^{$/ { functions++ }
        /^(static )?const |\*const g_/ { is_const = 1 }
        /^[a-zA-Z_}].*[ )*]g_[a-z0-9_]+(\[.*\])*( =.*)?;?$/ { state += !is_const && !/^extern / }
        /^    static [^;]*[ )]g_[a-z0-9_]+( =.*)?;/ { state += !/static const / }
        /^[a-zA-Z_}].*;$|};$/ { is_const = 0 }
        /^#define/ { next }
        { count += gsub(/(^|[^A-Z_])(ASSERT|VERIFY)\(/, "&") }
        END { print functions + 0, count + 0, state + 0 }'
}

sed 's/#.*//; /:/d; /^ *$/d; s/\.h$//' "$src/LAYERS" | while read -r module; do
    echo "$module $(count "$module")"
done | awk -v mode="$mode" -v least="$LEAST" -v list="$stateful" '
    function show(name, functions, count) {
        if (mode != "") return
        printf "%-20s %5d %5d %6.2f\n", name, functions, count, count / max(functions)
    }
    function max(n) { return n > 0 ? n : 1 }
    BEGIN {
        split(list, names, /[ \n]+/)
        for (i in names) has_state[names[i]] = 1
    }
    {
        show($1, $2, $3)
        folder = $1
        sub(/\/.*/, "", folder)
        functions[folder] += $2
        counts[folder] += $3
        if ($4 == 0 && !has_state[$1]) next
        seen++
        if (mode == "--stateful") print $1
        if (mode == "--check" && $3 * 100 < $2 * least) {
            print $1 ": " $3 " assertions in " $2 " functions"
            failed = 1
        }
    }
    END {
        for (folder in functions) show(folder, functions[folder], counts[folder])
        if (mode != "" && !seen) { print "no module with state"; failed = 1 }
        exit failed
    }'
