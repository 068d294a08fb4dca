# caught.sh - of the catalogue of misuse, what the library always catches, and that it is the
# library that says so.
. test/support/tap.sh
table=$(mktemp)
trap 'rm -f "$table"' EXIT

catalogue() {
    python3 test/misuse/run.py --allocators myalloc,myalloc:harden=1 --repeat 3 --reasons \
        --at-least 82,109 >"$table" 2>&1 || { cat "$table" && false; }
}

all_run() {
    grep -q '^caught of ' "$table" && ! grep '^not run' "$table"
}

# told CASE SIZE MESSAGE - by default each run of the case with a block of the size ended by the
# message.
told() {
    local ended
    ended=$(sed -n '/^myalloc$/,/^$/p' "$table" | grep -E "^  . $1 $2: ")
    [[ $ended == "  + $1 $2: signal 6 myalloc: fatal: $3 "* ]] || { echo "$ended" && false; }
}

# hardened CASE MESSAGE - so it is with harden:1, for small and medium blocks.
hardened() {
    local ended
    ended=$(sed -n '/^myalloc:harden=1$/,/^$/p' "$table" | grep -cE \
        "^  [+] $1 (small|medium): signal 6 myalloc: fatal: $2 ")
    equal "$ended" 2
}

claim "the catalogue runs: 82 of its 116 runs are caught, 109 with harden:1" catalogue
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
# The block behind it is among the first of the list: see SLAB_SPREAD_LINES.
claim "32_byte_memcpy_overflow, small" told 32_byte_memcpy_overflow small "corrupted free list at"
claim "harden:1: one_byte_overflow" hardened one_byte_overflow "write past the end of"
claim "harden:1: one_byte_underflow" hardened one_byte_underflow "write before the beginning of"
claim "harden:1: write_after_free" hardened write_after_free "write to a freed block:"
claim "harden:1: double_free_reuse" hardened double_free_reuse "double free of"
claim "harden:1: invalid_free_close" hardened invalid_free_close \
    "(free of a pointer inside a block:|double free of)"
finish
