/* hslab.c - hardened slabs: spans cut into slots of one class.
 *
 * Owns:       the map entries of HSLAB spans, the structures and records of slabs.
 * Threads:    any.
 * Locks:      LOCK_HSLAB, one per class; page_heap.c below takes LOCK_PAGE_HEAP.
 * Invariants: HSLAB-1  a slot whose bit is set is all zero and its record says free.
 *             HSLAB-2  a listed slab has a bit set or slots that were never used.
 *             HSLAB-3  structures are type-stable: never released, reused for their class only.
 *             HSLAB-4  an empty slab whose guard page the kernel refuses to show stays listed, or
 *                      is hidden as a whole; it is reused or released later.
 *
 * Slots are opened some pages at a time, in address order, and chosen at random among the open
 * ones: pages that a small program does not need stay untouched.
 *
 * Hidden pages do not count as data (RLIMIT_DATA): showing one may be refused. When memory is
 * short, hiding an empty slab as a whole makes room to show the guard pages of others.
 */
#include "hardened/hslab.h"

#include "pages/page_heap.h"
#include "base/lock.h"
#include "base/fatal.h"
#include "base/os.h"
#include "hardened/canary.h"
#include "pages/protect.h"
#include "base/meta_alloc.h"
#include "base/live.h"

#define CHUNKS_MIN     2
#define CHUNKS_SMALL   4  // 64 KiB between two guard pages
#define CHUNKS_MAX     16 // 256 KiB, for medium blocks
#define OPEN_BYTES     4096UL
#define OPEN_SLOTS_MIN 8U
#define PICKED_AT_ONCE 8
#define EMPTIES_MAX    3   // empty slabs kept per class
#define SPARE_CHUNKS   8U  // most chunks for structures
#define SPARE_SLOTS    16U // a slab of at least so many slots can spare its first one

struct ALIGNED(64) hslab_list {
    struct lock lock;
    struct hslab *partial; // [lock: LOCK_HSLAB] with room
    struct hslab *hidden;  // [lock: LOCK_HSLAB] HSLAB-4: without a readable page
    struct hslab *unused;  // [lock: LOCK_HSLAB] structures without a span
    uint32_t empties;      // [lock: LOCK_HSLAB] slabs with all their slots
    uint32_t empties_max;  // [lock: LOCK_HSLAB] of them kept; more after a refusal
    char *spare;           // [lock: LOCK_HSLAB] heap memory for structures
    size_t spare_bytes;    // [lock: LOCK_HSLAB] left there
};

static struct {
    struct hslab_list lists[HSLAB_CLASSES];
} g_hslab;

// ---- lists and bits ----

static void list_put_locked(struct hslab_list *list, struct hslab *slab)
{
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(!slab->is_listed);
    slab->prev = NULL;
    slab->next = list->partial;
    if (list->partial != NULL) {
        list->partial->prev = slab;
    }
    list->partial = slab;
    slab->is_listed = true;
}

static void list_remove_locked(struct hslab_list *list, struct hslab *slab)
{
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(slab->is_listed);
    ASSERT(slab->prev != NULL || list->partial == slab);
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        list->partial = slab->next;
    }
    if (slab->next != NULL) {
        slab->next->prev = slab->prev;
    }
    slab->is_listed = false;
}

static uint64_t *word_of(struct hslab *slab, unsigned slot)
{
    ASSERT(slot < HSLAB_SLOTS_MAX);
    return &slab->free[slot / 64];
}

static bool is_empty(const struct hslab *slab)
{
    ASSERT(slab->free_count <= slab->opened - slab->first);
    return slab->free_count == slab->opened - slab->first;
}

// ---- slabs ----

static unsigned chunks_for(unsigned sc)
{
    if (sc == HSLAB_EMPTY_CLASS) {
        return 1;
    }
    size_t bytes = size_class_bytes(sc) * HSLAB_SLOTS_MAX;
    unsigned most = size_class_is_small(sc) ? CHUNKS_SMALL : CHUNKS_MAX;
    return (unsigned)clamp_size(bytes >> CHUNK_SHIFT, CHUNKS_MIN, most);
}

static size_t guard_bytes(const struct hslab *slab)
{
    size_t all = (size_t)slab->length << CHUNK_SHIFT;
    return slab->sc == HSLAB_EMPTY_CLASS ? all : os_page_bytes();
}

static char *guard_start(const struct hslab *slab)
{
    ASSERT(guard_bytes(slab) % os_page_bytes() == 0 || guard_bytes(slab) == CHUNK_BYTES);
    return slab->start + ((size_t)slab->length << CHUNK_SHIFT) - guard_bytes(slab);
}

