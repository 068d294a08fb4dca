/* quarantine.c - freed large and huge blocks, before their memory is reused.
 *
 * Owns:       the list of them; the map entries of refused spans.
 * Threads:    any.
 * Locks:      LOCK_QUARANTINE; none while memory is allocated, hidden or freed.
 * Invariants: QUARANTINE-1  a block in quarantine is hidden from its first to its last page, except
 *                           for QUARANTINE-3, and the NEWEST are not reused.
 *             QUARANTINE-2  memory is returned to the floor below readable, and purged.
 *             QUARANTINE-3  a short block may stay readable; it is zero then.
 *             QUARANTINE-4  a span that the kernel refuses to make readable is purged, and put on
 *                           the list of refused ones, linked by its first entry, to be retried.
 *
 * Blocks keep their memory: clearing it costs less than faulting it in again. Hidden pages do not
 * count as data (RLIMIT_DATA), so the kernel may refuse to show them until others are hidden.
 */
#include "hardened/quarantine.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/fatal.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/tables.h"
#include "hardened/canary.h"
#include "pages/huge.h"
#include "pages/page_heap.h"
#include "pages/page_map.h"
#include "pages/protect.h"
#include "pages/span.h"

#define ENTRIES_MAX  128
#define NEWEST       2 // QUARANTINE-1
#define BYTES_MIN    (4UL << 20)
#define BYTES_MAX    (128UL << 20)
#define SHARE        8            // of the memory in use
#define RESIDENT_MAX (32UL << 20) // a longer block is purged
#define RETRIES      2            // refused spans that are retried at once

static struct {
    struct lock lock;
    bool purges;    // [const] blocks that leave are purged
    unsigned count; // [lock: LOCK_QUARANTINE] of entries
    size_t bytes;   // [lock: LOCK_QUARANTINE] of their memory
    // [atomic] QUARANTINE-4: index of the first span, 0 none; written under LOCK_QUARANTINE
    _Atomic(uint32_t) refused;
    struct quarantined entries[ENTRIES_MAX]; // [lock: LOCK_QUARANTINE] oldest first
} g_quarantine;

TABLE(quarantine, .id = MYALLOC_TABLE_QUARANTINE, .address = &g_quarantine.entries,
      .second = &g_quarantine.count, .bytes = sizeof(struct quarantined), .count = ENTRIES_MAX,
      .fields = {offsetof(struct quarantined, bytes), offsetof(struct quarantined, is_huge)});

void quarantine_start(bool purges)
{
    ASSERT(g_quarantine.count == 0);
    g_quarantine.purges = purges;
    lock_init(&g_quarantine.lock, LOCK_QUARANTINE);
}

bool quarantine_purges(void)
{
    return g_quarantine.purges;
}

// ---- out ----

void quarantine_check(const struct quarantined *freed, const void *caller)
{
    ASSERT(freed->start != NULL);
    ASSERT(freed->shown < freed->bytes);
    ASSERT(!freed->is_huge || freed->shown == 0); // QUARANTINE-3
    const char *block = freed->start + os_page_bytes();
    if (freed->shown != 0 && !is_all_zero(block, freed->shown)) { // QUARANTINE-3
        size_t bytes = page_map_entry(page_map_find(freed->start))->usable_bytes;
        fatal_write_after_free(block, bytes, caller);
    }
}

static uint32_t first_refused(void)
{
    return atomic_load_explicit(&g_quarantine.refused, memory_order_relaxed);
}

static void refused_push(size_t index)
{
    ASSERT(index != 0);
    ASSERT(chunk_state(page_map_entry(index)) == CHUNK_BODY); // QUARANTINE-4
    lock_acquire(&g_quarantine.lock);
    page_map_entry(index)->next = first_refused();
    atomic_store_explicit(&g_quarantine.refused, (uint32_t)index, memory_order_relaxed);
    lock_release(&g_quarantine.lock);
}

static size_t refused_pop(void)
{
    lock_acquire(&g_quarantine.lock);
    uint32_t index = first_refused();
    if (index != 0) {
        ASSERT(chunk_state(page_map_entry(index)) == CHUNK_BODY); // QUARANTINE-4
        uint32_t next = page_map_entry(index)->next;
        atomic_store_explicit(&g_quarantine.refused, next, memory_order_relaxed);
    }
    lock_release(&g_quarantine.lock);
    return index;
}

// QUARANTINE-2. False: refused.
static bool give_span(size_t index)
{
    struct chunk *head = page_map_entry(index);
    ASSERT(chunk_state(head) == CHUNK_BODY); // freed
    ASSERT(head->length != 0);
    size_t bytes = (size_t)head->length << CHUNK_SHIFT;
    if (!protect_guard_less(page_map_address(index), bytes, head->guard)) {
        return false;
    }
    if (head->guard != PROTECT_NONE) {
        protect_unreserve(QUARANTINE_ROWS);
    }
    page_heap_free(index, head->length);
    return true;
}

// Retries up to `most` refused spans; returns the bytes released.
static size_t retry(size_t most)
{
    size_t bytes = 0;
    for (size_t i = 0; i < most; i++) {
        size_t index = refused_pop();
        size_t length = index != 0 ? page_map_entry(index)->length : 0;
        if (index == 0) {
            break;
        }
        if (!give_span(index)) {
            refused_push(index); // QUARANTINE-4
            break;
        }
        bytes += length << CHUNK_SHIFT;
    }
    return bytes;
}

// A refused huge block is unmapped except for one page of address space.
static void release_huge(char *start, size_t bytes)
{
    ASSERT(bytes > 2 * os_page_bytes());
    bool is_shown = protect_show(start, bytes);
    if (!is_shown && huge_resize(start, 1) == start) {
        is_shown = protect_show(start, os_page_bytes());
    }
    if (is_shown) {
        huge_free(start);
    }
}

