# c_compilers.sh - gcc -O2 and g++ on real sources: the object files are the same, bit for bit.
. test/support/scene.sh
programs=(gcc g++ as ld ar objdump)
children=(cc1 cc1plus collect2)

scene() {
    cp "$PROJECT"/test/support/*.c "$PROJECT"/test/stress/*.c .
    for source in *.c; do
        gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$PROJECT/test" -c "$source" || return
    done
    cat >templates.cc <<'SOURCE'
#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>
int main()
{
    std::map<std::string, std::vector<int>> map;
    for (int i = 0; i < 20000; i++) {
        map["key" + std::to_string(i % 977)].push_back(i * 31 % 1009);
    }
    long sum = 0;
    for (auto &entry : map) {
        std::sort(entry.second.begin(), entry.second.end());
        sum += entry.second.front() * 3 + entry.second.back();
    }
    std::regex pattern("(k)(e)(y)([0-9]+)");
    for (auto &entry : map) {
        sum += std::regex_match(entry.first, pattern);
    }
    std::cout << map.size() << ' ' << sum << '\n';
}
SOURCE
    g++ -O2 -c templates.cc && g++ -O2 -o templates templates.o && ./templates || return
    ar rcsD all.a ./*.o
    objdump -d templates.o | sha256sum
    sha256sum ./*.o all.a
    gcc -c -x c - <<<'int f(void) { return undeclared; }'
    [ $? -eq 1 ]
}
compare_scene