static unsigned slots_for(unsigned sc, size_t bytes)
{
    size_t page = os_page_bytes();
    ASSERT(sc == HSLAB_EMPTY_CLASS || page > CHUNK_BYTES || bytes > page);
    bytes -= sc == HSLAB_EMPTY_CLASS || page > CHUNK_BYTES ? 0 : page;
    return (unsigned)min_size(bytes / hslab_slot_bytes(sc), HSLAB_SLOTS_MAX);
}

// When mmap fails: chunks of the heap, for the life of the process.
static void *take_spare_locked(struct hslab_list *list, size_t bytes)
{
    bytes = align_up(bytes, CACHE_LINE_BYTES);
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(bytes <= CHUNK_BYTES);
    if (list->spare_bytes < bytes) {
        bool clean;
        unsigned length = SPARE_CHUNKS;
        size_t index = page_heap_allocate(length, 1, &clean);
        while (index == 0 && length > 1) {
            length /= 2;
            index = page_heap_allocate(length, 1, &clean);
        }
        if (index == 0) {
            return NULL;
        }
        page_map_mark_body(page_map_entry(index), length);
        RELAXED_STORE(page_map_entry(index)->head_distance, 0); // a body without a head: no block
        chunk_set_state(page_map_entry(index), CHUNK_BODY);
        list->spare = page_map_address(index);
        list->spare_bytes = (size_t)length << CHUNK_SHIFT;
        memset(list->spare, 0, clean ? 0 : list->spare_bytes);
    }
    ASSERT(list->spare_bytes >= bytes);
    void *taken = list->spare;
    list->spare += bytes;
    list->spare_bytes -= bytes;
    return taken;
}

// Observers may be reading them.
static void forget_records(struct hslab *slab)
{
    for (unsigned slot = 0; slot < slab->slots; slot++) {
        atomic_store_explicit(&slab->records[slot], 0, memory_order_relaxed);
    }
}

static struct hslab *structure_take_locked(struct hslab_list *list, unsigned sc, unsigned slots)
{
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(slots != 0);
    ASSERT(slots <= HSLAB_SLOTS_MAX);
    struct hslab *slab = list->unused;
    if (slab != NULL) {
        ASSERT(slab->sc == sc); // HSLAB-3
        list->unused = slab->next;
        forget_records(slab);
        return slab;
    }
    size_t bytes = sizeof *slab + slots * sizeof slab->records[0];
    slab = meta_alloc(bytes);
    slab = LIKELY(slab != NULL) ? slab : take_spare_locked(list, bytes);
    if (slab != NULL) {
        slab->length = chunks_for(sc);
        slab->sc = (uint16_t)sc;
        slab->slot_bytes = (uint32_t)hslab_slot_bytes(sc);
        slab->reciprocal = sc == HSLAB_EMPTY_CLASS ? (1UL << 40) / BLOCK_ALIGN_BYTES
                                                   : g_size_classes[sc].reciprocal;
        slab->slots = (uint16_t)slots;
        slab->first = slots >= SPARE_SLOTS && sc != HSLAB_EMPTY_CLASS ? 1 : 0;
    }
    return slab;
}

static void mark_span(struct hslab *slab, size_t index)
{
    ASSERT(index != 0);
    ASSERT(page_map_address(index) == slab->start);
    for (uint32_t i = 0; i < slab->length; i++) {
        struct chunk *entry = page_map_entry(index + i);
        RELAXED_STORE(entry->length, slab->length - i);
        RELAXED_STORE(entry->sc, (uint8_t)slab->sc);
        // release: pairs with the fence in hslab_see
        __atomic_store_n(&entry->record, slab, __ATOMIC_RELEASE);
        chunk_set_state(entry, CHUNK_HSLAB);
    }
}

// Leaves the span without a head, until span.c lists it as free.
static void unmark_span(const struct hslab *slab, size_t index)
{
    ASSERT(chunk_state(page_map_entry(index)) == CHUNK_HSLAB);
    ASSERT(hslab_of(page_map_entry(index)) == slab);
    for (uint32_t i = 0; i < slab->length; i++) {
        struct chunk *entry = page_map_entry(index + i);
        RELAXED_STORE(entry->head_distance, 0);
        RELAXED_STORE(entry->usable_bytes, 0);
        chunk_set_state(entry, CHUNK_BODY);
    }
}

