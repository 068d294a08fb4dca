# tidy.sh - clang-tidy finds nothing in the library. A file that passed is read again when it, a
# header or the rules change.
. test/support/tap.sh
passed=build/tidy
mkdir -p "$passed"
rules=$(find src include .clang-tidy -name '*.h' -o -name .clang-tidy | sort | xargs sha256sum)
export passed rules

tidy_file() {
    local stamp
    stamp=$passed/$( (echo "$rules" && cat "$1") | sha256sum | cut -d' ' -f1)
    [ -e "$stamp" ] || {
        clang-tidy --quiet "$1" -- -std=c11 -D_GNU_SOURCE -Isrc -Iinclude 2>/dev/null &&
            touch "$stamp"
    }
}

# The words about a file go to a file of their own, closed by a line when it is refused.
words=$(mktemp -d)
trap 'rm -rf "$words"' EXIT
note_words() {
    tidy_file "$1" >"$words/${1//\//.}" || echo "refused: $1" >>"$words/${1//\//.}"
}
export words
export -f tidy_file note_words
mapfile -t sources < <(find src -name '*.c' | sort)
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P 2 bash -c 'note_words "$0"'

clean() {
    ! grep -B 20 '^refused: ' "$words/${1//\//.}"
}

claim "there are sources to look at" [ ${#sources[@]} -gt 10 ]
for source in "${sources[@]}"; do
    claim "$source is tidy" clean "$source"
done
finish
