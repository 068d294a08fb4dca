/* h7_startup.c - malloc before any constructor, and other people's mmap that allocates. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support/blocks.h"
#include "support/harness.h"

static void *g_before_constructors;

static void allocate_before_constructors(void)
{
    g_before_constructors = malloc(100);
    memset(g_before_constructors, 7, 100);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const g_preinit)(void) = allocate_before_constructors;

/* The interposer that some tools bring: finds the real function with dlsym, allocates on the way.
 */
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    typedef void *mmap_fn(void *, size_t, int, int, int, off_t);
    mmap_fn *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "mmap");
    free(calloc(1, 100));
    return real(address, bytes, protection, flags, fd, offset);
}

TEST(blocks_from_before_the_constructors_are_ordinary)
{
    REQUIRE(g_before_constructors != NULL);
    for (size_t i = 0; i < 100; i++) {
        REQUIRE_EQUAL(((char *)g_before_constructors)[i], 7);
    }
    g_before_constructors = realloc(g_before_constructors, 5000);
    REQUIRE(g_before_constructors != NULL);
    free(g_before_constructors);
}

TEST(an_interposed_mmap_may_allocate)
{
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < g_tier_size_count; i++) {
            void *block = malloc(g_tier_sizes[i]);
            REQUIRE(block != NULL);
            block_fill(block, g_tier_sizes[i], 1);
            free(block);
        }
    }
    void *mapping = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapping != MAP_FAILED);
}
