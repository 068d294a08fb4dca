/* test_walk.c - a walk at the moments that threads leave to chance. */
#include "inspect/walk.h"
#include "pages/span.h"
#include "core/large.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>

enum { SPAN = 20 };

static void start(void)
{
    cr_assert(span_start(true));
}

static void *take_marked(size_t chunks)
{
    bool clean;
    void *block = large_allocate(chunks * CHUNK_BYTES, 16, &clean);
    cr_assert_not_null(block);
    return block;
}

static void give(void *block, size_t chunks)
{
    span_free(page_map_find(block), chunks);
}

static bool is_told(const void *wanted)
{
    struct walk *walk = walk_begin();
    struct myalloc_block block;
    bool found = false;
    cr_assert_not_null(walk);
    while (walk_next(walk, &block)) {
        found |= block.address == wanted && block.state == MYALLOC_IN_USE;
    }
    return found;
}

/* The middle of a span that is taken and not yet marked shows what stood there: the first entry of
 * a span that was free once, and reached beyond blocks of today. */
Test(walk, a_span_that_is_taken_but_not_marked_hides_no_block, .init = start)
{
    give(take_marked(4 * SPAN), 4 * SPAN);
    void *first = take_marked(SPAN);
    void *second = take_marked(SPAN);
    give(second, SPAN); // a free span begins in the middle
    give(first, SPAN);  // and is joined with what is before it
    bool clean;
    cr_assert_eq(span_allocate(2 * SPAN, 1, true, &clean), page_map_find(first));
    void *kept = take_marked(1);
    cr_assert_gt(kept, second);
    cr_assert(is_told(kept));
}
