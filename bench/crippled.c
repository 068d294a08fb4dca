/*
 * crippled.so: spoils the allocator behind it, so that `make bench-self` can show that the harness
 * notices. CRIPPLED=slow: every malloc spins for about 300 ns; leak: every eighth malloc loses a
 * written kilobyte; corrupt: now and then a byte of a block handed out before is flipped; crash:
 * the 10,000th malloc kills the process; wrong or no value: nothing is spoiled.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SPINS = 400, LEAK_BYTES = 1024, LEAK_EVERY = 8, CORRUPT_EVERY = 2048, CRASH_AT = 10000 };

enum mode { HARMLESS, SLOW, LEAK, CORRUPT, CRASH };

static struct {
    void *(*next_malloc)(size_t);
    enum mode mode;
    _Atomic(unsigned) calls;
    unsigned char *_Atomic victim; // to be corrupted by the next call
} g_crippled;

void *malloc(size_t bytes);

static enum mode mode_named(const char *name)
{
    static const char *const k_names[] = {"harmless", "slow", "leak", "corrupt", "crash"};
    for (size_t i = 0; name != NULL && i < sizeof k_names / sizeof k_names[0]; i++) {
        if (strcmp(name, k_names[i]) == 0) {
            return (enum mode)i;
        }
    }
    return HARMLESS;
}

static void find_next(void)
{
    *(void **)&g_crippled.next_malloc = dlsym(RTLD_NEXT, "malloc");
    g_crippled.mode = mode_named(getenv("CRIPPLED"));
}

static void spin(void)
{
    for (volatile unsigned i = 0; i < SPINS; i++) {
    }
}

static void spoil(unsigned call, unsigned char *block, size_t bytes)
{
    switch (g_crippled.mode) {
    case SLOW:
        spin();
        break;
    case LEAK:
        if (call % LEAK_EVERY == 0) {
            void *lost = g_crippled.next_malloc(LEAK_BYTES);
            if (lost != NULL) {
                memset(lost, 1, LEAK_BYTES);
            }
        }
        break;
    case CORRUPT: {
        unsigned char *victim = atomic_exchange(&g_crippled.victim, NULL);
        if (victim != NULL) {
            *victim ^= 0xff;
        }
        if (call % CORRUPT_EVERY == 0 && bytes > 0) {
            atomic_store(&g_crippled.victim, block);
        }
        break;
    }
    case CRASH:
        if (call == CRASH_AT) {
            abort();
        }
        break;
    case HARMLESS:
        break;
    }
}

__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
    if (g_crippled.next_malloc == NULL) {
        find_next();
    }
    void *block = g_crippled.next_malloc(bytes);
    unsigned call = atomic_fetch_add_explicit(&g_crippled.calls, 1, memory_order_relaxed);
    if (block != NULL) {
        spoil(call, block, bytes);
    }
    return block;
}
