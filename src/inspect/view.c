/* view.c - the counts of blocks in the live page: a periodic census.
 *
 * Owns:       counts, classes, slots and chunks of the live page.
 * Threads:    any; one refreshes, the others skip it.
 * Locks:      takes none; span_stats() and huge_stats() below do, so none may be held here.
 * Invariants: VIEW-1  refreshes take half a percent of the time at most: each one must be preceded
 *                     by a multiple of its cost, of which up to a second may be saved up.
 *
 * Blocks are not counted one by one, so the page lags behind by the time since the last refresh: a
 * few milliseconds for small heaps, five hundred times the walk of the map for large ones.
 */
#include "inspect/view.h"

#include "inspect/hslabs.h"

#include "pages/huge.h"
#include "pages/span.h"
#include "base/check.h"
#include "base/os.h"
#include "core/census.h"
#include "inspect/tables.h"
#include "core/slab.h"
#include "core/slot.h"

#define REST_FACTOR  512         // VIEW-1
#define REST_NS_MIN  5000000U    // no reader samples more often than that
#define CREDIT_NS    1000000000U // idle time that is credited, so that a burst after it is seen
#define TICK_PERIOD  64          // refills between two readings of the clock
#define CHANGE_SHARE 16          // a change of the heap by this share is worth a refresh

static struct {
    _Atomic(bool) is_busy;
    _Atomic(uint64_t) next_ns;  // no refresh before
    uint64_t paid_ns;           // [lock: is_busy] until when past refreshes have used up the time
    _Atomic(size_t) seen_bytes; // in use at the last refresh
} g_view;

static bool is_busy(void)
{
    return atomic_load_explicit(&g_view.is_busy, memory_order_relaxed);
}

// ---- chunks ----

static unsigned fill_of(size_t live, size_t all)
{
    size_t fill = (live * 16 + all - 1) / max_size(all, 1);
    ASSERT(all != 0);
    return (unsigned)clamp_size(fill, 1, 15) << 4;
}

// The state of the chunk at `i`; *span: how many chunks have it. A wrong length is
// clipped to the map, a wrong fill to the cell.
static unsigned look(size_t i, size_t end, size_t *span)
{
    ASSERT(i != 0);
    ASSERT(i < end);
    const struct chunk *entry = page_map_entry(i);
    enum chunk_state state = chunk_state(entry);
    bool has_length = state == CHUNK_FREE || state >= CHUNK_SLAB;
    *span = has_length ? clamp_size(RELAXED_LOAD(entry->length), 1, end - i) : 1;
    if (state == CHUNK_SLAB) {
        size_t free = slab_free_count(entry);
        size_t all = slab_capacity(entry);
        unsigned tier = size_class_is_small(RELAXED_LOAD(entry->sc)) ? MYALLOC_LIVE_CHUNK_SMALL
                                                                     : MYALLOC_LIVE_CHUNK_MEDIUM;
        size_t carved = RELAXED_LOAD(entry->carved);
        return tier | fill_of(carved - min_size(free, carved), all);
    }
    if (state == CHUNK_BODY) { // of a span that is changing right now
        *span = 1;
        return MYALLOC_LIVE_CHUNK_LARGE;
    }
    return state == CHUNK_NONE   ? MYALLOC_LIVE_CHUNK_FOREIGN
           : state == CHUNK_FREE ? MYALLOC_LIVE_CHUNK_CLEAN
                                 : MYALLOC_LIVE_CHUNK_LARGE;
}

// One word, which affects one colour.
static bool is_dirty(size_t i)
{
    ASSERT(i != 0);
    return ((RELAXED_LOAD(g_page_map.dirty[i / 64]) >> (i % 64)) & 1) != 0;
}

