/* large.c - blocks that are spans of their own.
 *
 * Owns:       the map entries of LARGE and PLACED spans.
 * Threads:    any; concurrent calls for one block are a bug of the program.
 * Locks:      takes none; span.c below takes LOCK_PAGE_HEAP.
 * Invariants: LARGE-1  usable_bytes is whole pages, at most the bytes of the span; for a placed
 *                      block, it is the block size of its size class.
 */
#include "core/large.h"

#include "pages/limit.h"
#include "pages/page_heap.h"
#include "pages/span.h"
#include "base/check.h"
#include "base/os.h"
#include "base/live.h"

#define SLACK_SHARE 4 // a block that shrinks, or has room to grow, keeps up to a quarter unused

static size_t chunks_for(size_t bytes)
{
    ASSERT(bytes != 0);
    return (bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
}

// Whole pages, but no more than the span: a page may be larger than a chunk.
static size_t usable_for(size_t bytes)
{
    return min_size(align_up(bytes, os_page_bytes()), chunks_for(bytes) << CHUNK_SHIFT);
}

static void large_mark(struct chunk *head, size_t length, size_t bytes)
{
    RELAXED_STORE(head->length, (uint32_t)length);
    RELAXED_STORE(head->usable_bytes, usable_for(bytes));
    ASSERT(head->usable_bytes >= bytes);                               // LARGE-1
    ASSERT(head->usable_bytes <= (size_t)head->length << CHUNK_SHIFT); // LARGE-1
    page_map_mark_body(head, length);
    chunk_set_state(head, CHUNK_LARGE);
}

static void *make_block(size_t index, size_t length, size_t bytes)
{
    if (index == 0) {
        return NULL;
    }
    large_mark(page_map_entry(index), length, bytes);
    limit_count(0, length << CHUNK_SHIFT);
    live_count();
    return page_map_address(index);
}

static void *take_span(size_t bytes, size_t alignment, bool *clean)
{
    size_t length = chunks_for(bytes);
    bool is_dense = bytes >= HUGE_PAGE_BLOCK_MIN && alignment <= CHUNK_BYTES && !*clean;
    size_t index = is_dense
                       ? page_heap_allocate_dense(length, clean)
                       : page_heap_allocate(length, max_size(alignment >> CHUNK_SHIFT, 1), clean);
    return make_block(index, length, bytes);
}

void *large_allocate(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(bytes != 0);
    return take_span(bytes, alignment, clean);
}

void *large_allocate_growing(size_t bytes, size_t roomy_bytes)
{
    bool clean;
    ASSERT(bytes <= roomy_bytes);
    size_t length = chunks_for(roomy_bytes);
    return make_block(page_heap_allocate_dense(length, &clean), length, bytes);
}

void *large_allocate_placed(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(bytes != 0);
    void *ptr = take_span(bytes, alignment, clean);
    if (ptr != NULL) {
        struct chunk *head = page_map_entry(page_map_find(ptr));
        RELAXED_STORE(head->usable_bytes, bytes);
        chunk_set_state(head, CHUNK_PLACED);
    }
    return ptr;
}

void large_free(struct chunk *head)
{
    ASSERT(chunk_state(head) == CHUNK_LARGE || chunk_state(head) == CHUNK_PLACED);
    size_t length = head->length;
    limit_count(length << CHUNK_SHIFT, 0);
    // Until span.c marks it free it is a body without a head, so that a double free is detected.
    RELAXED_STORE(head->head_distance, 0);
    chunk_set_state(head, CHUNK_BODY);
    page_heap_free_late(page_map_index(head), length);
}

bool large_resize(struct chunk *head, size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(chunk_state(head) == CHUNK_LARGE);
    size_t index = page_map_index(head);
    size_t old_length = head->length;
    size_t length = chunks_for(bytes);
    bool clean = false;
    if (length > old_length && !span_extend(index, old_length, length - old_length, &clean)) {
        return false;
    }
    if (length <= old_length && old_length - length <= old_length / SLACK_SHARE) {
        RELAXED_STORE(head->usable_bytes,
                      usable_for(bytes)); // LARGE-1; the rest is kept to grow into
        return true;
    }
    limit_count(old_length << CHUNK_SHIFT, length << CHUNK_SHIFT);
    large_mark(head, length, bytes);
    if (length < old_length) {
        page_heap_free(index + length, old_length - length);
    }
    return true;
}
