/* span.c - spans: boundary tags in the page map, coalescing in O(1), dirty and clean memory.
 *
 * Owns:       every free chunk, LOCK_PAGE_HEAP.
 * Threads:    any.
 * Locks:      LOCK_PAGE_HEAP around everything, also around brk, mmap and one bounded madvise.
 * Invariants: SPAN-1  the first and last entries of a free span are CHUNK_FREE and hold its length.
 *             SPAN-2  two free spans are never adjacent.
 *             SPAN-3  a dirty bit is set only for free chunks; a free chunk without it is zero
 *                    (if a page is no larger than a chunk, and no purge was ever refused).
 * States:     NONE -> in use (growth);  in use -> FREE dirty -> FREE clean (purge);
 *             FREE -> in use (allocate);  FREE at the end -> NONE (trim).
 */
#include "pages/span.h"

#include "pages/dirty.h"
#include "pages/huge_pages.h"
#include "pages/page_fit.h"
#include "pages/units.h"
#include "base/lock.h"
#include "base/os.h"
#include "pages/page_map.h"
#include "base/live.h"
#include "base/options.h"

#define UNITS_LOOKS      32U
#define SPACE_CHUNKS_MIN 16 // a shorter free span is not worth splitting a mapping

static struct {
    struct lock lock;
    _Atomic(size_t) used_chunks;  // [atomic] written under LOCK_PAGE_HEAP
    _Atomic(size_t) dirty_chunks; // [atomic] written under LOCK_PAGE_HEAP
    _Atomic(size_t) end_chunks;   // [atomic] written under LOCK_PAGE_HEAP: free span at the end
    size_t used_chunks_max;       // [lock: LOCK_PAGE_HEAP] this and the rest
    size_t free_chunks, free_spans;
    size_t high_index; // chunks from this index on were never handed out
    size_t purges;
    struct span_refaults refaults;
    size_t searched; // searched for dirty chunks from the end of the region to here; 0: all of it
    bool has_stuck;  // a purge was refused: clean memory may hold old contents
} g_span = {.lock = LOCK_INIT(LOCK_PAGE_HEAP)};

// ---- counts ----

