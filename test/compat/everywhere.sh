# everywhere.sh - the cases of the compat matrix whose programs the tests need anyway, under the
# library; one that is skipped counts as failed. `make compat` runs the others.
. test/support/tap.sh
table=$(mktemp)
trap 'rm -f "$table"' EXIT
cases=(bash coreutils dash perl python sort sqlite)

passes() {
    grep -Eq "^$1 +pass " "$table" || { grep "^  $1, " "$table" && false; }
}

matrix() {
    python3 test/compat/run.py --allocators myalloc "${cases[@]}" >"$table" 2>&1 ||
        { cat "$table" && false; }
}

claim "the matrix runs" matrix
for case in "${cases[@]}"; do
    claim "$case: as with glibc" passes "$case"
done
finish
