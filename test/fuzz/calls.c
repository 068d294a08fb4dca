/* calls.c - any sequence of calls of the family, by two threads in turn, with failures injected.
 *
 * Two bytes choose a call and its slot, two to four its size. What is in a slot is compared with
 * what was written there; NULL is accepted from the first injected failure on.
 */
#include "support/subject_archive.h"

#include "front/report.h"
#include "base/os.h"
#include "fuzz/fuzz.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { SLOTS = 64, EDGE_BYTES = 64, CALLS_MAX = 400 };

static struct {
    struct {
        unsigned char *at;
        size_t bytes;
        unsigned char fill;
    } slots[SLOTS];
    struct choices from;
    bool may_fail;
    unsigned calls;
} g_span;

static size_t edge(size_t bytes)
{
    return bytes < EDGE_BYTES ? bytes : EDGE_BYTES;
}

static void require_filled(const unsigned char *at, size_t bytes, unsigned char fill)
{
    for (size_t i = 0; i < bytes; i++) {
        REQUIRE(at[i] == fill);
    }
}

static void verify(size_t slot)
{
    unsigned char *at = g_span.slots[slot].at;
    size_t bytes = g_span.slots[slot].bytes;
    require_filled(at, edge(bytes), g_span.slots[slot].fill);
    require_filled(at + bytes - edge(bytes), edge(bytes), g_span.slots[slot].fill);
    REQUIRE(malloc_usable_size(at) >= bytes);
}

static void keep(size_t slot, unsigned char *at, size_t bytes)
{
    static unsigned char g_fill;
    REQUIRE(at != NULL || g_span.may_fail);
    g_span.slots[slot].at = at;
    g_span.slots[slot].bytes = bytes;
    g_span.slots[slot].fill = ++g_fill;
    if (at != NULL) {
        REQUIRE((uintptr_t)at % 16 == 0);
        memset(at, g_fill, edge(bytes));
        memset(at + bytes - edge(bytes), g_fill, edge(bytes));
    }
}

static void release(size_t slot)
{
    if (g_span.slots[slot].at != NULL) {
        verify(slot);
        free(g_span.slots[slot].at);
        g_span.slots[slot].at = NULL;
    }
}

static size_t choose_size(unsigned how)
{
    return how % 8 < 5   ? choose(&g_span.from, 2) % 1100
           : how % 8 < 7 ? choose(&g_span.from, 2)
                         : choose(&g_span.from, 3) % (3u << 20);
}

static void take(size_t slot, unsigned call, size_t bytes)
{
    size_t alignment = (size_t)8 << choose(&g_span.from, 1) % 14;
    void *at = NULL;
    release(slot);
    switch (call) {
    case 0:
        at = calloc(1, bytes);
        if (at != NULL) {
            require_filled(at, bytes, 0);
        }
        break;
    case 1:
        at = memalign(alignment, bytes);
        REQUIRE((uintptr_t)at % alignment == 0);
        break;
    case 2:
        REQUIRE((posix_memalign(&at, alignment, bytes) == 0) == (at != NULL));
        REQUIRE((uintptr_t)at % alignment == 0);
        break;
    case 3:
        at = choose(&g_span.from, 1) % 2 == 0 ? valloc(bytes) : pvalloc(bytes);
        REQUIRE((uintptr_t)at % 4096 == 0);
        break;
    default:
        at = malloc(bytes);
        break;
    }
    keep(slot, at, bytes);
}

static void resize(size_t slot, size_t bytes)
{
    size_t old_bytes = g_span.slots[slot].bytes;
    unsigned char *at = g_span.slots[slot].at;
    if (at == NULL) {
        return;
    }
    verify(slot);
    unsigned char *moved = realloc(at, bytes + 1);
    if (moved == NULL) {
        REQUIRE(g_span.may_fail);
        verify(slot);
        return;
    }
    require_filled(moved, edge(old_bytes < bytes + 1 ? old_bytes : bytes + 1),
                   g_span.slots[slot].fill);
    keep(slot, moved, bytes + 1);
}

static void rare(unsigned which)
{
    switch (which % 8) {
    case 0:
        malloc_trim(0);
        break;
    case 1:
        (void)api_mallinfo2();
        break;
    case 2:
        api_mallopt(M_MMAP_THRESHOLD, (int)(65536u << choose(&g_span.from, 1) % 8));
        break;
    case 3:
        api_mallopt(M_TRIM_THRESHOLD, (int)(65536u << choose(&g_span.from, 1) % 8));
        break;
    case 4:
    case 5:
        g_span.may_fail = true;
        os_fail_after((long)(choose(&g_span.from, 1) % 16) + 1);
        break;
    case 6:
        g_span.may_fail = true;
        os_fail_after(-(long)(choose(&g_span.from, 1) % 16) - 1);
        break;
    default:
        os_fail_after(0);
        break;
    }
}

static void call(void)
{
    unsigned which = choose(&g_span.from, 1);
    size_t slot = choose(&g_span.from, 1) % SLOTS;
    switch (which % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        take(slot, which % 16, choose_size(which / 16));
        break;
    case 7:
    case 8:
        resize(slot, choose_size(which / 16));
        break;
    case 9:
        rare(which / 16);
        break;
    case 10: // a burst, to fill and empty slabs
        for (size_t i = 0; i < SLOTS; i++) {
            take(i, 6, 16 * (which / 16 + 1));
        }
        break;
    case 11:
        for (size_t i = slot; i < SLOTS; i++) {
            release(i);
        }
        break;
    default:
        release(slot);
        break;
    }
}

/* Runs until the input says: the other thread. */
static void *run_turn(void *unused)
{
    unsigned count = 1 + choose(&g_span.from, 1);
    while (count-- != 0 && g_span.from.at < g_span.from.end && g_span.calls++ < CALLS_MAX) {
        call();
    }
    return unused;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_span.from = (struct choices){data, data + bytes};
    g_span.may_fail = false;
    g_span.calls = 0;
    while (g_span.from.at < g_span.from.end && g_span.calls < CALLS_MAX) {
        pthread_t thread;
        (void)run_turn(NULL);
        if (pthread_create(&thread, NULL, run_turn, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    os_fail_after(0);
    for (size_t i = 0; i < SLOTS; i++) {
        release(i);
    }
    return 0;
}