// Reuses a slab that was hidden as a whole. NULL: there is none, or the kernel refuses.
static struct hslab *reopen_locked(struct hslab_list *list)
{
    struct hslab *slab = list->hidden;
    if (slab == NULL || !protect_show(slab->start, (size_t)(guard_start(slab) - slab->start))) {
        return NULL;
    }
    list->hidden = slab->next;
    ASSERT(!slab->is_listed);
    forget_records(slab);
    return slab;
}

static struct hslab *make_locked(struct hslab_list *list, unsigned sc)
{
    ASSERT(list == &g_hslab.lists[sc]);
    unsigned length = chunks_for(sc);
    size_t bytes = (size_t)length << CHUNK_SHIFT;
    unsigned slots = slots_for(sc, bytes);
    struct hslab *slab = structure_take_locked(list, sc, slots);
    if (slab == NULL) {
        return NULL;
    }
    bool clean;
    size_t index = page_heap_allocate(length, 1, &clean);
    if (index == 0) {
        slab->next = list->unused;
        list->unused = slab;
        return NULL;
    }
    RELAXED_STORE(slab->start, page_map_address(index));
    if (!clean && sc != HSLAB_EMPTY_CLASS) {
        protect_clear(slab->start, bytes);
    }
    ASSERT(slab->first < slots);
    slab->guard = (uint8_t)protect_guard(guard_start(slab), guard_bytes(slab));
    mark_span(slab, index);
    live_count();
    return slab;
}

static struct hslab *create_locked(struct hslab_list *list, unsigned sc)
{
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(list->partial == NULL);
    struct hslab *slab = reopen_locked(list);
    if (LIKELY(slab == NULL)) {
        slab = make_locked(list, sc);
    }
    if (slab != NULL) {
        RELAXED_STORE(slab->opened, slab->first);
        slab->free_count = 0;
        list_put_locked(list, slab);
        list->empties++;
    }
    return slab;
}

// Dies for the free slot that was written to.
static COLD void complain(const struct hslab *slab, const void *caller)
{
    size_t slot_bytes = hslab_slot_bytes(slab->sc);
    for (unsigned slot = 0; slot < slab->opened; slot++) {
        if (!is_all_zero(hslab_slot(slab, slot), slot_bytes)) {
            size_t bytes = hslab_bytes_in(slab, hslab_record(slab, slot));
            fatal_write_after_free(hslab_slot(slab, slot), bytes, caller);
        }
    }
}

// Returns the span of an empty slab, all readable, to the page heap.
static void give_locked(struct hslab_list *list, struct hslab *slab)
{
    ASSERT(lock_is_mine(&list->lock));
    ASSERT(!slab->is_listed);
    size_t index = page_map_find(slab->start);
    unmark_span(slab, index);
    page_heap_free(index, slab->length);
    slab->next = list->unused;
    list->unused = slab;
}

// Closes a slab without blocks in use, whose slots must all be zero. False: refused, the slab stays
// as it is (HSLAB-4).
static bool close_locked(struct hslab_list *list, struct hslab *slab, const void *caller)
{
    ASSERT(slab->is_listed);
    ASSERT(is_empty(slab));
    ASSERT(list->empties != 0);
    size_t slot_bytes = hslab_slot_bytes(slab->sc);
    if (slab->sc != HSLAB_EMPTY_CLASS && !is_all_zero(slab->start, slab->opened * slot_bytes)) {
        complain(slab, caller);
    }
    if (!protect_unguard(guard_start(slab), guard_bytes(slab), slab->guard)) {
        return false;
    }
    list_remove_locked(list, slab);
    list->empties--;
    memset(slab->free, 0, sizeof slab->free);
    give_locked(list, slab);
    return true;
}

// Hides an empty slab as a whole, so that as many pages of others may be shown. False: refused.
static bool hide_locked(struct hslab_list *list, struct hslab *slab)
{
    ASSERT(is_empty(slab));
    ASSERT(slab->is_listed);
    size_t bytes = (size_t)slab->length << CHUNK_SHIFT;
    if (slab->sc == HSLAB_EMPTY_CLASS || slab->guard != PROTECT_HIDDEN ||
        !os_purge(slab->start, bytes) || !protect_hide(slab->start, bytes)) {
        return false;
    }
    list_remove_locked(list, slab);
    list->empties--;
    memset(slab->free, 0, sizeof slab->free);
    slab->next = list->hidden;
    list->hidden = slab;
    return true;
}

