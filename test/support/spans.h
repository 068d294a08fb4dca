/* spans.h - for the unit tests of the page heap: takes spans as a program does that writes to all
 * of its memory.
 */
#ifndef TEST_SUPPORT_SPANS_H
#define TEST_SUPPORT_SPANS_H

#include "base/config.h"
#include "pages/page_map.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <string.h>

#define MIB ((size_t)1024 * 1024)

static inline void spans_start(void)
{
    cr_assert(span_start(true));
}

static inline size_t spans_take(size_t bytes)
{
    bool clean = false;
    size_t index = span_allocate(bytes >> CHUNK_SHIFT, 1, true, &clean);
    cr_assert_neq(index, 0);
    memset(page_map_address(index), 1, bytes);
    return index;
}

#endif