// Cell 0 is for chunk 1 of the map: index 0 is no memory.
static void show_chunks(struct myalloc_live_chunks *chunks)
{
    ASSERT(is_busy());
    size_t end = max_size(page_map_count(), 1); // 0 before the first growth
    uint64_t shift = live_load(&chunks->shift);
    uint64_t sequence = live_load(&chunks->sequence);
    ASSERT(sequence % 2 == 0);
    bool halves = end - 1 > (size_t)MYALLOC_LIVE_CHUNKS_MAX << shift;
    if (halves) {
        while (end - 1 > (size_t)MYALLOC_LIVE_CHUNKS_MAX << ++shift) {
        }
        live_store(&chunks->sequence, sequence + 1);
        atomic_thread_fence(memory_order_release); // the new scale and its cells come after it
        live_store(&chunks->shift, shift);
    }
    size_t span = 0;
    for (size_t i = 1; i < end; i += span) {
        unsigned cell = look(i, end, &span);
        for (size_t k = i - 1; k < i - 1 + span; k++) {
            if ((k & ((1UL << shift) - 1)) == 0) {
                bool is_free = cell == MYALLOC_LIVE_CHUNK_CLEAN;
                unsigned shown = is_free && is_dirty(k + 1) ? MYALLOC_LIVE_CHUNK_DIRTY : cell;
                ASSERT((k >> shift) < MYALLOC_LIVE_CHUNKS_MAX);
                atomic_store_explicit(&chunks->cells[k >> shift], (uint8_t)shown,
                                      memory_order_relaxed);
            }
        }
    }
    live_store(&chunks->base, g_page_map.base + CHUNK_BYTES);
    live_store(&chunks->count, end - 1);
    if (halves) {
        // release: orders the cells before it
        atomic_store_explicit(&chunks->sequence, sequence + 2, memory_order_release);
    }
}

// ---- counts ----

// The words are atomic; only sums of several may be inconsistent.
static void show_slot(struct myalloc_live_slot *row, const struct slot *slot, size_t number)
{
    uint64_t blocks = 0;
    uint64_t bytes = 0;
    uint64_t mallocs = 0;
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        size_t bin = slot_bin(sc);
        size_t cached =
            list_count(slot_look(&slot->loaded[bin])) + list_count(slot_look(&slot->spare[bin]));
        blocks += cached;
        bytes += cached * size_class_bytes(sc);
        mallocs += slot_handed(slot, bin);
    }
    live_store(&row->cached_blocks, blocks);
    live_store(&row->cached_bytes, bytes);
    live_store(&row->mallocs, mallocs);
    atomic_store_explicit(&row->number, (uint32_t)number, memory_order_relaxed);
    atomic_store_explicit(&row->is_used, 1, memory_order_relaxed);
}

static void show_slots(struct myalloc_live *page)
{
    ASSERT(is_busy());
    size_t count = 0;
    for (const struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        if (count < MYALLOC_LIVE_SLOTS_MAX) {
            ASSERT(slot_number(slot) <= UINT32_MAX);
            show_slot(&page->slots[count], slot, slot_number(slot));
        }
        count++;
    }
    live_store(&page->counters.slots_dropped, count - min_size(count, MYALLOC_LIVE_SLOTS_MAX));
}

static void show_counts(struct myalloc_live *page, const struct census *census)
{
    ASSERT(is_busy());
    struct myalloc_live_counters *c = &page->counters;
    uint64_t mallocs = live_others();
    // Pool chunks are reported as large blocks.
    uint64_t large_blocks = census->large_blocks + census->pool_chunks;
    uint64_t blocks = large_blocks + live_load(&c->huge_blocks);
    for (unsigned i = 0; i < CLASSES; i++) {
        const struct census_class *size_class = &census->classes[i];
        mallocs += size_class->handed;
        blocks += size_class->live_blocks;
        live_store(&page->classes[i].slabs, size_class->slabs);
        live_store(&page->classes[i].live_blocks, size_class->live_blocks);
        live_store(&page->classes[i].mallocs, size_class->handed);
    }
    live_store(&c->live_blocks, blocks);
    live_store(&c->live_bytes,
               census_live_bytes(census) + census->pool_chunk_bytes + live_load(&c->huge_bytes));
    if (live_load(&c->live_bytes) >= live_load(&c->live_peak_bytes)) {
        live_store(&c->touched_bytes, census->touched_bytes + census->pool_chunk_bytes +
                                          live_load(&c->huge_bytes) + span_dirty_bytes());
    }
    live_raise(&c->live_peak_bytes, live_load(&c->live_bytes));
    live_store(&c->large_blocks, large_blocks);
    live_store(&c->large_bytes, census->large_bytes + census->pool_chunk_bytes);
    live_store(&c->dirty_free_bytes, span_dirty_bytes());
    live_store(&c->mallocs, mallocs);
    live_store(&c->frees, mallocs > blocks ? mallocs - blocks : 0);
}