void quarantine_release(struct quarantined freed, const void *caller)
{
    ASSERT(freed.start != NULL);
    ASSERT(!quarantine_has(freed.start));
    quarantine_check(&freed, caller);
    if (g_quarantine.purges && !freed.is_purged) {
        os_purge(freed.start, freed.bytes);
    }
    if (freed.is_huge) {
        release_huge(freed.start, freed.bytes);
        return;
    }
    size_t index = page_map_find(freed.start);
    if (!give_span(index)) {
        os_purge(freed.start, freed.bytes);
        refused_push(index); // QUARANTINE-4
    } else if (UNLIKELY(first_refused() != 0)) {
        retry(RETRIES);
    }
}

// ---- in ----

static size_t resident_bytes(const struct quarantined *freed)
{
    return freed->is_purged ? 0 : freed->bytes;
}

static struct quarantined remove_locked(unsigned at)
{
    ASSERT(at < g_quarantine.count);
    ASSERT(lock_is_mine(&g_quarantine.lock));
    struct quarantined freed = g_quarantine.entries[at];
    ASSERT(g_quarantine.bytes >= resident_bytes(&freed));
    g_quarantine.count--;
    g_quarantine.bytes -= resident_bytes(&freed);
    memmove(&g_quarantine.entries[at], &g_quarantine.entries[at + 1],
            (g_quarantine.count - at) * sizeof g_quarantine.entries[0]);
    return freed;
}

static size_t budget(void)
{
    return clamp_size(span_used_bytes() / SHARE, BYTES_MIN, BYTES_MAX);
}

// A block that is to be purged is hidden by guard marks, if available: these count as data, see
// above.
static bool hide(struct quarantined *freed)
{
    ASSERT(freed->shown == 0);
    const struct chunk *head = freed->is_huge ? NULL : page_map_entry(page_map_find(freed->start));
    if (head != NULL && head->guard == PROTECT_MARKED &&
        (g_quarantine.purges || freed->is_purged)) {
        freed->is_purged = true;
        return protect_guard_more(freed->start, freed->bytes, PROTECT_MARKED);
    }
    return protect_hide(freed->start, freed->bytes);
}

bool quarantine_put(struct quarantined freed, const void *caller)
{
    ASSERT(freed.start != NULL);
    ASSERT(freed.bytes != 0);
    struct quarantined evicted[ENTRIES_MAX];
    unsigned count = 0;
    size_t most = budget();
    if (freed.bytes > RESIDENT_MAX) { // first, since hiding resident pages takes long
        freed.is_purged = os_purge(freed.start, freed.bytes);
    }
    if (freed.shown == 0 && !hide(&freed)) {
        return false;
    }
    size_t bytes = resident_bytes(&freed);
    lock_acquire(&g_quarantine.lock);
    while (g_quarantine.count == ENTRIES_MAX ||
           (g_quarantine.count >= NEWEST && g_quarantine.bytes + bytes > most)) { // QUARANTINE-1
        evicted[count++] = remove_locked(0);
    }
    ASSERT(g_quarantine.count < ENTRIES_MAX);
    g_quarantine.entries[g_quarantine.count++] = freed;
    g_quarantine.bytes += bytes;
    lock_release(&g_quarantine.lock);
    for (unsigned i = 0; i < count; i++) {
        quarantine_release(evicted[i], caller);
    }
    return true;
}

size_t quarantine_trim(const void *caller)
{
    struct quarantined all[ENTRIES_MAX];
    lock_acquire(&g_quarantine.lock);
    unsigned count = g_quarantine.count;
    memcpy(all, g_quarantine.entries, count * sizeof all[0]);
    g_quarantine.count = 0;
    g_quarantine.bytes = 0;
    lock_release(&g_quarantine.lock);
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        bytes += all[i].bytes;
        quarantine_release(all[i], caller);
    }
    return bytes + retry(SIZE_MAX);
}

struct quarantined quarantine_take(size_t bytes, bool is_huge)
{
    ASSERT(bytes != 0);
    struct quarantined found = {NULL, 0, 0, false, false};
    lock_acquire(&g_quarantine.lock);
    for (unsigned i = 0; i + NEWEST < g_quarantine.count && found.start == NULL; i++) {
        const struct quarantined *one = &g_quarantine.entries[i]; // QUARANTINE-1
        if (one->is_huge == is_huge && one->bytes >= bytes && one->bytes - bytes <= bytes / 4) {
            found = remove_locked(i);
        }
    }
    lock_release(&g_quarantine.lock);
    return found;
}

bool quarantine_has(const char *start)
{
    ASSERT(start != NULL);
    bool is_there = false;
    bool was_taken = lock_acquire_to_look(&g_quarantine.lock);
    for (unsigned i = 0; i < g_quarantine.count; i++) {
        is_there |= g_quarantine.entries[i].start == start;
    }
    lock_release_after_look(&g_quarantine.lock, was_taken);
    return is_there;
}

void quarantine_count_huge(size_t *blocks, size_t *bytes)
{
    lock_acquire(&g_quarantine.lock);
    for (unsigned i = 0; i < g_quarantine.count; i++) {
        *blocks += g_quarantine.entries[i].is_huge;
        *bytes += g_quarantine.entries[i].is_huge ? g_quarantine.entries[i].bytes : 0;
    }
    lock_release(&g_quarantine.lock);
}

// ---- fork ----

void quarantine_each_lock(lock_visitor *visit)
{
    visit(&g_quarantine.lock);
}
