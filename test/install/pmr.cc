/* pmr.cc - containers in a pool, by myalloc_pmr.hpp. Tells what fails, one line each; 0: nothing.
 */
#include <myalloc_pmr.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <list>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace
{

int g_failures;

void require(bool holds, const char *claim)
{
    if (!holds) {
        g_failures++;
        std::printf("%s\n", claim);
    }
}

struct myalloc_pool_stats stats_of(const myalloc::pool_resource &resource)
{
    struct myalloc_pool_stats stats;
    require(myalloc_pool_stats(resource.pool(), &stats, sizeof stats) == 0, "a pool has numbers");
    return stats;
}

template <class Function> bool throws(Function function)
{
    try {
        function();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void containers()
{
    myalloc::pool_resource resource;
    {
        std::pmr::vector<std::pmr::string> words(&resource);
        std::pmr::unordered_map<int, std::pmr::string> table(&resource);
        std::pmr::map<int, int> tree(&resource);
        for (int i = 0; i < 20000; i++) {
            words.emplace_back(static_cast<std::size_t>(i % 100), 'x');
            table[i] = std::pmr::string("a string that is no short one " + std::to_string(i));
            tree[i * 7919 % 20011] = i;
        }
        for (int i = 0; i < 20000; i += 3) {
            table.erase(i);
        }
        std::size_t length = 0;
        for (const auto &word : words) {
            length += word.size();
        }
        require(length == 990000 && tree.size() == 20000, "containers keep what is in them");
        require(table.at(19999) == "a string that is no short one 19999", "a table, too");
        require(stats_of(resource).used > 2000000, "the pool has their blocks");
        require(myalloc_owns(words.data()) == 0, "malloc has not");
    }
    require(stats_of(resource).used == 0 && stats_of(resource).blocks == 0,
            "all blocks come back to the pool");
}

struct alignas(1024) wide {
    char bytes[1024];
};

void alignments()
{
    myalloc::pool_resource resource;
    std::pmr::list<wide> list(&resource);
    for (int i = 0; i < 100; i++) {
        const wide *last = &list.emplace_back();
        require(reinterpret_cast<std::uintptr_t>(last) % 1024 == 0, "a node is aligned");
    }
    void *page = resource.allocate(10, 1 << 20);
    require(reinterpret_cast<std::uintptr_t>(page) % (1 << 20) == 0, "a block is aligned to 1 MiB");
    resource.deallocate(page, 10, 1 << 20);
}

void ends()
{
    myalloc::pool_resource resource(0, MYALLOC_POOL_ONE_THREAD);
    for (int i = 0; i < 1000; i++) {
        std::memset(resource.allocate(100), i, 100);
    }
    std::size_t held = stats_of(resource).held;
    resource.release();
    require(stats_of(resource).blocks == 0, "release frees all blocks");
    require(stats_of(resource).held == held, "and keeps the memory");
    require(throws([&] { (void)resource.allocate(SIZE_MAX / 2); }), "no memory is bad_alloc");
    require(throws([] { myalloc::pool_resource wrong(0, 64); }), "an unknown flag is bad_alloc");
    myalloc::pool_resource fixed(64);
    require(!throws([&] { (void)fixed.allocate(64); }), "a fixed size is served");
    require(throws([&] { (void)fixed.allocate(65); }), "a longer one is bad_alloc");
    require(resource == resource && !(resource == fixed), "only a resource is equal to itself");
}

void threads()
{
    myalloc::pool_resource resource;
    std::vector<std::thread> running;
    for (int t = 0; t < 4; t++) {
        running.emplace_back([&resource, t] {
            for (int round = 0; round < 50; round++) {
                std::pmr::list<int> list(&resource);
                for (int i = 0; i < 500; i++) {
                    list.push_back(t);
                }
                for (int value : list) {
                    require(value == t, "a thread keeps what is its own");
                }
            }
        });
    }
    for (auto &thread : running) {
        thread.join();
    }
    require(stats_of(resource).blocks == 0, "all blocks of threads come back");
}

} // namespace

int main()
{
    containers();
    alignments();
    ends();
    threads();
    return g_failures != 0;
}
