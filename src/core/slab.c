/* slab.c - a span cut into equal blocks.
 *
 * Owns:       free, carved, reached, purged, is_clean of the map entries of slabs.
 * Threads:    the holder of the lock of the class.
 * Locks:      takes none; span_refuse_huge() takes LOCK_PAGE_HEAP.
 * Invariants: SLAB-1  at most `carved` blocks are on `free`.
 *             SLAB-2  carved = reached - blocks that begin in purged pages; reached <= capacity.
 *             SLAB-3  while is_clean, blocks from `reached` on are zero.
 */
#include "core/slab.h"

#include "base/check.h"
#include "base/cpu.h"
#include "base/fatal.h"
#include "base/os.h"
#include "core/thread.h"
#include "pages/span.h"

#include <string.h>

#define ONE_AT_A_TIME                                                                              \
    2048U                 // bytes: larger blocks are carved singly, as they take the rest of a page
#define PAGES_MAX     32U // one bit each
#define CHECKED_WORDS 4U  // of a block that was never handed out

static_assert(8 * CHUNK_BYTES / CARVE_BYTES <= PAGES_MAX, "the longest slab of several blocks");

void slab_open(size_t index, unsigned sc, bool is_clean)
{
    ASSERT(index != 0);
    ASSERT(sc < CLASSES);
    struct chunk *slab = page_map_entry(index);
    ASSERT((uintptr_t)page_map_address(index) >> CPU_ADDRESS_BITS == 0); // fits a list word
    RELAXED_STORE(slab->free, list_empty());
    RELAXED_STORE(slab->carved, 0);
    atomic_store_explicit(&slab->reached, 0, memory_order_relaxed);
    RELAXED_STORE(slab->purged, 0);
    slab->is_clean = is_clean;
    RELAXED_STORE(slab->looked_at, 0);
    RELAXED_STORE(slab->sc, (uint8_t)sc);
    slab->prev = 0;
    slab->next = 0;
    RELAXED_STORE(slab->length, g_size_classes[sc].slab_chunks);
    page_map_mark_body(slab, slab->length);
    chunk_set_state(slab, CHUNK_SLAB);
    page_map_set_bin(index, slab->length, (uint8_t)(sc + 1));
}

void slab_close(struct chunk *slab)
{
    ASSERT(chunk_state(slab) == CHUNK_SLAB);
    ASSERT(slab->sc < CLASSES);
    size_t bytes = size_class_bytes(slab->sc);
    page_map_set_bin(page_map_index(slab), slab->length, 0);
    RELAXED_STORE(slab->usable_bytes, bytes); // for the message about a late free
    RELAXED_STORE(slab->head_distance, 0);
    chunk_set_state(slab, CHUNK_BODY);
}

// Links the blocks [from, to) into a list in which SLAB_SPREAD_LINES neighbours share no
// cache line: threads that take turns on a CPU pop them one after the other, and then write to
// them at the same time. The block behind another one is not far behind it in the list.
static list_word link_blocks(const struct chunk *slab, unsigned from, unsigned to)
{
    ASSERT(from <= to);
    ASSERT(to <= slab_capacity(slab));
    list_word list = list_empty();
    char *block = slab_start(slab);
    size_t bytes = size_class_bytes(slab->sc);
    unsigned stride = (unsigned)((CACHE_LINE_BYTES + bytes - 1) / bytes);
    unsigned group = SLAB_SPREAD_LINES * stride;
    while (to > from) {
        unsigned first = from + (to - 1 - from) / group * group;
        for (unsigned start = stride; start-- > 0;) {
            unsigned count = (to - first + stride - 1 - start) / stride;
            while (count-- > 0) {
                list = list_push(list, block + (first + start + count * stride) * bytes);
            }
        }
        to = first;
    }
    return list;
}

static size_t page_bytes(void)
{
    return max_size(os_page_bytes(), CARVE_BYTES);
}

