# clang.sh - clang and lld: many small objects, a build by make
# needs: clang clang++ ld.lld make
# packages: clang lld make
# serves: clang++ ld.lld make
# timeout: 90
for ((i = 0; i < 6; i++)); do
    echo "#include <string>
    #include <vector>
    int f$i() { std::vector<std::string> v;
    for (int i = 0; i < 99; i++) v.push_back(std::to_string(i));
    return (int)v.size() + $i; }" >f$i.cc
done
echo 'int f0(), f1(), f2(), f3(), f4(), f5(); int puts_int(int);
#include <cstdio>
int main() { printf("%d\n", f0() + f1() + f2() + f3() + f4() + f5()); }' >main.cc
{
    printf 'program: main.o f0.o f1.o f2.o f3.o f4.o f5.o\n\t@clang++ -fuse-ld=lld -o $@ $^\n'
    printf '%%.o: %%.cc\n\t@clang++ -O1 -c $<\n'
} >Makefile
run make -s -j2
run ./program
