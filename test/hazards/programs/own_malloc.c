/* own_malloc.c - a program that carries its own malloc, free, calloc and realloc: the preload must
 * lie dormant, and whatever else it exports must hand out blocks of this allocator. */
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_BYTES = 16, POOL_BYTES = 64 << 20 };

static _Alignas(16) char g_pool[POOL_BYTES];
static size_t g_used_bytes;
static size_t g_foreign_frees;

static bool is_own(const void *ptr)
{
    return (const char *)ptr >= g_pool && (const char *)ptr < g_pool + POOL_BYTES;
}

void *malloc(size_t bytes)
{
    size_t needed = (bytes + HEADER_BYTES + 15) / 16 * 16;
    if (needed < bytes || needed > POOL_BYTES - g_used_bytes) {
        return NULL;
    }
    char *block = g_pool + g_used_bytes;
    g_used_bytes += needed;
    memcpy(block, &bytes, sizeof bytes);
    return block + HEADER_BYTES;
}

void free(void *ptr)
{
    g_foreign_frees += ptr != NULL && !is_own(ptr) ? 1 : 0;
}

void *calloc(size_t count, size_t bytes)
{
    return malloc(count * bytes);
}

void *realloc(void *ptr, size_t bytes)
{
    void *block = malloc(bytes);
    if (block != NULL && ptr != NULL) {
        size_t old_bytes = 0;
        memcpy(&old_bytes, (char *)ptr - HEADER_BYTES, sizeof old_bytes);
        memcpy(block, ptr, old_bytes < bytes ? old_bytes : bytes);
    }
    return block;
}

static bool libc_uses_own(void)
{
    char *copy = strdup("a");
    char *printed = NULL;
    bool printed_own = asprintf(&printed, "%d", 42) > 0 && is_own(printed);
    void *array = reallocarray(NULL, 10, 10);
    bool all_own = is_own(copy) && printed_own && is_own(array);
    free(copy);
    free(printed);
    free(array);
    return all_own;
}

/* Blocks of the functions that this program does not define must suit its own free. */
static bool aligned_blocks_suit(void)
{
    void *block = aligned_alloc(64, 128);
    bool is_aligned = block != NULL && (uintptr_t)block % 64 == 0;
    if (block != NULL) {
        memset(block, 1, 128);
    }
    void *other = NULL;
    int error = posix_memalign(&other, 4096, 100);
    return is_aligned && error == 0 && (uintptr_t)other % 4096 == 0;
}

int main(void)
{
    if (!libc_uses_own() || g_foreign_frees != 0) {
        return 1;
    }
    if (!aligned_blocks_suit()) {
        return 2;
    }
    for (int i = 0; i < 10000; i++) {
        char *block = malloc((size_t)i % 3000);
        block = realloc(block, 100);
        free(block);
    }
    malloc_trim(0);
    return g_foreign_frees == 0 ? 0 : 3;
}