void view_refresh(void)
{
    ASSERT(live_is_on());
    // acquire: pairs with the release below
    if (atomic_exchange_explicit(&g_view.is_busy, true, memory_order_acquire)) {
        return;
    }
    uint64_t begun = os_exact_ns();
    struct census census;
    atomic_store_explicit(&g_view.seen_bytes, span_used_bytes(), memory_order_relaxed);
    census_take(&census);
    hslabs_count(&census);
    show_counts(g_live_page, &census);
    show_chunks(&g_live_page->chunks);
    show_slots(g_live_page);
    live_store(&g_live_page->counters.counted_ns, os_boot_ns());
    uint64_t now = os_exact_ns();
    uint64_t unpaid = begun - min_size(begun, CREDIT_NS);
    g_view.paid_ns = max_size(g_view.paid_ns, unpaid) + (now - begun) * REST_FACTOR;
    ASSERT(g_view.paid_ns >= unpaid + (now - begun) * REST_FACTOR); // VIEW-1
    atomic_store_explicit(&g_view.next_ns, max_size(g_view.paid_ns, now + REST_NS_MIN),
                          memory_order_relaxed);
    atomic_store_explicit(&g_view.is_busy, false, memory_order_release);
}

static void refresh_in_turn(void)
{
    ASSERT(live_is_on());
    if (os_exact_ns() >= atomic_load_explicit(&g_view.next_ns, memory_order_relaxed)) {
        view_refresh();
    }
}

void view_tick_on(void)
{
    ASSERT(live_is_on());
    static _Atomic(uint32_t) g_ticks;
    uint32_t ticks = atomic_fetch_add_explicit(&g_ticks, 1, memory_order_relaxed);
    if (ticks % TICK_PERIOD == 0 || live_is_news()) {
        refresh_in_turn();
    }
}

void view_peak_on(void)
{
    ASSERT(live_is_on());
    size_t seen = atomic_load_explicit(&g_view.seen_bytes, memory_order_relaxed);
    size_t used = span_used_bytes();
    if (used > seen + seen / CHANGE_SHARE) {
        view_refresh();
    } else if (used < seen - seen / CHANGE_SHARE) {
        refresh_in_turn(); // a program that only frees never refills
    }
}

// ---- start ----

static void show_constants(struct myalloc_live *page)
{
    ASSERT(page->header.class_count == 0);
    page->header.class_count = CLASSES;
    live_store(&page->header.spare_words[0], (uintptr_t)tables_begin);
    live_store(&page->header.spare_words[1], (uintptr_t)tables_end);
    for (unsigned i = 0; i < CLASSES; i++) {
        page->classes[i].block_bytes = (uint32_t)size_class_bytes(i);
        page->classes[i].tier = size_class_is_small(i) ? MYALLOC_LIVE_SMALL : MYALLOC_LIVE_MEDIUM;
    }
}

// What a child inherited from its parent; gaps in the region are not shown.
static void show_inherited(void)
{
    ASSERT(live_is_on());
    struct region_stats region = span_stats().region;
    const char *end = page_map_address(page_map_count());
    if (region.break_bytes != 0) {
        live_event(MYALLOC_LIVE_EVENT_BRK_GROW, page_map_address(1), region.break_bytes);
        live_add(MYALLOC_LIVE_REGION_BRK, page_map_address(1), region.break_bytes);
    }
    if (region.map_bytes != 0) {
        live_event(MYALLOC_LIVE_EVENT_MMAP, end - region.map_bytes, region.map_bytes);
        live_add(MYALLOC_LIVE_REGION_MMAP, end - region.map_bytes, region.map_bytes);
    }
    huge_show();
    view_refresh();
}

void view_start(void)
{
    ASSERT(!live_is_on());
    if (live_open()) {
        show_constants(g_live_page);
        page_map_show();
        live_publish();
    }
}

void view_postfork_child(void)
{
    atomic_store_explicit(&g_view.is_busy, false, memory_order_relaxed);
    if (!live_is_on()) {
        return;
    }
    live_leave();
    view_start();
    if (live_is_on()) {
        show_inherited();
    }
}
