# pmr.sh - myalloc_pmr.hpp: what reads it, and containers that lie in pools.
. test/support/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-O0 -pedantic-errors -Wall -Wextra -Wconversion -Werror -Iinclude)

# runs COMPILER ARGUMENT... - the program, linked with the library as it was built.
ln -s "$PWD/build/libmyalloc.so" "$work/libmyalloc.so.0"
runs() {
    "$1" "${flags[@]}" "${@:2}" test/install/pmr.cc -o "$work/program" "$work/libmyalloc.so.0" \
        -pthread && equal "$(LD_LIBRARY_PATH=$work "$work/program" 2>&1)" ""
}
claim "containers lie in pools: g++, C++17" runs g++ -std=c++17
claim "and by clang++" runs clang++ -std=c++17

# reads COMPILER ARGUMENT... - the header alone.
reads() {
    "$1" "${flags[@]}" "${@:2}" -fsyntax-only -x c++ - <<<'#include <myalloc_pmr.hpp>' 2>&1
}
claim "it is read as C++20" reads g++ -std=c++20
claim "and without the types of classes" reads g++ -std=c++17 -fno-rtti
claim "an older C++ is told so" grep -q 'error: .*myalloc_pmr.hpp needs C++17' \
    <(reads g++ -std=c++14)
claim "a block freed twice ends the program" eval \
    "'$work/program' >/dev/null; printf '%s' '
    #include <myalloc_pmr.hpp>
    int main() { myalloc::pool_resource r; void *b = r.allocate(40); (void)r.allocate(40);
    r.deallocate(b, 40); r.deallocate(b, 40); }' >'$work/twice.cc' &&
    g++ -std=c++17 -Iinclude '$work/twice.cc' -o '$work/twice' '$work/libmyalloc.so.0' &&
    LD_LIBRARY_PATH='$work' '$work/twice' 2>&1 | grep -q 'myalloc: fatal: double free of 0x'"
finish
