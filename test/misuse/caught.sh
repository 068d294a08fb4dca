# caught.sh - of the catalogue of misuse, what the library always catches, and that it is the
# library that says so.
. test/support/tap.sh
table=$(mktemp)
trap 'rm -f "$table"' EXIT

catalogue() {
    python3 test/misuse/run.py --allocators myalloc --repeat 3 --reasons --at-least 77 \
        >"$table" 2>&1 || { cat "$table" && false; }
}

all_run() {
    grep -q '^caught of ' "$table" && ! grep '^not run' "$table"
}

# told CASE SIZE MESSAGE - each run of the case with a block of the size ended by the message.
told() {
    local ended
    ended=$(grep -E "^  . $1 $2: " "$table")
    [[ $ended == "  + $1 $2: signal 6 myalloc: fatal: $3 "* ]] || { echo "$ended" && false; }
}

claim "the catalogue runs, 77 of its 116 runs are caught" catalogue
claim "every case of it runs" all_run
for size in small medium large; do
    claim "invalid_free, $size" told invalid_free $size "free of an invalid pointer:"
    claim "invalid_free_alloca, $size" told invalid_free_alloca $size "free of an invalid pointer:"
    claim "invalid_free_stack, $size" told invalid_free_stack $size "free of an invalid pointer:"
done
for size in medium large; do
    for case in double_free double_free_delayed double_free_interleaved; do
        claim "$case, $size" told $case $size "double free of"
    done
    claim "invalid_free_unaligned, $size" told invalid_free_unaligned $size \
        "free of a misaligned pointer:"
    claim "invalid_free_close, $size" told invalid_free_close $size "free of a pointer inside"
done
finish
