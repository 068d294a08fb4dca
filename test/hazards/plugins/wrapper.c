/* wrapper.c - a preload before the allocator, as recorders are: each call goes on to the next one.
 */
#include <dlfcn.h>
#include <stddef.h>

void *malloc(size_t bytes);
void free(void *ptr);
void *realloc(void *ptr, size_t bytes);

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *malloc(size_t bytes)
{
    static void *(*g_next)(size_t);
    if (g_next == NULL) {
        *(void **)&g_next = next("malloc");
    }
    return g_next(bytes);
}

void free(void *ptr)
{
    static void (*g_next)(void *);
    if (g_next == NULL) {
        *(void **)&g_next = next("free");
    }
    g_next(ptr);
}

void *realloc(void *ptr, size_t bytes)
{
    static void *(*g_next)(void *, size_t);
    if (g_next == NULL) {
        *(void **)&g_next = next("realloc");
    }
    return g_next(ptr, bytes);
}
