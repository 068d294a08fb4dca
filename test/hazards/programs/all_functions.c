/* all_functions.c [BYTES_MAX] - one use of every function that gives, resizes or frees blocks. */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const size_t g_sizes[] = {24, 1000, 5000, 30000, 200000, 2000000};

static int use_size(size_t bytes)
{
    void *posix = NULL;
    int failed = posix_memalign(&posix, 64, bytes);
    void *blocks[] = {malloc(bytes),
                      calloc(2, bytes),
                      realloc(malloc(10), bytes),
                      reallocarray(NULL, 3, bytes),
                      aligned_alloc(128, (bytes + 127) / 128 * 128),
                      memalign(256, bytes),
                      valloc(bytes),
                      pvalloc(bytes),
                      posix};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (blocks[i] == NULL || malloc_usable_size(blocks[i]) < bytes) {
            failed++;
            continue;
        }
        memset(blocks[i], 1, malloc_usable_size(blocks[i]));
        blocks[i] = realloc(blocks[i], bytes + 100);
        free(blocks[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    size_t bytes_max = argc > 1 ? strtoul(argv[1], NULL, 10) : SIZE_MAX;
    int failed = 0;
    for (size_t i = 0; i < sizeof g_sizes / sizeof g_sizes[0]; i++) {
        failed += g_sizes[i] <= bytes_max ? use_size(g_sizes[i]) : 0;
    }
    malloc_trim(0);
    return failed == 0 ? 0 : 1;
}