// The first block that begins in a page of the slab or after it, at most `reached`.
static unsigned first_block_in(const struct chunk *slab, unsigned page)
{
    ASSERT(page <= PAGES_MAX);
    size_t bytes = size_class_bytes(slab->sc);
    size_t block = (page * page_bytes() + bytes - 1) / bytes;
    return (unsigned)min_size(block, slab_reached(slab));
}

// Carves the blocks that begin in a purged page again.
static list_word carve_purged(struct chunk *slab)
{
    ASSERT(slab->purged != 0);
    unsigned page = (unsigned)__builtin_ctz(slab->purged);
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    RELAXED_STORE(slab->purged, slab->purged & (slab->purged - 1));
    RELAXED_STORE(slab->carved, (uint16_t)(slab->carved + (to - from))); // SLAB-2
    ASSERT(slab->carved <= slab_capacity(slab));                         // SLAB-2
    return link_blocks(slab, from, to);
}

// SLAB-3: otherwise the program overran a block below this one, or underran one above it.
static void check_clean(char *block, size_t bytes)
{
    cpu_touch(block);
    for (size_t i = 0; i < CHECKED_WORDS; i++) {
        if (UNLIKELY(((const uint64_t *)(const void *)block)[i] != 0)) {
            fatal_overwritten_block(block, bytes, t_thread.caller);
        }
    }
}

list_word slab_carve(struct chunk *slab, bool *is_clean)
{
    ASSERT(slab->carved <= slab_capacity(slab)); // SLAB-2
    *is_clean = false;
    if (slab->purged != 0) {
        return carve_purged(slab);
    }
    unsigned from = slab_reached(slab);
    unsigned capacity = slab_capacity(slab);
    ASSERT(from <= capacity); // SLAB-2
    size_t bytes = size_class_bytes(slab->sc);
    if (from == capacity) {
        return list_empty();
    }
    unsigned to = from + 1;
    if (bytes <= ONE_AT_A_TIME) {
        size_t page_end = align_down(from * bytes, CARVE_BYTES) + CARVE_BYTES;
        to = (unsigned)clamp_size(page_end / bytes, to, capacity);
    }
    atomic_store_explicit(&slab->reached, to, memory_order_relaxed);
    RELAXED_STORE(slab->carved, (uint16_t)(slab->carved + (to - from))); // SLAB-2
    if (to == from + 1) {
        char *block = slab_block(slab, from);
        // Only its first word is written below, so just one of its pages becomes resident.
        *is_clean = slab->is_clean; // SLAB-3
        slab->is_clean ? check_clean(block, bytes) : (void)0;
        return list_push(list_empty(), block);
    }
    return link_blocks(slab, from, to);
}

bool slab_put(struct chunk *slab, void *block)
{
    ASSERT(slab_of(block) == slab);
    if (UNLIKELY(slab_free_count(slab) >= slab->carved)) {
        return false;
    }
    RELAXED_STORE(slab->free, list_push(slab->free, block)); // SLAB-1
    return true;
}

void slab_complain(const void *block, const void *caller)
{
    const struct chunk *slab = slab_of(block);
    size_t bytes = size_class_bytes(slab->sc);
    list_word link = list_link(block);
    const void *next = list_first(link);
    size_t at = page_map_find(next);
    bool is_link = next == NULL ? link == list_empty()
                                : at != 0 && page_map_bin(at) == slab->sc + 1U &&
                                      slab_block_index(slab_of(next), next) != SLAB_NO_BLOCK;
    if (is_link) {
        fatal_double_free(block, bytes, caller);
    }
    fatal_overwritten_block(block, bytes, caller);
}

// ---- purging single pages ----

// The free blocks of a slab, page by page.
struct page_counts {
    uint16_t begun[PAGES_MAX];             // free blocks that begin in the page
    bool is_entered_freely[PAGES_MAX + 1]; // a free block extends into it from an earlier page
};

static unsigned page_of(const struct chunk *slab, const void *block)
{
    ASSERT((const char *)block >= slab_start(slab));
    ASSERT(slab_of(block) == slab);
    return (unsigned)((size_t)((const char *)block - slab_start(slab)) / page_bytes());
}

