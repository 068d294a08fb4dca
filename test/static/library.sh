# library.sh - the built library: its names, what it needs, and its fast path.
. test/support/tap.sh
claim "the exported names are those of the list" scripts/check_exports.sh "$LIB"
claim "no name is called that others may take" scripts/check_imports.sh "$LIB"
claim "malloc and free hit in as few instructions as before" scripts/check_fast_path.sh "$LIB"
claim "each restartable sequence is as the kernel asks for" scripts/check_sequences.sh "$LIB"
claim "an ordinary process runs no code of seldom_text" scripts/check_seldom.sh "$LIB"
finish