// Releases slabs that are hidden as a whole, as far as the kernel lets them be shown; returns their
// bytes.
static size_t show_hidden_locked(struct hslab_list *list)
{
    ASSERT(lock_is_mine(&list->lock));
    size_t bytes = 0;
    for (struct hslab *slab = list->hidden; slab != NULL; slab = list->hidden) {
        ASSERT(slab->guard == PROTECT_HIDDEN); // HSLAB-4
        size_t span_bytes = (size_t)slab->length << CHUNK_SHIFT;
        if (!protect_unguard(slab->start, span_bytes, PROTECT_HIDDEN)) {
            break;
        }
        bytes += span_bytes;
        list->hidden = slab->next;
        give_locked(list, slab);
    }
    return bytes;
}

// Closes or hides every empty slab; returns the bytes released.
static size_t trim_locked(struct hslab_list *list, const void *caller)
{
    ASSERT(lock_is_mine(&list->lock));
    size_t bytes = 0;
    struct hslab *next = NULL;
    for (struct hslab *slab = list->partial; slab != NULL; slab = next) {
        next = slab->next;
        if (is_empty(slab)) {
            size_t span_bytes = (size_t)slab->length << CHUNK_SHIFT;
            bool is_closed = close_locked(list, slab, caller);
            bytes += is_closed ? span_bytes : 0;
            if (!is_closed && !hide_locked(list, slab)) {
                break;
            }
        }
    }
    list->empties_max = EMPTIES_MAX;
    return bytes + show_hidden_locked(list);
}

// ---- slots ----

static void open_slots_locked(struct hslab *slab)
{
    ASSERT(slab->opened < slab->slots); // HSLAB-2
    ASSERT(slab->free_count == 0);
    unsigned some = (unsigned)(OPEN_BYTES / hslab_slot_bytes(slab->sc));
    unsigned end = slab->opened + (some > OPEN_SLOTS_MIN ? some : OPEN_SLOTS_MIN);
    end = end < slab->slots ? end : slab->slots;
    while (slab->opened < end) {
        unsigned first = slab->opened % 64;
        unsigned count = end - slab->opened < 64 - first ? end - slab->opened : 64 - first;
        *word_of(slab, slab->opened) |= ~0UL >> (64 - count) << first;
        RELAXED_STORE(slab->opened, (uint16_t)(slab->opened + count));
        slab->free_count = (uint16_t)(slab->free_count + count);
    }
}

// Takes up to `wanted` slots from the bitmap, a few at a time, from a random position on.
static unsigned pick_locked(struct hslab *slab, uint64_t *random, uint64_t *words, unsigned wanted)
{
    ASSERT(wanted != 0);
    ASSERT(slab->free_count != 0);
    unsigned count = 0;
    unsigned all = (slab->opened + 63U) / 64;
    while (count < wanted && slab->free_count != 0) {
        uint64_t x = xorshift_next(random);
        unsigned at = (unsigned)((x >> 32) * all >> 32);
        while (slab->free[at] == 0) {
            at = at + 1 == all ? 0 : at + 1;
        }
        unsigned turn = x & 63;
        uint64_t word = slab->free[at];
        uint64_t turned = word >> turn | word << ((64 - turn) & 63);
        const char *start = hslab_slot(slab, at * 64);
        for (unsigned i = 0; i < PICKED_AT_ONCE && turned != 0 && count < wanted; i++) {
            unsigned bit = ((unsigned)__builtin_ctzll(turned) + turn) % 64;
            turned &= turned - 1;
            ASSERT((hslab_record(slab, at * 64 + bit) & RECORD_USED) == 0); // HSLAB-1
            word &= ~(1UL << bit);
            slab->free_count--;
            words[count++] = hslab_word(start + (size_t)bit * slab->slot_bytes, at * 64 + bit);
        }
        slab->free[at] = word;
    }
    return count;
}

unsigned hslab_allocate(unsigned sc, uint64_t *random, uint64_t *words, unsigned wanted)
{
    ASSERT(sc < HSLAB_CLASSES);
    ASSERT(wanted != 0);
    struct hslab_list *list = &g_hslab.lists[sc];
    unsigned count = 0;
    lock_acquire(&list->lock);
    while (count < wanted) {
        struct hslab *slab = list->partial;
        if (slab == NULL) {
            slab = count == 0 ? create_locked(list, sc) : NULL;
            if (slab == NULL) {
                break;
            }
        }
        list->empties -= is_empty(slab);
        ASSERT(slab->free_count != 0 || slab->opened < slab->slots); // HSLAB-2
        if (slab->free_count == 0) {
            open_slots_locked(slab);
        }
        count += pick_locked(slab, random, words + count, wanted - count);
        if (slab->free_count == 0 && slab->opened == slab->slots) {
            list_remove_locked(list, slab); // HSLAB-2
        }
    }
    lock_release(&list->lock);
    ASSERT(count <= wanted);
    return count;
}

