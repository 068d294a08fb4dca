// operator_delete.cc - a program that replaces only the basic operators, with a header of its own:
// sized, array and nothrow forms must still come back to it.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>

static const std::size_t HEADER_BYTES = 16;
static long g_live;

void *operator new(std::size_t bytes)
{
    char *block = static_cast<char *>(std::malloc(bytes + HEADER_BYTES));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    g_live++;
    return block + HEADER_BYTES;
}

void operator delete(void *ptr) noexcept
{
    if (ptr != nullptr) {
        g_live--;
        std::free(static_cast<char *>(ptr) - HEADER_BYTES);
    }
}

struct shape {
    virtual ~shape() = default;
    char data[100];
};

static void use_containers()
{
    std::map<std::string, std::vector<int>> map;
    for (int i = 0; i < 3000; i++) {
        map[std::string(static_cast<std::size_t>(i % 90), 'x') + std::to_string(i)].resize(
            static_cast<std::size_t>(i));
    }
}

static void use_forms()
{
    for (int i = 0; i < 1000; i++) {
        delete new shape;
        delete[] new shape[3];
        delete new (std::nothrow) int(7);
        delete[] new (std::nothrow) char[2000];
        ::operator delete(::operator new(40), static_cast<std::size_t>(40));
    }
}

int main()
{
    use_containers();
    use_forms();
    std::printf("live %ld\n", g_live);
    return g_live == 0 ? 0 : 1;
}