static void add_atomic(_Atomic(size_t) *counter, size_t more)
{
    size_t now = atomic_load_explicit(counter, memory_order_relaxed);
    ASSERT(now + more <= UINT32_MAX); // no counter underflows
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

static void count_used(size_t length)
{
    add_atomic(&g_span.used_chunks, length);
    g_span.used_chunks_max = max_size(g_span.used_chunks_max, span_used_bytes() >> CHUNK_SHIFT);
}

// ---- free spans ----

static bool is_free(size_t index)
{
    return index < page_map_count() && chunk_state(page_map_entry(index)) == CHUNK_FREE;
}

// Length of the free span at the end of the region.
static size_t end_span_length(void)
{
    size_t end = page_map_count();
    return end > 1 && is_free(end - 1) ? page_map_entry(end - 1)->length : 0;
}

static void note_end(void)
{
    atomic_store_explicit(&g_span.end_chunks, end_span_length(), memory_order_relaxed);
}

// Marks the chunks at both ends of a span, a page's worth at each: where a page is larger than a
// chunk, a purge examines the chunks around its range.
static void mark_ends(size_t index, size_t length, enum chunk_state state)
{
    ASSERT(length != 0);
    size_t edge = max_size(1, os_page_bytes() >> CHUNK_SHIFT);
    if (length <= 2 * edge) {
        page_map_mark(index, length, state);
    } else {
        page_map_mark(index, edge, state);
        page_map_mark(index + length - edge, edge, state);
    }
}

static void free_span_insert(size_t index, size_t length)
{
    ASSERT(index != 0);
    ASSERT(length != 0);
    ASSERT(index + length <= page_map_count());
    struct chunk *first = page_map_entry(index);
    struct chunk *last = first + length - 1;
    mark_ends(index, length, CHUNK_FREE); // SPAN-1
    RELAXED_STORE(first->length, (uint32_t)length);
    RELAXED_STORE(last->length, (uint32_t)length);
    page_fit_insert(index);
    g_span.free_chunks += length;
    g_span.free_spans++;
    note_end();
}

static void free_span_remove(size_t index)
{
    ASSERT(chunk_state(page_map_entry(index)) == CHUNK_FREE);
    ASSERT(g_span.free_spans != 0);
    ASSERT(g_span.free_chunks >= page_map_entry(index)->length);
    page_fit_remove(index);
    g_span.free_chunks -= page_map_entry(index)->length;
    g_span.free_spans--;
    note_end();
}

// Coalesces a range with its free neighbours and inserts the result; returns its index.
static size_t coalesce(size_t index, size_t length)
{
    if (is_free(index + length)) {
        size_t behind = index + length;
        free_span_remove(behind);
        length += page_map_entry(behind)->length;
    }
    if (is_free(index - 1)) {
        size_t before_length = page_map_entry(index - 1)->length;
        index -= before_length;
        free_span_remove(index);
        length += before_length;
    }
    ASSERT(!is_free(index - 1));      // SPAN-2
    ASSERT(!is_free(index + length)); // SPAN-2
    free_span_insert(index, length);
    return index;
}

// ---- allocate ----

// Counts the chunks that were purged and are allocated again.
static void count_retaken(size_t index, size_t length, size_t dirty)
{
    size_t known = min_size(length, g_span.high_index - min_size(index, g_span.high_index));
    ASSERT(dirty <= known); // the rest is new
    bool is_huge = units_is_huge(page_map_unit(index + length / 2));
    g_span.refaults.retaken += known - dirty;
    g_span.refaults.on_small_pages += is_huge ? 0 : known - dirty;
}

// Splits [index, index + length) off a free span and puts it in use; the rest stays free. True: it
// is all zero.
static bool cut(size_t span, size_t index, size_t length, bool is_dense)
{
    size_t end = span + page_map_entry(span)->length;
    ASSERT(index >= span);
    ASSERT(index + length <= end);
    if (units_fill(length, is_dense) &&
        huge_pages_are_for(span_used_bytes() + (length << CHUNK_SHIFT))) {
        units_ask(span, end, index, length);
    }
    free_span_remove(span);
    if (index > span) {
        free_span_insert(span, index - span);
    }
    if (index + length < end) {
        free_span_insert(index + length, end - index - length);
    }
    size_t dirty = dirty_exchange(index, length, false);
    add_atomic(&g_span.dirty_chunks, -dirty);
    count_retaken(index, length, dirty);
    g_span.high_index = max_size(g_span.high_index, index + length);
    count_used(length);
    // Must not look free before the caller marks it; where a page is larger than a chunk, a purge
    // may examine any of its chunks.
    if (os_page_bytes() > CHUNK_BYTES) {
        page_map_mark(index, length, CHUNK_BODY);
    } else {
        mark_ends(index, length, CHUNK_BODY);
    }
    // Where a page is larger than a chunk, a purge leaves the edges of its range untouched.
    return dirty == 0 && os_page_bytes() <= CHUNK_BYTES && !g_span.has_stuck;
}

// ---- growth ----

static size_t grow_wish(size_t need)
{
    size_t heap_bytes = page_map_count() << CHUNK_SHIFT;
    size_t step = clamp_size(heap_bytes / 8, GROW_BYTES_MIN, GROW_BYTES_MAX);
    size_t wish = max_size(need + (g_options.top_pad_bytes >> CHUNK_SHIFT), step >> CHUNK_SHIFT);
    ASSERT(wish >= need);
    if (!huge_pages_are_for(span_used_bytes())) {
        return wish;
    }
    // Up to the end of a unit, so that the next growth begins with a whole one.
    size_t end = page_map_count() + wish;
    return page_map_unit_start(page_map_unit(end + UNIT_CHUNKS - 1)) - page_map_count();
}

// Grows the region by at least `need` chunks, joined with the free span at its end; false: refused.
static bool grow(size_t need)
{
    size_t got = 0;
    size_t first = region_grow(need, grow_wish(need), &got);
    if (first == 0) {
        return false;
    }
    ASSERT(got >= need);
    coalesce(first, got);
    return true;
}

// Maps a gap that span_release_space left, before the heap, and its tables with it, is extended.
static bool fill(size_t need)
{
    size_t got = 0;
    size_t first = region_fill(need, grow_wish(need), &got);
    if (first == 0) {
        return false;
    }
    ASSERT(got >= need);
    coalesce(first, got);
    return true;
}

// The first index at or above `index` whose address is a multiple of `alignment` chunks.
static size_t align_index(size_t index, size_t alignment)
{
    size_t base = g_page_map.base >> CHUNK_SHIFT;
    ASSERT(is_pow2(alignment));
    return align_up(base + index, alignment) - base;
}

// Chunks that the free span at the end of the region lacks to reach `length`.
static size_t missing_at_end(size_t length)
{
    size_t there = end_span_length();
    ASSERT(there < length);
    return length - there;
}

bool span_start(bool use_break)
{
    return region_start(use_break);
}

size_t span_allocate(size_t length, size_t alignment, bool is_dense, bool *clean)
{
    ASSERT(length != 0);
    ASSERT(is_pow2(alignment));
    size_t room = length + alignment - 1;
    size_t index = 0;
    lock_acquire(&g_span.lock);
    size_t span = page_fit_find(room);
    if (span == 0 && (fill(room) || grow(missing_at_end(room)) || grow(room))) {
        span = page_fit_find(room); // a growth that is not contiguous must cover it all
        if (span == 0 && grow(room)) {
            span = page_fit_find(room);
        }
    }
    span = span != 0 ? span : page_fit_find_hidden(room);
    if (span != 0) {
        index = align_index(span, alignment);
        *clean = cut(span, index, length, is_dense);
    }
    lock_release(&g_span.lock);
    return index;
}

void span_free(size_t index, size_t length)
{
    ASSERT(index != 0);
    ASSERT(length != 0);
    ASSERT(index + length <= page_map_count());
    lock_acquire(&g_span.lock);
    dirty_exchange(index, length, true);
    add_atomic(&g_span.dirty_chunks, length);
    add_atomic(&g_span.used_chunks, -length);
    coalesce(index, length);
    lock_release(&g_span.lock);
}

bool span_extend(size_t index, size_t length, size_t more, bool *clean)
{
    ASSERT(index != 0);
    ASSERT(more != 0);
    size_t behind = index + length;
    lock_acquire(&g_span.lock);
    bool fits = is_free(behind) && page_map_entry(behind)->length >= more;
    bool at_end = behind == page_map_count() ||
                  (is_free(behind) && behind + page_map_entry(behind)->length == page_map_count());
    if (!fits && at_end && grow(missing_at_end(more))) {
        fits = is_free(behind) && page_map_entry(behind)->length >= more;
    }
    if (fits) {
        *clean = cut(behind, behind, more, true); // what grows is written to all over
    }
    lock_release(&g_span.lock);
    return fits;
}

// ---- purge and trim ----

// Purges the whole pages of a dirty range; where a page is larger than a chunk, including the free
// chunks around it. False: the kernel refused (locked memory).
static bool purge_range(size_t index, size_t count)
{
    ASSERT(count != 0);
    size_t page = os_page_bytes();
    size_t end_index = index + count;
    while ((uintptr_t)page_map_address(index) % page != 0 && is_free(index - 1)) {
        index--;
    }
    while ((uintptr_t)page_map_address(end_index) % page != 0 && is_free(end_index)) {
        end_index++;
    }
    uintptr_t start = align_up((uintptr_t)page_map_address(index), page);
    uintptr_t end = align_down((uintptr_t)page_map_address(end_index), page);
    return start >= end || os_purge((void *)start, end - start); // NOLINT: our own memory
}

// Purges chunk by chunk after the whole range was refused: one locked page must not keep the rest.
// Refused chunks keep their contents but are counted as clean, so nothing is assumed zero any more.
static void purge_singly(size_t index, size_t count)
{
    for (size_t i = index; i < index + count; i++) {
        if (!purge_range(i, 1)) {
            g_span.has_stuck = true;
        }
    }
}

// Finds dirty chunks that are in no huge unit, or fill one, going down from where the last search
// ended. A search skips at most UNITS_LOOKS partly dirty units, so that no free pays for all.
static size_t find_whole(size_t *count)
{
    size_t end = g_span.searched;
    end = end == 0 || end > page_map_count() ? page_map_count() : end;
    for (unsigned looks = 0; looks < UNITS_LOOKS; looks++) {
        size_t index = dirty_highest_below(end, count);
        if (*count == 0) {
            break;
        }
        size_t unit = page_map_unit(index + *count - 1);
        size_t start = page_map_unit_start(unit);
        if (!units_is_huge(unit)) {
            if (page_map_unit(index) != unit) { // the rest of the run is in another one
                *count -= start - index;
                index = start;
            }
            g_span.searched = index;
            return index;
        }
        if (dirty_is_all(start, UNIT_CHUNKS)) {
            *count = UNIT_CHUNKS;
            g_span.searched = start;
            return start;
        }
        end = start;
    }
    g_span.searched = *count == 0 ? 0 : end;
    *count = 0;
    return 0;
}

// Chooses what a step purges: a run of chunks, or none.
static size_t choose_purge(bool splits, size_t *count)
{
    if (!units_any()) {
        return dirty_highest_below(page_map_count(), count);
    }
    size_t index = find_whole(count);
    if (*count == 0 && splits) {
        index = dirty_highest_below(page_map_count(), count);
        if (*count != 0) {
            units_refuse(index, *count);
        }
    }
    return index;
}

static NOINLINE void purge(size_t index, size_t count)
{
    ASSERT(dirty_is_all(index, count));
    if (!purge_range(index, count)) {
        purge_singly(index, count);
    }
    dirty_exchange(index, count, false); // SPAN-3
    add_atomic(&g_span.dirty_chunks, -count);
    g_span.purges++;
    g_span.refaults.purged += count;
    live_event(MYALLOC_LIVE_EVENT_PURGE, page_map_address(index), count << CHUNK_SHIFT);
}

size_t span_purge_step(bool splits)
{
    size_t count = 0;
    lock_acquire(&g_span.lock);
    size_t index = choose_purge(splits, &count);
    if (count != 0) {
        purge(index, count);
    }
    lock_release(&g_span.lock);
    return count << CHUNK_SHIFT;
}

COLD bool span_purge_unit(size_t *unit)
{
    bool found = false;
    lock_acquire(&g_span.lock);
    size_t end = units_any() ? page_map_unit(page_map_count()) : 0; // the last one may be a part
    for (; *unit < end && !found; (*unit)++) {
        size_t start = page_map_unit_start(*unit);
        found = units_is_huge(*unit) && dirty_is_all(start, UNIT_CHUNKS);
        if (found) {
            purge(start, UNIT_CHUNKS);
        }
    }
    lock_release(&g_span.lock);
    return found;
}

// Removes [first, end) from the map, and from the free span that it is the end of.
static void forget_end(size_t first, size_t end)
{
    ASSERT(first < end);
    size_t span = end - page_map_entry(end - 1)->length;
    free_span_remove(span);
    size_t dirty = dirty_exchange(first, end - first, false);
    add_atomic(&g_span.dirty_chunks, -dirty);
    g_span.refaults.purged += dirty; // counts as purged; high_index stays, to notice its return
    page_map_forget(first, end - first);
    units_forget(first, end - first);
    if (first > span) {
        free_span_insert(span, first - span);
    }
}

size_t span_trim(size_t keep_bytes)
{
    size_t trimmed = 0;
    lock_acquire(&g_span.lock);
    size_t end = page_map_count();
    size_t length = end_span_length();
    size_t kept = min_size(length, (keep_bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT);
    // Whole pages, so that the next growth begins where this one ends.
    size_t page_chunks = max_size(1, os_page_bytes() >> CHUNK_SHIFT);
    size_t first = align_index(end - length + kept, page_chunks);
    if (first < end && region_shrink(first)) {
        forget_end(first, end);
        trimmed = (end - first) << CHUNK_SHIFT;
    }
    lock_release(&g_span.lock);
    return trimmed;
}

// Unmaps the whole pages of a free span and returns how many bytes.
static NOINLINE COLD size_t punch(size_t span)
{
    size_t page_chunks = max_size(1, os_page_bytes() >> CHUNK_SHIFT);
    size_t span_end = span + page_map_entry(span)->length;
    size_t first = align_index(span, page_chunks);
    size_t end = align_index(span_end + 1 - page_chunks, page_chunks);
    ASSERT(first < end);
    free_span_remove(span);
    if (first > span) {
        free_span_insert(span, first - span);
    }
    if (span_end > end) {
        free_span_insert(end, span_end - end);
    }
    add_atomic(&g_span.dirty_chunks, -dirty_exchange(first, end - first, false));
    units_forget(first, end - first);
    page_map_forget(first, end - first);
    region_punch(first, end - first);
    return (end - first) << CHUNK_SHIFT;
}

COLD size_t span_release_space(void)
{
    size_t released = span_trim(0); // first the end, which leaves no gap
    lock_acquire(&g_span.lock);
    for (size_t span; (span = page_fit_find(SPACE_CHUNKS_MIN)) != 0;) {
        released += punch(span);
    }
    lock_release(&g_span.lock);
    return released;
}

void span_refuse_huge(size_t index, size_t length)
{
    ASSERT(length != 0);
    lock_acquire(&g_span.lock);
    units_refuse(index, length);
    lock_release(&g_span.lock);
}

// ---- inspection ----

size_t span_end_free_bytes(void)
{
    return atomic_load_explicit(&g_span.end_chunks, memory_order_relaxed) << CHUNK_SHIFT;
}

size_t span_dirty_bytes(void)
{
    return atomic_load_explicit(&g_span.dirty_chunks, memory_order_relaxed) << CHUNK_SHIFT;
}

size_t span_used_bytes(void)
{
    return atomic_load_explicit(&g_span.used_chunks, memory_order_relaxed) << CHUNK_SHIFT;
}

size_t span_free_bytes(void)
{
    lock_acquire(&g_span.lock);
    size_t bytes = g_span.free_chunks << CHUNK_SHIFT;
    lock_release(&g_span.lock);
    return bytes;
}

struct span_refaults span_refaults(void)
{
    lock_acquire(&g_span.lock);
    struct span_refaults refaults = g_span.refaults;
    lock_release(&g_span.lock);
    return refaults;
}

struct span_stats span_stats(void)
{
    lock_acquire(&g_span.lock);
    struct span_stats stats = {
        .used_chunks = atomic_load_explicit(&g_span.used_chunks, memory_order_relaxed),
        .used_chunks_max = g_span.used_chunks_max,
        .free_chunks = g_span.free_chunks,
        .dirty_chunks = atomic_load_explicit(&g_span.dirty_chunks, memory_order_relaxed),
        .free_spans = g_span.free_spans,
        .purges = g_span.purges,
        .purged_bytes = g_span.refaults.purged << CHUNK_SHIFT,
        .region = region_stats(),
    };
    lock_release(&g_span.lock);
    return stats;
}

void span_check(void)
{
    size_t free_chunks = 0;
    size_t free_spans = 0;
    size_t dirty = 0;
    lock_acquire(&g_span.lock);
    size_t end = page_map_count();
    for (size_t i = 1; i < end; i++) {
        if (!is_free(i)) {
            VERIFY(!page_map_is_dirty(i)); // SPAN-3
            continue;
        }
        dirty += page_map_is_dirty(i);
        size_t length = page_map_entry(i)->length;
        VERIFY(i + length <= end);
        VERIFY(page_map_entry(i + length - 1)->length == length); // SPAN-1
        VERIFY(is_free(i + length - 1));
        VERIFY(!is_free(i + length)); // SPAN-2
        for (size_t k = i + 1; k < i + length; k++) {
            dirty += page_map_is_dirty(k);
        }
        free_chunks += length;
        free_spans++;
        i += length - 1;
    }
    VERIFY(dirty_end() >= end || dirty_is_none(dirty_end(), end - dirty_end())); // DIRTY-1
    VERIFY(free_chunks == g_span.free_chunks);
    VERIFY(free_spans == g_span.free_spans);
    VERIFY(dirty == atomic_load_explicit(&g_span.dirty_chunks, memory_order_relaxed)); // SPAN-3
    lock_release(&g_span.lock);
}

void span_hold(void) UNCHECKED_LOCKS
{
    lock_acquire(&g_span.lock);
}

void span_let_go(void) UNCHECKED_LOCKS
{
    lock_release(&g_span.lock);
}

void span_each_lock(lock_visitor *visit)
{
    visit(&g_span.lock);
}
