# cross.sh - what the cross compiler made of the library: its sequences, its names, its length.
. test/support/tap.sh

names() {
    nm -D --defined-only "$1" | awk '{ print $3 }' | LC_ALL=C sort
}

same_names() {
    diff <(names "$LIB") <(names build/libmyalloc.so)
}

claim "each restartable sequence is as the kernel asks for" scripts/check_sequences.sh "$LIB"
claim "it exports what the library of x86-64 does" same_names
claim "its names are those of the list, its code within limits" scripts/check_exports.sh "$LIB"
finish