// False: the slot was already free.
static bool put_back_locked(struct hslab_list *list, uint64_t word, const void *caller)
{
    ASSERT(lock_is_mine(&list->lock));
    struct hslab *slab = hslab_of_word(word);
    unsigned slot = hslab_slot_of_word(word);
    ASSERT(list == &g_hslab.lists[slab->sc]);
    ASSERT(slot >= slab->first);
    ASSERT(slot < slab->opened);
    uint64_t bit = 1UL << (slot % 64);
    if ((*word_of(slab, slot) & bit) != 0) {
        return false;
    }
    *word_of(slab, slot) |= bit;
    slab->free_count++;
    if (UNLIKELY(!slab->is_listed)) {
        list_put_locked(list, slab);
    }
    if (UNLIKELY(is_empty(slab)) && ++list->empties > list->empties_max) {
        list->empties_max =
            close_locked(list, slab, caller) ? EMPTIES_MAX : 2 * list->empties; // HSLAB-4
    }
    return true;
}

void hslab_free(unsigned sc, const uint64_t *words, unsigned count, const void *caller)
{
    ASSERT(sc < HSLAB_CLASSES);
    ASSERT(count != 0);
    struct hslab_list *list = &g_hslab.lists[sc];
    bool is_good = true;
    unsigned i = 0;
    lock_acquire(&list->lock);
    for (; i < count && is_good; i++) {
        is_good = put_back_locked(list, words[i], caller);
    }
    lock_release(&list->lock);
    if (!is_good) { // two threads freed it at the same time
        fatal_double_free(hslab_ptr_of_word(words[i - 1]), hslab_slot_bytes(sc), caller);
    }
}

struct hslab *hslab_hold(const char *ptr) UNCHECKED_LOCKS
{
    struct chunk *entry = page_map_entry(page_map_find(ptr));
    unsigned sc = RELAXED_LOAD(entry->sc);
    if (chunk_state(entry) != CHUNK_HSLAB || sc >= HSLAB_CLASSES) {
        return NULL;
    }
    lock_acquire(&g_hslab.lists[sc].lock);
    if (chunk_state(entry) == CHUNK_HSLAB && entry->sc == sc) {
        ASSERT(hslab_of(entry)->sc == sc);
        return hslab_of(entry);
    }
    lock_release(&g_hslab.lists[sc].lock);
    return NULL;
}

void hslab_let_go(struct hslab *slab) UNCHECKED_LOCKS
{
    ASSERT(lock_is_mine(&g_hslab.lists[slab->sc].lock));
    lock_release(&g_hslab.lists[slab->sc].lock);
}

size_t hslab_trim(const void *caller)
{
    size_t bytes = 0;
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        struct hslab_list *list = &g_hslab.lists[sc];
        lock_acquire(&list->lock);
        bytes += trim_locked(list, caller);
        lock_release(&list->lock);
    }
    return bytes;
}

// The state is read again after the record, which the next owner of the span may have written.
struct hslab *hslab_see(const struct chunk *entry)
{
    if (chunk_state(entry) != CHUNK_HSLAB) {
        return NULL;
    }
    struct hslab *slab = RELAXED_LOAD(entry->record);
    atomic_thread_fence(memory_order_acquire);
    return chunk_state(entry) == CHUNK_HSLAB ? slab : NULL;
}

size_t hslab_live_count(const struct hslab *slab, size_t *slack_bytes)
{
    size_t count = 0;
    unsigned end = RELAXED_LOAD(slab->opened);
    for (unsigned slot = slab->first; slot < end; slot++) {
        unsigned record = hslab_record(slab, slot);
        if ((record & RECORD_USED) != 0) {
            *slack_bytes += record & HSLAB_SLACK_MAX;
            count++;
        }
    }
    return count;
}

// ---- start and fork ----

void hslab_start(void)
{
    ASSERT(g_hslab.lists[0].empties_max == 0); // once
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        lock_init(&g_hslab.lists[sc].lock, LOCK_HSLAB);
        g_hslab.lists[sc].empties_max = EMPTIES_MAX;
    }
}

void hslab_each_lock(lock_visitor *visit)
{
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        visit(&g_hslab.lists[sc].lock);
    }
}
