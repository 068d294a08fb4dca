/* free_sized.c - C23 7.24.3.4 and 7.24.3.5, and the old cfree; Debian 12's glibc has none to link.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

typedef void free_sized_fn(void *ptr, size_t size);
typedef void free_aligned_sized_fn(void *ptr, size_t alignment, size_t size);
typedef void cfree_fn(void *ptr);

/* The function that NAME stands for; dlsym's pointer turned as POSIX shows it. */
static void find_function(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_DEFAULT, name);
    REQUIRE(*(void **)function != NULL);
}

TEST(free_sized_frees_every_tier_and_keeps_errno)
{
    ONLY_LIBRARY();
    free_sized_fn *sized = NULL;
    find_function("free_sized", &sized);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        errno = 77;
        sized(block, g_tier_sizes[i]);
        REQUIRE_EQUAL(errno, 77);
    }
    sized(NULL, 0);
    sized(NULL, 100);
}

TEST(free_sized_with_a_wrong_size_frees_by_the_real_one)
{
    ONLY_LIBRARY();
    free_sized_fn *sized = NULL;
    find_function("free_sized", &sized);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        sized(block, 40);
        void *next = malloc(g_tier_sizes[i]);
        REQUIRE(next != NULL);
        block_fill(next, g_tier_sizes[i], 1);
        free(next);
    }
}

TEST(free_aligned_sized_frees_aligned_blocks)
{
    ONLY_LIBRARY();
    free_aligned_sized_fn *aligned_sized = NULL;
    find_function("free_aligned_sized", &aligned_sized);
    for (size_t alignment = 16; alignment <= MIB; alignment *= 4) {
        void *block = aligned_alloc(alignment, alignment);
        REQUIRE(block != NULL);
        aligned_sized(block, alignment, alignment);
    }
    aligned_sized(NULL, 16, 16);
}

TEST(cfree_frees)
{
    ONLY_LIBRARY();
    cfree_fn *old_free = NULL;
    find_function("cfree", &old_free);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        old_free(block);
    }
    old_free(NULL);
}
