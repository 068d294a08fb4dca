#!/bin/bash
# check_citations.sh [TREE] - what comments and documents name exists: invariants (NAME-1), files
# (`name.c`) and functions (`name()`, and in src/doc `module_verb`). An invariant of the library is
# asserted, by a line with ASSERT or VERIFY that cites it, or a test cites it.
set -u
cd "${1:-.}" || exit 1
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$*"
    failed=1
}

mapfile -t sources < <(find src include test bench -name '*.[chS]' | sort)
mapfile -t scripts < <(find test scripts bench Makefile -name '*.sh' -o -name '*.mk' -o \
    -name '*.py' -o -name Makefile | sort)
mapfile -t texts < <(find src/doc test bench README.md -name '*.md' | sort)
[ ${#sources[@]} -gt 0 ] || { echo "no sources" && exit 1; }

# comments FILE... - FILE:LINE: and the comment of each line that has one.
comments() {
    awk '/^ \*|^\/\*/ { print FILENAME ":" FNR ": " $0; next }
        /\/\// { sub(/.*\/\//, ""); print FILENAME ":" FNR ": " $0 }' "$@"
}

# unknown WHAT LIST FILE - the lines NAME PLACE of FILE whose NAME is not in LIST.
unknown() {
    awk -v what="$1" 'FILENAME == ARGV[1] { known[$1] = 1; next }
        !($1 in known) { print $2 " " what " " $1 }' "$2" "$3"
}

# ---- invariants ----

tag='[A-Z][A-Z_]*[A-Z]-[0-9]+'
for source in "${sources[@]}"; do
    awk -v file="$source" '/^\/\*/ && FNR > 1 || /^ \*\/|^#/ { exit }
        match($0, /^ \*( Invariants:)? +[A-Z][A-Z_]*[A-Z]-[0-9]+  /) ||
            /^ \* Threads: .* LIST-1: / { sub(/.*Invariants: +/, ""); sub(/.*LIST-1: .*/, "LIST-1")
            sub(/^ \* +/, ""); print $1, file }' "$source"
done >"$work/defined"
[ -s "$work/defined" ] || fail "no invariants"
awk '{
        place = FILENAME ":" FNR
        while (match($0, /[A-Z][A-Z_]*[A-Z]-[0-9]+/)) {
            print substr($0, RSTART, RLENGTH), place
            $0 = substr($0, RSTART + RLENGTH)
        }
    }' "${sources[@]}" "${texts[@]}" | grep -vE '^(UTF-8|FNV-1|NAME-1) ' >"$work/cited"
unknown "is no invariant:" "$work/defined" "$work/cited" >"$work/bad"
grep -hoE "(ASSERT|VERIFY)\(.*//.*" "${sources[@]}" | grep -oE "$tag" >"$work/held"
grep -hoE "$tag" "${scripts[@]}" $(find test -name '*.c') >>"$work/held"
awk 'FILENAME == ARGV[1] { held[$1] = 1; next }
    $2 ~ /^src\// && $2 !~ /^src\/cli\// && !($1 in held) {
        print $2 ": " $1 " is neither asserted nor tested"
    }' "$work/held" "$work/defined" >>"$work/bad"

# ---- files ----

find . -path ./.git -prune -o -path './build*' -prune -o -type f -print |
    awk '{ sub(/^\.\//, ""); print; while (sub(/^[^\/]*\//, "")) print }' | sort -u >"$work/files"
{ comments "${sources[@]}"; grep -nH '' "${texts[@]}" test/coverage/unreached.txt; } |
    grep -vE 'https?://' |
    grep -oE '^[^:]*:[0-9]+:|[A-Za-z0-9_/.-]+\.(c|h|S|sh|py|ld|mk|md|map)\b' |
    awk '/:$/ { place = $0; next }
        !/[A-Z][A-Z]|hN_|^(linux|sys)\/|^program\.|^(\.\.)?\// { print $0, place }' |
    unknown "no file" "$work/files" - >>"$work/bad"

# ---- functions ----

{ sed -E 's|//.*||; /^ \*|^\/\*/d' "${sources[@]}"; cat "${scripts[@]}" "$work/files"; } |
    tr -c 'A-Za-z0-9_' '\n' | sort -u >"$work/names"
{ comments "${sources[@]}" | grep -oE '^[^:]*:[0-9]+:|\b[a-z][a-z0-9_]*_[a-z0-9_]+\(\)'
    grep -noHE '`[a-z][a-z0-9_]*_[a-z0-9_]+(\(\))?`' src/doc/*.md |
        sed -E 's/^([^:]*:[0-9]+:)`(.*)`$/\1\n\2/'; } |
    awk '/:$/ { place = $0; next } { sub(/\(\)$/, ""); print $0, place }' |
    unknown "no function" "$work/names" - >>"$work/bad"

# ---- reasons of the coverage ----

while read -r file function _; do
    function=${function%:}
    case $file in '#'* | '') continue ;; esac
    [ "$function" = '*' ] || grep -qsE "\b$function\(" "$file" ||
        echo "test/coverage/unreached.txt: no $function in $file" >>"$work/bad"
done <test/coverage/unreached.txt

while read -r line; do
    fail "$line"
done <"$work/bad"
exit "$failed"
