#!/bin/bash
# check_imports.sh [LIBRARY] [PAGE] - the library calls nothing by name but what PAGE lists, in its
# section "Names that we call", with the reason why nobody else can have taken the name.
set -u
library=${1:-./libmyalloc.so}
page=${2:-src/doc/hazards.md}
failed=0

fail() {
    echo "$library: $*"
    failed=1
}

# What a list item of the section has in backticks before its colon.
mapfile -t listed < <(awk '
    /^## / { inside = /Names that we call/ }
    /^- / { open = inside }
    inside && open {
        open = !index($0, ":")
        sub(/:.*/, "")
        while (match($0, /`[^`]+`/)) {
            print substr($0, RSTART + 1, RLENGTH - 2)
            $0 = substr($0, RSTART + RLENGTH)
        }
    }' "$page")
mapfile -t imported < <(nm -D --undefined-only "$library" |
    awk '{ sub(/@.*/, "", $NF); print $NF }')
[ ${#listed[@]} -gt 0 ] || fail "$page lists no name"
[ ${#imported[@]} -gt 0 ] || fail "imports nothing"

for name in "${imported[@]}"; do
    printf '%s\n' "${listed[@]}" | grep -Fqx "$name" ||
        fail "calls $name, which $page does not list"
done
exit $failed
