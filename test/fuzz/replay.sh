# replay.sh - the corpus of each fuzzer, then runs with a fixed seed: no crash, no broken claim.
. test/support/tap.sh

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# replay NAME RUNS - what libFuzzer says is shown when it fails.
replay() {
    test "$(ls test/fuzz/corpus/"$1" | wc -l)" -ge 5 &&
        "$FUZZERS/$1" -close_fd_mask=3 -seed=1 -runs="$2" -artifact_prefix="$logs/" \
            -print_final_stats=1 "$logs" test/fuzz/corpus/"$1" 2>"$logs/$1" ||
        { grep -v '^#' "$logs/$1" | tail -n 20 && false; }
}

for fuzzer in options trace live_page calls; do
    claim "$fuzzer: corpus and 3000 more" replay $fuzzer 3000
done
finish
