#!/bin/bash
# check_fast_path.sh [LIBRARY] [GOLDEN] - what malloc and free execute when they hit: instructions
# to the first ret, with no branch taken. At most 22 and 24, no push, no call; and exactly the
# counts of the golden file, so that every change of the fast path shows in a commit.
set -u
library=${1:-./libmyalloc.so}
golden=${2:-test/golden/fast_path.txt}

# count FUNCTION MAX - one line of counts; fails above MAX and on whatever needs a frame.
count() {
    local address
    address=$(nm -D --defined-only "$library" | awk -v name="$1" '$3 == name { print $1 }')
    [ -n "$address" ] || { echo "$1: not in $library" && return 1; }
    objdump -d --no-show-raw-insn --start-address="0x$address" \
        --stop-address=$((0x$address + 400)) "$library" |
        awk -v name="$1" -v max="$2" '
            /^ +[0-9a-f]+:/ {
                instructions++
                if ($2 ~ /^(push|call)/) framed = 1
                if ($2 == "jmp") { left = 1; exit }
                if ($2 ~ /^j/) branches++
                if ($2 ~ /^(mov|add|sub|or|and|dec|inc)/ && $0 ~ /\)$/) stores++
                if ($2 ~ /^ret/) { hit = 1; exit }
            }
            END {
                print name, "instructions", instructions, "branches", branches + 0, \
                    "stores", stores + 0
                if (!hit || left) { print name ": leaves the function before it returns"; exit 1 }
                if (framed) { print name ": pushes or calls"; exit 1 }
                if (instructions > max) { print name ": more than " max " instructions"; exit 1 }
            }'
}

failed=0
counts=$(count malloc 22) || failed=1
counts+=$'\n'$(count free 24) || failed=1
if ! diff <(grep -Ev '^(#|$)' "$golden") - <<<"$counts"; then
    echo "$library: the fast path differs from $golden"
    failed=1
fi
exit $failed
