/* test_page_heap.c - what slabs and large blocks get their spans from. */
#include "pages/page_heap.h"
#include "base/config.h"
#include "base/os.h"
#include "pages/huge.h"
#include "pages/limit.h"
#include "pages/page_map.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <string.h>

static void start(void)
{
    cr_assert(span_start(true));
}

static size_t take(size_t length)
{
    bool clean = false;
    size_t index = page_heap_allocate(length, 1, &clean);
    cr_assert_neq(index, 0);
    memset(page_map_address(index), 1, length << CHUNK_SHIFT);
    return index;
}

/* Who frees a block twice, or uses it afterwards, must not meet its next owner at once. */
Test(page_heap, a_span_freed_late_waits_until_others_follow, .init = start)
{
    size_t first = take(4);
    take(4);
    page_heap_free_late(first, 4);
    cr_assert_eq(span_stats().used_chunks, 8);
    cr_assert(page_heap_free_waiting());
    cr_assert_eq(span_stats().used_chunks, 4);
    cr_assert_not(page_heap_free_waiting());
}

/* PAGE_HEAP-2: a heap must not be kept up by what waits. */
Test(page_heap, what_waits_is_little, .init = start)
{
    enum { SPANS = 32, LENGTH = 12 };
    size_t spans[SPANS];
    for (int i = 0; i < SPANS; i++) {
        spans[i] = take(LENGTH);
    }
    size_t used = 0;
    for (int i = 0; i < SPANS; i++) {
        page_heap_free_late(spans[i], LENGTH);
        used += LENGTH;
        size_t waiting = span_stats().used_chunks - (SPANS * LENGTH - used);
        cr_assert_leq(waiting << CHUNK_SHIFT, 512 * 1024);
    }
    size_t big = take(256);
    page_heap_free_late(big, 256);
    cr_assert_eq(span_stats().used_chunks, 0);
}

/* PAGE_HEAP-1: a mapping that is cached for later must not make a request of now fail. */
Test(page_heap, cached_mappings_go_before_memory_is_refused, .init = start)
{
    bool clean = false;
    limit_set(1 << 20);                                // freed blocks stay huge
    void *other = huge_allocate(64 << 20, 16, &clean); // with little in use, nothing is cached
    cr_assert_not_null(other);
    void *block = huge_allocate(4 << 20, 16, &clean);
    cr_assert_not_null(block);
    cr_assert(huge_free(block));
    if (CONFIG_TINY) {
        cr_skip_test("a tiny build keeps no mapping");
    }
    cr_assert(huge_caches());
    os_fail_after(-1);
    size_t index = page_heap_allocate((size_t)1 << 16, 1, &clean);
    os_fail_after(0);
    cr_assert_eq(index, 0);
    cr_assert_not(huge_caches());
}