static void count_free(const struct chunk *slab, struct page_counts *counts)
{
    size_t bytes = size_class_bytes(slab->sc);
    memset(counts, 0, sizeof *counts);
    for (list_word list = slab->free; !list_is_empty(list); list = list_link(list_first(list))) {
        char *block = list_first(list);
        if (slab_of(block) != slab || !list_is_sound(list)) {
            slab_complain(block, NULL);
        }
        unsigned page = page_of(slab, block);
        counts->begun[page]++;
        for (unsigned last = page_of(slab, block + bytes - 1); page < last; page++) {
            counts->is_entered_freely[page + 1] = true;
        }
    }
}

// True if the page has blocks and all of them are free. `pages`: the earlier pages that are free.
static bool page_is_free(const struct chunk *slab, const struct page_counts *counts, unsigned page,
                         unsigned pages)
{
    ASSERT(page < PAGES_MAX);
    ASSERT((pages >> page) == 0);
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    bool is_entered = from * size_class_bytes(slab->sc) > page * page_bytes();
    if (from == to) { // inside one block: free if the page where it begins is
        return from != 0 && is_entered &&
               ((pages >> page_of(slab, slab_block(slab, from - 1))) & 1);
    }
    bool was_purged = page != 0 && ((slab->purged >> (page - 1)) & 1) != 0;
    return counts->begun[page] == to - from &&
           (!is_entered || was_purged || counts->is_entered_freely[page]);
}

// Removes the blocks that begin in `pages` from the free list.
static void unlist(struct chunk *slab, unsigned pages)
{
    ASSERT(pages != 0);
    list_word kept = list_empty();
    unsigned dropped = 0;
    list_word next;
    for (list_word list = slab->free; !list_is_empty(list); list = next) {
        void *block = list_first(list);
        next = list_link(block);
        if (((pages >> page_of(slab, block)) & 1) != 0) {
            dropped++;
        } else {
            kept = list_push(kept, block);
        }
    }
    RELAXED_STORE(slab->free, kept);
    uint32_t purged = slab->purged;
    for (unsigned page = 0; page < PAGES_MAX; page++) {
        bool begins = first_block_in(slab, page) != first_block_in(slab, page + 1);
        purged |= begins ? pages & (1U << page) : 0;
    }
    RELAXED_STORE(slab->purged, purged);
    RELAXED_STORE(slab->carved, (uint16_t)(slab->carved - dropped)); // SLAB-2
    ASSERT(slab_free_count(slab) <= slab->carved);                   // SLAB-1
}

// Purges each run of adjacent pages with one call.
static void purge_rows(const struct chunk *slab, unsigned pages)
{
    ASSERT(pages != 0);
    while (pages != 0) {
        unsigned from = (unsigned)__builtin_ctz(pages);
        unsigned length = (unsigned)__builtin_ctzll(~((uint64_t)pages >> from));
        os_purge(slab_start(slab) + from * page_bytes(), length * page_bytes());
        pages &= ~(unsigned)(((1ULL << length) - 1) << from);
    }
}

size_t slab_purge_pages(struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    struct page_counts counts;
    unsigned pages = 0;
    if (list_is_empty(slab->free) || size_class_is_single(slab->sc) || page_bytes() > CHUNK_BYTES) {
        return 0;
    }
    count_free(slab, &counts);
    unsigned end = (unsigned)min_size((slab->length << CHUNK_SHIFT) / page_bytes(), PAGES_MAX);
    for (unsigned page = 0; page < end; page++) {
        pages |= (unsigned)page_is_free(slab, &counts, page, pages) << page;
    }
    if (pages == 0) {
        return 0;
    }
    unlist(slab, pages);
    span_refuse_huge(page_map_index(slab), slab->length);
    purge_rows(slab, pages);
    return (size_t)__builtin_popcount(pages) * page_bytes();
}
