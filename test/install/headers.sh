# headers.sh - the public headers in every C and C++ that compilers speak, by each compiler.
. test/support/tap.sh
strict=(-pedantic-errors -Wall -Wextra -Wundef -Werror -Iinclude -fsyntax-only)

# speaks COMPILER LANGUAGE STANDARD HEADER
speaks() {
    "$1" -x "$2" -std="$3" "${strict[@]}" - <<END
#include <$4>
#include <$4>
int main(void);
int main(void) { return 0; }
END
}
for header in myalloc.h myalloc_live.h; do
    for standard in c89 c99 c11 c17 c2x; do
        for compiler in gcc clang; do
            claim "$compiler reads $header as $standard" speaks $compiler c $standard $header
        done
    done
    for standard in c++98 c++11 c++14 c++17 c++20; do
        claim "g++ reads $header as $standard" speaks g++ c++ $standard $header
    done
done

# Of the same bytes in all: offsets as C++ sees them, and as the library does.
offsets() {
    {
        printf '#include <stddef.h>\n#include <stdio.h>\n#include <myalloc_live.h>\n'
        printf 'int main() { printf("%%zu %%zu %%zu\\n", sizeof(struct myalloc_live), '
        printf 'offsetof(struct myalloc_live, events), offsetof(struct myalloc_live, chunks)); }\n'
    } | "$1" -x "$2" -std="$3" -Iinclude -o "$program" - && "$program"
}
program=$(mktemp)
trap 'rm -f "$program" "$program.h"' EXIT
claim "the live page has the same layout in C++17 and C11" equal \
    "$(offsets g++ c++ c++17)" "$(offsets gcc c c11)"
echo 'typedef _Atomic int number; // one' >"$program.h"
strict+=(-I"${program%/*}")
refused "a header that is C11 only would be seen in C++" speaks g++ c++ c++17 "${program##*/}.h"
refused "and in C89" speaks gcc c c89 "${program##*/}.h"
finish
