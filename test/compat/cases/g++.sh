# g++.sh - g++: templates, exceptions, operator delete with sizes, threads
# needs: g++
# packages: g++
# serves: cc1plus g++ program
# timeout: 90
cat >a.cc <<'SOURCE'
#include <algorithm>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
struct alignas(64) Line { char bytes[64]; };
int work(int seed) {
    std::map<int, std::string> table;
    for (int i = 0; i < 20000; i++) table[i * seed % 3001] += std::to_string(i);
    int sum = 0;
    for (auto &[key, text] : table) sum += int(text.size());
    auto lines = std::make_unique<Line[]>(100);
    return sum + (reinterpret_cast<unsigned long>(lines.get()) % 64 == 0);
}
int main() {
    std::vector<std::future<int>> results;
    for (int i = 1; i < 7; i++) results.push_back(std::async(std::launch::async, work, i));
    for (auto &result : results) std::cout << result.get() << '\n';
    try { throw std::runtime_error(std::string(500, 'x')); }
    catch (const std::exception &e) { std::cout << std::string(e.what()).size() << '\n'; }
    try { std::cout << std::vector<char>(1UL << 60).size(); }
    catch (const std::bad_alloc &) { std::cout << "bad_alloc\n"; }
    std::cout << std::regex_replace("a1b22c", std::regex("[0-9]+"), "-") << '\n';
}
SOURCE
run g++ -O2 -std=c++20 -o program a.cc -pthread
run ./program
