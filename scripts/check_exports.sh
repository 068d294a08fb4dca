#!/bin/bash
# check_exports.sh [LIBRARY] [GOLDEN] - the library exports exactly the names of the golden list (a
# line may be a glob), under no version node, needs libc only, and has no more code than it had.
set -u
library=${1:-./libmyalloc.so}
golden=${2:-test/golden/exports.txt}
# What every process maps, and with what few run: see libmyalloc.ld.
case $(readelf -h "$library") in
*AArch64*) text_bytes_max=63488 code_bytes_max=134656 constants_end_max=76800 ;;
*) text_bytes_max=52240 code_bytes_max=117424 constants_end_max=65536 ;;
esac
failed=0

fail() {
    echo "$library: $*"
    failed=1
}

mapfile -t wanted < <(grep -Ev '^(#|$)' "$golden")
mapfile -t exported < <(nm -D --defined-only "$library" | awk '{ print $3 }')
[ ${#wanted[@]} -gt 0 ] && [ ${#exported[@]} -gt 0 ] || fail "nothing to compare"

for name in "${exported[@]}"; do
    listed=0
    for pattern in "${wanted[@]}"; do
        # shellcheck disable=SC2053  # the golden line is a pattern
        [[ $name == $pattern ]] && listed=1
    done
    [ $listed -eq 1 ] || fail "exports $name, which is not in $golden"
done
for pattern in "${wanted[@]}"; do
    [[ $pattern == *'*' ]] || printf '%s\n' "${exported[@]}" | grep -qx "$pattern" ||
        fail "does not export $pattern"
done

! readelf -SW "$library" | grep -q '\.gnu\.version_d' || fail "defines a version node"
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
[ "$needed" = "libc.so.6 " ] || fail "needs $needed"
# code_bytes PATTERN - bytes of the sections whose names match.
code_bytes() {
    size -A "$library" | awk -v names="^($1)\$" '$1 ~ names { bytes += $2 } END { print bytes + 0 }'
}
text_bytes=$(code_bytes '.text|fork_text')
[ "$text_bytes" -gt 0 ] && [ "$text_bytes" -le $text_bytes_max ] ||
    fail "has $text_bytes bytes of code in .text and fork_text, more than $text_bytes_max"
all_bytes=$(code_bytes '.text|fork_text|seldom_text')
[ "$all_bytes" -le $code_bytes_max ] ||
    fail "has $all_bytes bytes of code, more than $code_bytes_max"
constants_end=$(size -A "$library" | awk '$1 == ".rodata" { print $2 + $3 }')
[ "$constants_end" -gt "$text_bytes" ] && [ "$constants_end" -le $constants_end_max ] ||
    fail "has what every process reads up to byte $constants_end, behind $constants_end_max"
exit $failed
