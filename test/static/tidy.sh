# tidy.sh - clang-tidy finds nothing in the library; a file that passed is read again when it changes,
# or any header, or the rules.
. test/support/tap.sh
passed=build/tidy
mkdir -p "$passed"
rules=$(find src include .clang-tidy -name '*.h' -o -name .clang-tidy | sort | xargs cat | sha256sum)
export passed rules

tidy_file() {
    local stamp
    stamp=$passed/$( (echo "$rules" && cat "$1") | sha256sum | cut -d' ' -f1)
    [ -e "$stamp" ] ||
        { clang-tidy --quiet "$1" -- -std=c11 -D_GNU_SOURCE -Isrc -Iinclude 2>/dev/null && touch "$stamp"; }
}
export -f tidy_file

# Two at a time, the words of each in a file of its own.
words=$(mktemp -d)
trap 'rm -rf "$words"' EXIT
export words
mapfile -t sources < <(find src -name '*.c' | sort)
printf '%s\0' "${sources[@]}" |
    xargs -0 -n 1 -P 2 bash -c 'tidy_file "$0" >"$words/${0//\//.}" || echo "refused: $0" >>"$words/${0//\//.}"'

clean() {
    ! grep -B 20 '^refused: ' "$words/${1//\//.}"
}

claim "there are sources to look at" [ ${#sources[@]} -gt 10 ]
for source in "${sources[@]}"; do
    claim "$source is tidy" clean "$source"
done
finish
